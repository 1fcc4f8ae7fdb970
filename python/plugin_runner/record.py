"""The shape of an object with known properties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.definitions import DEFS
from plugin_runner.errors import nearest
from plugin_runner.shape import Faults, Shape, put_default

if TYPE_CHECKING:
    from plugin_runner.definitions import Definitions
    from plugin_runner.encode import Path


class Field:
    """One property of a record."""

    def __init__(
        self,
        name: str,
        shape: Shape,
        required: bool,
        default: Callable[[], Any] | None = None,
        description: str = "",
        aliases: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.names = (*aliases, name)
        """What it may be called in params, the name that is shown first."""
        self.shape = shape
        self.required = required
        self.default = default
        self.description = description

    def given_as(self, params: dict[str, Any]) -> str | None:
        """The name by which params have it."""
        if self.name in params:
            return self.name
        return next((name for name in self.names if name in params), None) if len(self.names) > 1 else None

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        schema = self.shape.schema(definitions)
        if self.description:
            schema["description"] = self.description
        if self.default is not None:
            put_default(schema, "default", self.default(), None, Faults())
        return schema


class Named(Shape):
    """A shape that may contain itself: then it becomes a definition of its schema."""

    _name: str

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        if self in definitions.open:
            definitions.recursive.append(self)
            return {"$ref": "#" if definitions.open[0] is self else DEFS + definitions.name_of(self, self._name)}
        definitions.open.append(self)
        schema = self._own_schema(definitions)
        definitions.open.pop()
        if self in definitions.recursive and definitions.open:
            name = definitions.name_of(self, self._name)
            definitions.schemas[name] = schema
            return {"$ref": DEFS + name}
        return schema

    def _own_schema(self, definitions: Definitions) -> dict[str, Any]:
        raise NotImplementedError


class Record(Named):
    """An object with known properties: a dataclass, a TypedDict or a signature.

    `make` is given the values of all properties that are there or have a default. ValueError, TypeError and
    AssertionError that it raises are faults of the whole object.
    """

    def __init__(
        self,
        name: str,
        description: str,
        make: Callable[[dict[str, Any]], Any],
        open_ended: bool,
        others: Shape | None = None,
    ) -> None:
        self._name = name
        self._description = description
        self._make = make
        self._open_ended = open_ended
        self._others = others
        """The shape of values whose names are not known, where these are taken."""
        self.fields: dict[str, Field] = {}

    def _own_schema(self, definitions: Definitions) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "object"}
        if self._name:
            schema["title"] = self._name
        if self._description:
            schema["description"] = self._description
        schema["properties"] = properties = {}
        outer = definitions.path
        for field in self.fields.values():
            definitions.path = (outer, field.names[0])
            properties[field.names[0]] = field.schema(definitions)
        definitions.path = outer
        required = [field.names[0] for field in self.fields.values() if field.required]
        if required:
            schema["required"] = required
        if not self._open_ended:
            schema["additionalProperties"] = False
        elif self._others is not None and (others := self._others.schema(definitions)):
            schema["additionalProperties"] = others
        return schema

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.add(path, "must be an object", "type")
        before = len(faults.violations)
        made: dict[str, Any] = {}
        for name, field in self.fields.items():
            given = field.given_as(value)
            if given is not None:
                made[name] = field.shape.convert(value[given], (path, given), faults)
            elif field.required:
                faults.add((path, field.names[0]), "is required", "required")
            elif field.default is not None:
                made[name] = field.default()
        if len(made) < len(value) or value.keys() - made.keys():
            self._convert_others(value, made, path, faults)
        if len(faults.violations) > before:
            return None
        try:
            return self._make(made)
        except (ValueError, TypeError, AssertionError) as error:
            return faults.add(path, str(error) or type(error).__name__, "value_error")

    def _convert_others(self, value: dict[str, Any], made: dict[str, Any], path: Path, faults: Faults) -> None:
        known = {name: field for field in self.fields.values() for name in field.names}
        for name in value:
            if name in self.fields:
                continue
            field = known.get(name)
            if field is not None:
                if field.name in value:
                    faults.add((path, name), f"is given as {field.name!r} as well", "alias")
            elif not self._open_ended:
                like = nearest(name, list(known))
                hint = f"; did you mean {like!r}?" if like else ""
                faults.add((path, name), f"is unknown{hint}", "additionalProperties")
            else:
                made[name] = (self._others or Shape()).convert(value[name], (path, name), faults)

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        shown = dict(given)
        for name, field in self.fields.items():
            taken = field.given_as(given)
            if taken is not None:
                made = converted.get(name) if isinstance(converted, dict) else getattr(converted, name, None)
                shown[taken] = field.shape.shown(given[taken], made, (path, taken), faults)
            elif field.default is not None:
                put_default(shown, field.names[0], field.default(), (path, field.names[0]), faults, field.shape)
        return shown
