"""What pydantic validates. Imported only when the plugin imported pydantic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.errors import RunnerError
from plugin_runner.pydantic_defaults import with_defaults
from plugin_runner.shape import Definitions, Faults, Shape

if TYPE_CHECKING:
    from typing import Literal

    from pydantic_core import ErrorDetails

    from plugin_runner.encode import Path

    Mode = Literal["validation", "serialization"]


class PydanticShape(Shape):
    """A model, a pydantic dataclass, or a hint with pydantic's marks. The model has the last word."""

    def __init__(
        self, hint: Any, mode: Mode = "validation", context: Callable[[], dict[str, Any]] | None = None
    ) -> None:
        import pydantic

        if not hasattr(pydantic, "TypeAdapter"):
            raise RunnerError(
                "PLUGIN_INVALID",
                f"The plugin uses pydantic {pydantic.VERSION}, and its models need 2 or newer: add 'pydantic>=2' to "
                "its requirements.txt.",
                {"version": pydantic.VERSION},
            )
        self._adapter = pydantic.TypeAdapter(hint)
        self._refused = pydantic.ValidationError
        self._mode = mode
        self._context = context

    def schema(self, definitions: Definitions) -> dict[str, Any]:
        template = "#/$defs/{model}"
        schema = self._adapter.json_schema(mode=self._mode, ref_template=template)
        for name, inner in schema.pop("$defs", {}).items():
            definitions.schemas.setdefault(name, inner)
        return dict(schema)

    def convert(self, value: Any, path: Path, faults: Faults) -> Any:
        try:
            return self._adapter.validate_python(value, context=self._context() if self._context else None)
        except self._refused as refused:
            for error in refused.errors(include_url=False, include_context=False, include_input=False):
                faults.add(_field(value, error["loc"], error["type"], path), _said(error), error["type"])

    def shown(self, given: Any, converted: Any, path: Path, faults: Faults) -> Any:
        return with_defaults(given, converted, path, faults)


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
