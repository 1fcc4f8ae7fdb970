"""The shape of a value: its JSON Schema, and the conversion of JSON to it.

Conversion is as lax as pydantic's: "5" is accepted for an int and arrives as 5. Every fault is collected.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.encode import Unencodable, plain, pointer
from plugin_runner.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugin_runner.encode import Path
    from plugin_runner.errors import Violation


WARNINGS_LIMIT = 100


class Faults:
    """The faults of one value, in order, and warnings of what is not used of it."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []
        self.warnings: list[Violation] = []

    def add(self, path: Path, description: str, rule: str) -> None:
        self.violations.append({"field": pointer(path), "description": description, "rule": rule})

    def ignored(self, path: Path, known: Iterable[str]) -> None:
        """Warns of a name that none of the known ones is."""
        if len(self.warnings) < WARNINGS_LIMIT:
            like = nearest(str(path[1] if path else ""), list(known))
            hint = f' Did you mean "{like}"?' if like else ""
            said = f"is not known to the action and was ignored.{hint}"
            self.warnings.append({"field": pointer(path), "description": said, "rule": "ignored"})


class Definitions:
    """The `$defs` of a schema: shapes that contain themselves."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self.open: list[Shape] = []
        self.recursive: list[Shape] = []


class Shape:
    """Anything: the base of all shapes."""

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return {}

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        """The converted value. A fault is added to `faults`, and what is returned then means nothing."""
        return value

    def dump(self, converted: Any) -> Any:
        """The JSON of what `convert` returned, such that `convert` would take it again."""
        return plain(converted)


class Scalar(Shape):
    """A value that one function converts, and refuses by ValueError."""

    def __init__(self, schema: dict[str, Any], description: str, convert: Callable[[Any], Any]) -> None:
        self._schema = schema
        self._description = description
        self._convert = convert

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return dict(self._schema)

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        try:
            return self._convert(value)
        except (ValueError, ArithmeticError):
            faults.add(path, self._description, "format" if "format" in self._schema else "type")


class Choice(Shape):
    """One of fixed values: `Literal` or an Enum. `choices` are pairs of the JSON value and what it means."""

    def __init__(self, choices: list[tuple[Any, Any]]) -> None:
        self._choices = choices

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        values = [value for value, _ in self._choices]
        return {"const": values[0]} if len(values) == 1 else {"enum": values}

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        for given, meant in self._choices:
            if type(given) is type(value) and given == value:
                return meant
        faults.add(path, f"must be one of {', '.join(map(repr, (given for given, _ in self._choices)))}", "enum")


class Sequence(Shape):
    """A list, set or tuple of any length."""

    def __init__(self, item: Shape, make: Callable[[list[Any]], Any], unique: bool = False) -> None:
        self._item = item
        self._make = make
        self._unique = unique

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "array"}
        items = self._item.schema(definitions)
        if items:
            schema["items"] = items
        if self._unique:
            schema["uniqueItems"] = True
        return schema

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, (list, tuple)):
            return faults.add(path, "must be a list", "type")
        before = len(faults.violations)
        items = [self._item.convert(item, (path, index), faults) for index, item in enumerate(value)]
        if len(faults.violations) > before:
            return None
        try:
            return self._make(items)
        except TypeError:
            return faults.add(path, "must hold values that can be members of a set", "type")


class FixedTuple(Shape):
    """A tuple with a shape for each place."""

    def __init__(self, items: list[Shape]) -> None:
        self._items = items

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        count = len(self._items)
        schema: dict[str, Any] = {"type": "array", "minItems": count, "maxItems": count}
        if self._items:
            schema["prefixItems"] = [item.schema(definitions) for item in self._items]
        return schema

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, (list, tuple)):
            return faults.add(path, "must be a list", "type")
        if len(value) != len(self._items):
            return faults.add(path, f"must have {len(self._items)} items, not {len(value)}", "items")
        pairs = enumerate(zip(self._items, value))
        return tuple(shape.convert(item, (path, index), faults) for index, (shape, item) in pairs)


class Dictionary(Shape):
    """A dict with any keys of one shape."""

    def __init__(self, key: Shape, item: Shape) -> None:
        self._key = key
        self._item = item

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        items = self._item.schema(definitions)
        if items:
            schema["additionalProperties"] = items
        return schema

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.add(path, "must be an object", "type")
        return {
            self._key.convert(key, (path, key), faults): self._item.convert(item, (path, key), faults)
            for key, item in value.items()
        }


class Union(Shape):
    """One of several shapes: the first that takes the value as it is, else the first that takes it converted."""

    def __init__(self, options: list[Shape]) -> None:
        self._options = options

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        schemas = [option.schema(definitions) for option in self._options]
        return {} if {} in schemas else {"anyOf": schemas}

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        accepted: list[Any] = []
        refused: list[Faults] = []
        for option in self._options:
            tried = Faults()
            converted = option.convert(value, path, tried)
            if tried.violations:
                refused.append(tried)
            elif type(converted) is type(value) and converted == value:
                return converted
            else:
                accepted.append(converted)
        if accepted:
            return accepted[0]
        # The option that came furthest into the value is the one that was meant.
        deepest = [tried for tried in refused if tried.violations[0]["field"] != pointer(path)]
        if deepest and isinstance(value, (dict, list)):
            faults.violations += deepest[0].violations
        else:
            said = [tried.violations[0]["description"] for tried in refused]
            faults.add(path, ", or ".join(dict.fromkeys(said)), "anyOf" if len(said) > 1 else "type")


class Annotation(Shape):
    """A shape with a description."""

    def __init__(self, shape: Shape, description: str) -> None:
        self._shape = shape
        self._description = description

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return {**self._shape.schema(definitions), "description": self._description}

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        return self._shape.convert(value, path, faults)


class Field:
    """One property of a record."""

    def __init__(
        self, name: str, shape: Shape, required: bool, default: Callable[[], Any] | None = None, description: str = ""
    ) -> None:
        self.name = name
        self.shape = shape
        self.required = required
        self.default = default
        self.description = description

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        schema = self.shape.schema(definitions)
        if self.description:
            schema["description"] = self.description
        if self.default is not None:
            try:
                schema["default"] = plain(self.default())
            except Unencodable:
                pass  # a default that has no JSON is for the code alone
        return schema


class Record(Shape):
    """An object with known properties: a dataclass, a TypedDict or a signature.

    `make` is given the values of all properties that are there or have a default. ValueError, TypeError and
    AssertionError that it raises are faults of the whole object.
    """

    def __init__(self, name: str, description: str, make: Callable[[dict[str, Any]], Any], open_ended: bool) -> None:
        self._name = name
        self._description = description
        self._make = make
        self._open_ended = open_ended
        self.fields: dict[str, Field] = {}

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        if self in definitions.open:
            definitions.recursive.append(self)
            return {"$ref": "#" if definitions.open[0] is self else f"#/$defs/{self._name}"}
        definitions.open.append(self)
        schema = self._own_schema(definitions)
        definitions.open.pop()
        if self in definitions.recursive and definitions.open:
            definitions.schemas[self._name] = schema
            return {"$ref": f"#/$defs/{self._name}"}
        return schema

    def _own_schema(self, definitions: Definitions) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        if self._name:
            schema["title"] = self._name
        if self._description:
            schema["description"] = self._description
        schema["properties"] = {name: field.schema(definitions) for name, field in self.fields.items()}
        required = [name for name, field in self.fields.items() if field.required]
        if required:
            schema["required"] = required
        if not self._open_ended:
            schema["additionalProperties"] = False
        return schema

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.add(path, "must be an object", "type")
        before = len(faults.violations)
        made: dict[str, Any] = {}
        for name, field in self.fields.items():
            if name in value:
                made[name] = field.shape.convert(value[name], (path, name), faults)
            elif field.required:
                faults.add((path, name), "is required", "required")
            elif field.default is not None:
                made[name] = field.default()
        if len(made) < len(value) or value.keys() - made.keys():
            for name in value.keys() - self.fields.keys():
                if self._open_ended:
                    made[name] = value[name]
                else:
                    like = nearest(name, list(self.fields))
                    hint = f"; did you mean {like!r}?" if like else ""
                    faults.add((path, name), f"is unknown{hint}", "additionalProperties")
        if len(faults.violations) > before:
            return None
        try:
            return self._make(made)
        except (ValueError, TypeError, AssertionError) as error:
            return faults.add(path, str(error) or type(error).__name__, "value_error")

    def dump(self, converted: Any) -> Any:
        values = converted if isinstance(converted, dict) else vars_of(converted, self.fields)
        dumped = {}
        for name, value in values.items():
            shape = self.fields[name].shape if name in self.fields else Shape()
            try:
                dumped[name] = shape.dump(value)
            except Unencodable:
                pass  # bytes, or a default that is for the code alone: the code finds it again
        return dumped


def vars_of(instance: object, names: Iterable[str]) -> dict[str, Any]:
    """The attributes of these names that an object has."""
    return {name: getattr(instance, name) for name in names if hasattr(instance, name)}


def to_int(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return to_int(float(value))
    return int(_number(value))


def to_float(value: Any) -> float:
    number = float(value if isinstance(value, str) else _number(value))
    if not isfinite(number):
        raise ValueError
    return number


def to_bool(value: Any) -> bool:
    if isinstance(value, str):
        value = value.strip().lower()
    for meant, words in ((True, _TRUE), (False, _FALSE)):
        if isinstance(value, (str, int, float)) and value in words:
            return meant
    raise ValueError


_TRUE = (True, "true", "1", "yes", "y", "on", "t")
_FALSE = (False, "false", "0", "no", "n", "off", "f")


def to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def to_none(value: Any) -> None:
    if value is not None:
        raise ValueError


def _number(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        raise ValueError
    return value
