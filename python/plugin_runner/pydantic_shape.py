"""What pydantic validates. Imported only when the plugin imported pydantic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.definitions import Definitions
from plugin_runner.errors import RunnerError
from plugin_runner.pydantic_defaults import with_defaults
from plugin_runner.shape import Faults, Shape
from plugin_runner.unused import warn_of_ignored

if TYPE_CHECKING:
    from typing import Literal

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from plugin_runner.encode import Path

    Mode = Literal["validation", "serialization"]

_TEMPLATE = "#/$defs/{model}"


# What only strict models say, of a date, an enum or a set in the only form that JSON has for it.
_STRICT_FAULTS = {
    *("is_instance_of", "date_type", "datetime_type", "time_type", "time_delta_type", "decimal_type", "uuid_type"),
    *("set_type", "frozen_set_type", "tuple_type", "bytes_type", "dataclass_type", "url_type", "complex_type"),
}


class PydanticShape(Shape):
    """A model, a pydantic dataclass, or a hint with pydantic's marks. The model has the last word."""

    def __init__(
        self, hint: Any, mode: Mode = "validation", context: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        import pydantic

        if not hasattr(pydantic, "TypeAdapter"):
            raise RunnerError(
                "PLUGIN_INVALID",
                f"The plugin uses pydantic {pydantic.VERSION}, and its marks need 2 or newer: add 'pydantic>=2' to "
                "its requirements.txt.",
                {"version": pydantic.VERSION},
            )
        self._adapter = pydantic.TypeAdapter(hint)
        self._refused = pydantic.ValidationError
        self._mode = mode
        self._context = context

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        generator = _generator(definitions)
        schema = self._adapter.json_schema(mode=self._mode, ref_template=_TEMPLATE, schema_generator=generator)
        return definitions.adopt(schema)

    def has_schema(self) -> bool:
        """Whether JSON can say such values: not those of callables and classes of all kinds."""
        definitions = Definitions()
        self.schema(definitions)
        return not definitions.notes

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        context = self._context() if self._context else None
        try:
            converted = self._adapter.validate_python(value, context=context)
        except self._refused as refused:
            try:
                converted = self._as_json(value, context, refused)
            except self._refused as still:
                for error in still.errors(include_url=False, include_context=False, include_input=False):
                    faults.add(_field(value, error["loc"], error["type"], path), _said(error), error["type"])
                return None
        warn_of_ignored(value, converted, path, faults)
        return converted

    def _as_json(self, value: Any, context: dict[str, Any] | None, refused: ValidationError) -> Any:
        """By JSON's rules, which let strict models take an enum, a date or a set in the form that JSON has for it."""
        errors = refused.errors(include_url=False, include_context=False, include_input=False)
        if not any(_is_of_type(error) for error in errors):
            raise refused
        try:
            return self._adapter.validate_json(json.dumps(value), context=context)
        except self._refused as still:  # a strict model says more of JSON so, and another one less
            raise still if any(error["type"] in _STRICT_FAULTS for error in errors) else refused from None
        except (TypeError, ValueError):  # not from JSON: the plugin's own code made it
            raise refused from None

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        return with_defaults(given, converted, path, faults)


def _is_of_type(error: ErrorDetails) -> bool:
    return error["type"].endswith(("_type", "_instance_of")) or error["loc"][-1:] == ("[key]",)


def _generator(definitions: Definitions) -> Any:
    """Pydantic's generator of schemas, for which what has no schema is anything: that is noted, and no failure."""
    from pydantic.json_schema import GenerateJsonSchema

    class LenientSchema(GenerateJsonSchema):
        ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

        def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> Any:
            kind = getattr(schema.get("cls"), "__qualname__", schema["type"])
            definitions.note(
                f"has a part of the type {kind}, which the model alone checks: JSON Schema says nothing of it"
            )
            return {}

    return LenientSchema


def _field(value: Any, location: tuple[str | int, ...], kind: str, path: Path) -> Path:
    """Where an error stands in the input: pydantic's location names options of unions and validators as well."""
    for index, part in enumerate(location):
        last = index == len(location) - 1
        if _has(value, part):
            value, path = value[part], (path, part)
        elif last and kind == "missing":
            path = (path, part)
    return path


def _has(value: Any, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, (list, tuple)) and isinstance(part, int) and part < len(value)


def _said(error: ErrorDetails) -> str:
    """Pydantic's words such that they read after a field's name."""
    if error["type"] == "missing":
        return "is required"
    message = error["msg"]
    for start in ("Input ", "Value error, ", "Assertion failed, "):
        if message.startswith(start):
            return message[len(start) :]
    return message
