"""The shape of a value: its JSON Schema, and the conversion of JSON to it.

Conversion is as lax as pydantic's: "5" is accepted for an int and arrives as 5. Every fault is collected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.encode import SHOWN_ITEMS, Walk, pointer
from plugin_runner.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from plugin_runner.definitions import Definitions
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
        like = nearest(str(path[1] if path else ""), list(known))
        hint = f' Did you mean "{like}"?' if like else ""
        self.warn(path, f"is not known to the action and was ignored.{hint}", "ignored")

    def warn(self, path: Path, description: str, rule: str) -> None:
        if len(self.warnings) < WARNINGS_LIMIT:
            self.warnings.append({"field": pointer(path), "description": description, "rule": rule})


class Shape:
    """Anything: the base of all shapes."""

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return {}

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        """The converted value. A fault is added to `faults`, and what is returned then means nothing."""
        return value

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        """What was given, with defaults filled in: `convert` makes the same of it. `converted` is what it made."""
        return given


class Unknown(Shape):
    """Anything, because nobody knows what its hint means. That is noted."""

    def __init__(self, hint: str) -> None:
        self._hint = hint

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        definitions.note(f"has the hint {self._hint}, which is not known: the value comes as it is, unchecked")
        return {}


class Noted(Shape):
    """A shape of which an author should know more."""

    def __init__(self, shape: Shape, said: str) -> None:
        self._shape = shape
        self._said = said

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        definitions.note(self._said)
        return self._shape.schema(definitions)

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        return self._shape.convert(value, path, faults)

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        return self._shape.shown(given, converted, path, faults)


class WholeOrNamed(Shape):
    """A model that takes all params: directly, or as one param that has its parameter's name."""

    def __init__(self, shape: Shape, name: str, is_known: bool, default: Any) -> None:
        self._shape = shape
        self._name = name
        self._default = default  # what the action gets when nothing is given, as when it is called without arguments
        self._is_known = is_known  # the model has a field of that name: nothing else is meant by it

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return self._shape.schema(definitions)

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        name = self._name
        if self._default is not None and value == {}:
            return self._default
        if not self._is_named(value):
            return self._shape.convert(value, path, faults)
        if len(value) > 1:
            others = ", ".join(repr(key) for key in value if key != name)
            said = f"stands for all params together: give what belongs to it either within it or beside it ({others})"
            return faults.add((path, name), said, "ambiguous")
        return self._shape.convert(value[name], (path, name), faults)

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        name = self._name
        if self._default is not None and given == {}:
            holder: dict[str, Any] = {}
            put_default(holder, name, self._default, path, faults)
            return holder[name] if isinstance(holder[name], dict) else given
        if not self._is_named(given):
            return self._shape.shown(given, converted, path, faults)
        return {name: self._shape.shown(given[name], converted, (path, name), faults)}

    def _is_named(self, value: Any) -> bool:
        return isinstance(value, dict) and isinstance(value.get(self._name), dict) and not self._is_known


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
            # 1.0 arrives as 1: JSON has no other; and NaN is unequal to itself.
            same = given == value or (given != given and value != value)
            if same and isinstance(given, bool) == isinstance(value, bool):
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

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(converted, (list, tuple)):  # a set has no order, and takes no records
            return given
        pairs = enumerate(zip(given, converted))
        return [self._item.shown(item, made, (path, index), faults) for index, (item, made) in pairs]


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

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        parts = enumerate(zip(self._items, given, converted))
        return [shape.shown(item, made, (path, index), faults) for index, (shape, item, made) in parts]


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
        made: dict[Any, Any] = {}
        names: dict[Any, str] = {}
        for name, item in value.items():
            before = len(faults.violations)
            key = self._key.convert(name, (path, name), faults)
            if len(faults.violations) == before and names.setdefault(key, name) != name:
                faults.add((path, name), f"is the same key as {names[key]!r}", "uniqueKeys")
            made[key] = self._item.convert(item, (path, name), faults)
        return made

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        pairs = zip(given.items(), converted.values())
        return {name: self._item.shown(item, made, (path, name), faults) for (name, item), made in pairs}


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

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        for option in self._options:
            tried = Faults()
            made = option.convert(given, path, tried)
            if not tried.violations and type(made) is type(converted):
                return option.shown(given, converted, path, faults)
        return given


class Annotation(Shape):
    """A shape with a description."""

    def __init__(self, shape: Shape, description: str) -> None:
        self._shape = shape
        self._description = description

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return {**self._shape.schema(definitions), "description": self._description}

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        return self._shape.convert(value, path, faults)

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        return self._shape.shown(given, converted, path, faults)


def put_default(
    holder: dict[str, Any], name: str, value: Any, path: Path, faults: Faults, shape: Shape | None = None
) -> None:
    """Shows a default under a name: as text, with a warning, where it has no JSON.

    A secret is not shown, nor is a default that the `shape` would not take, as in `n: int = None`.
    """
    if hasattr(value, "get_secret_value"):
        return
    if isinstance(value, bytes):  # params of this type are given as text
        value = value.decode("utf-8", "backslashreplace")
    walk = Walk(lenient=True, keep_floats=True, items_limit=SHOWN_ITEMS)
    made = walk.value(value, path)
    if shape is not None and not walk.faults:
        tried = Faults()
        shape.convert(made, path, tried)
        if tried.violations:
            return
    holder[name] = made
    for fault in walk.faults:
        what = fault.what.partition(":")[0].partition(",")[0]
        said = f"has a default that {what}, without JSON: it is shown as text, and the action gets the default itself."
        faults.warn(fault.path, said, "default")
