"""What a JSON Schema defines beside itself, under names that are unique in it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from plugin_runner.encode import dumps, lenient, pointer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugin_runner.encode import Path
    from plugin_runner.shape import Shape

DEFS = "#/$defs/"


class Definitions:
    """The `$defs` of a schema: shapes that contain themselves, and what other libraries define. Collects notes, too."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self.open: list[Shape] = []
        self.recursive: list[Shape] = []
        self.path: Path = None
        self.notes: list[str] = []
        self._names: dict[str, Shape] = {}

    def note(self, said: str) -> None:
        """Notes what an author should know of the value whose schema is being made."""
        said = f"{pointer(self.path) or 'The whole'} {said}."
        if said not in self.notes:
            self.notes.append(said)

    def name_of(self, shape: Shape, wanted: str) -> str:
        """The name of a shape's definition: always the same, and never that of another one."""
        for name, owner in self._names.items():
            if owner is shape:
                return name
        name = next(each for each in _numbered(wanted) if each not in self.schemas and each not in self._names)
        self._names[name] = shape
        return name

    def adopt(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Takes over the `$defs` of a schema that another library made. Of one name there may be several by now."""
        own = schema.pop("$defs", {})
        names = {name: name for name in own}
        settled = False
        while not settled:  # a definition that leads to a renamed one differs by that
            settled = True
            for name, definition in own.items():
                if not self._fits(names[name], renamed(definition, names)):
                    names[name] = self._free_name(name, definition, names)
                    settled = False
        for name, definition in own.items():
            self.schemas[names[name]] = renamed(definition, names)
        return self._inlined(renamed(schema, names))

    def _fits(self, name: str, definition: Any) -> bool:
        return name not in self._names and self.schemas.get(name, definition) == definition

    def _free_name(self, name: str, definition: Any, names: dict[str, str]) -> str:
        taken = {*names.values(), *names}
        for candidate in _numbered(name):
            if candidate not in taken and self._fits(candidate, renamed(definition, {**names, name: candidate})):
                return candidate
        raise AssertionError  # numbers do not end

    def _inlined(self, schema: dict[str, Any]) -> dict[str, Any]:
        """What only points to a definition becomes that definition, unless others need it too."""
        name = str(schema.get("$ref", "")).rpartition("/")[2]
        if len(schema) > 1 or name not in self.schemas or f'"{DEFS}{name}"' in dumps(lenient(self.schemas)):
            return schema
        return dict(self.schemas.pop(name))


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in count(2):
        yield f"{name}_{number}"


def renamed(schema: Any, names: dict[str, str]) -> Any:
    """A copy of a schema whose references lead to other names."""
    if isinstance(schema, list):
        return [renamed(item, names) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _renamed_entry(key, value, names) for key, value in schema.items()}


def _renamed_entry(key: str, value: Any, names: dict[str, str]) -> Any:
    if key == "$ref" and isinstance(value, str):
        name = value[len(DEFS) :]
        return f"{DEFS}{names[name]}" if value.startswith(DEFS) and name in names else value
    if key in ("default", "const", "enum", "examples"):
        return value
    if key == "discriminator" and isinstance(value, dict) and isinstance(value.get("mapping"), dict):
        mapping = {tag: _renamed_entry("$ref", to, names) for tag, to in value["mapping"].items()}
        return {**value, "mapping": mapping}
    return renamed(value, names)
