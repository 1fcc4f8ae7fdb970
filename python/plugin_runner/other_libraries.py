"""Shapes of types that other libraries validate: models of pydantic 1, structs of msgspec; and of named tuples."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from plugin_runner.record import Field, Named
from plugin_runner.shape import Faults, Shape, put_default
from plugin_runner.unused import known_names, warn_of_ignored

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_runner.definitions import Definitions
    from plugin_runner.encode import Path

_TEMPLATE = "#/$defs/{model}"


class OldModelShape(Shape):
    """A model of pydantic 1, or of `pydantic.v1`."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        schema = self._model.schema(ref_template=_TEMPLATE)
        return definitions.adopt(_newer({**schema, "$defs": schema.get("definitions", {})}))

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if not isinstance(value, dict):
            return faults.add(path, "must be an object", "type")
        try:
            converted = self._model.parse_obj(value)
        except ValueError as refused:  # its ValidationError
            errors = getattr(refused, "errors", None)
            if errors is None:
                raise
            for error in errors():
                where = path
                for part in error["loc"]:
                    where = where if part == "__root__" else (where, part)
                missing = error["type"] == "value_error.missing"
                faults.add(where, "is required" if missing else error["msg"], error["type"])
            return None
        warn_of_ignored(value, converted, path, faults)
        return converted

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        return _with_defaults(given, converted, path, faults)


class StructShape(Shape):
    """A struct of msgspec."""

    def __init__(self, struct: Any) -> None:
        self._struct = struct
        self._msgspec = sys.modules["msgspec"]

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        return definitions.adopt(self._msgspec.json.schema(self._struct, ref_template="#/$defs/{name}"))

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        try:
            converted = self._msgspec.convert(value, self._struct, strict=False, str_keys=True)
        except self._msgspec.ValidationError as refused:
            return _add_struct_fault(str(refused), path, faults)
        warn_of_ignored(value, converted, path, faults)
        return converted

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        return _with_defaults(given, converted, path, faults)


def _with_defaults(given: Any, made: Any, path: Path, faults: Faults) -> Any:
    """What a model was given, with the defaults of what was not."""
    known = known_names(type(made))
    if known is None or not isinstance(given, dict):
        return given
    shown = dict(given)
    found = {known.names.get(name) for name in given}
    for name, attribute in known.names.items():
        if attribute and attribute not in found:
            put_default(shown, name, getattr(made, attribute), (path, name), faults)
    return shown


def attrs_fields(kind: Any, hints: dict[str, Any], shape_of: Callable[[Any], Shape]) -> list[Field]:
    """The properties of a class of attrs. A converter takes whatever its author wants."""
    nothing = sys.modules["attr"].NOTHING
    fields = []
    for one in kind.__attrs_attrs__:
        if not one.init:
            continue
        shape = Shape() if one.converter else shape_of(hints.get(one.name, one.type or Any))
        name = getattr(one, "alias", None) or one.name.lstrip("_")
        default = None if one.default is nothing else _attrs_default(one.default)
        described = str(one.metadata.get("description", ""))
        fields.append(Field(name, shape, one.default is nothing, default, described))
    return fields


def _attrs_default(default: Any) -> Callable[[], Any] | None:
    if not hasattr(default, "takes_self"):
        return lambda: default
    return None if default.takes_self else default.factory


class NamedTupleShape(Named):
    """A named tuple: a list in the order of its fields, or an object with their names."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._name = make.__name__
        self.fields: list[Field] = []

    def _own_schema(self, definitions: Definitions) -> dict[str, Any]:
        required = sum(field.required for field in self.fields)
        items = [{**field.schema(definitions), "title": field.name} for field in self.fields]
        return {
            "type": "array",
            "title": self._name,
            "minItems": required,
            "maxItems": len(self.fields),
            "prefixItems": items,
        }

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        if isinstance(value, dict):
            given = value
        elif isinstance(value, (list, tuple)):
            if len(value) > len(self.fields):
                return faults.add(path, f"must have at most {len(self.fields)} items, not {len(value)}", "items")
            given = {field.name: item for field, item in zip(self.fields, value)}
        else:
            return faults.add(path, "must be a list, or an object with the names of its items", "type")
        before = len(faults.violations)
        made = self._convert_fields(given, value, path, faults)
        return self._make(**made) if len(faults.violations) == before else None

    def _convert_fields(self, given: dict[str, Any], value: Any, path: Path, faults: Faults) -> dict[str, Any]:
        made = {}
        for index, field in enumerate(self.fields):
            where = (path, field.name if value is given else index)
            if field.name in given:
                made[field.name] = field.shape.convert(given[field.name], where, faults)
            elif field.required:
                faults.add(where, "is required", "required")
            elif field.default is not None:
                made[field.name] = field.default()
        for name in given.keys() - {field.name for field in self.fields}:
            faults.add((path, name), "is unknown", "additionalProperties")
        return made


def _newer(schema: Any) -> Any:
    """Tuples of draft 7 as those of 2020-12."""
    if isinstance(schema, list):
        return [_newer(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _newer(item) for name, item in schema.items() if name != "definitions"}
    if isinstance(made.get("items"), list):
        made["prefixItems"] = made.pop("items")
    return made


_PLACE = re.compile(r" - at `(?:key in )?\$(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_NAMED = re.compile(r"^Object (missing required|contains unknown) field `(.*)`$")


def _add_struct_fault(said: str, path: Path, faults: Faults) -> None:
    """Reads `Expected …, got … - at `$.a[0]`` as a fault of the value there."""
    place = _PLACE.search(said)
    if place:
        said = said[: place.start()]
        for name, index in _STEP.findall(place.group(1)):
            path = (path, name or int(index))
    named = _NAMED.match(said)
    if named:
        missing = named.group(1) == "missing required"
        rule = "required" if missing else "additionalProperties"
        faults.add((path, named.group(2)), "is required" if missing else "is unknown", rule)
    else:
        faults.add(path, said[:1].lower() + said[1:], "type")
