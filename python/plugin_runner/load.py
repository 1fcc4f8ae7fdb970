"""A function or class as an action that can be described, validated and run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.authoring import BaseAction, class_action_name, first_paragraph
from plugin_runner.definitions import Definitions
from plugin_runner.encode import Walk
from plugin_runner.errors import RunnerError
from plugin_runner.hints import ShapeOf, is_record
from plugin_runner.shape import Faults, Shape
from plugin_runner.signature import read_signature, written_function
from plugin_runner.written_hints import resolved_hints

if TYPE_CHECKING:
    from plugin_runner.context import Context
    from plugin_runner.errors import Violation

SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
VIOLATIONS_LIMIT = 100


class LoadedAction:
    """One action. `call` is given the params as they came, the converted ones and the context."""

    __slots__ = ("_call", "_params", "_result", "_result_model", "description", "name", "notes", "source")

    def __init__(
        self,
        name: str,
        description: str,
        params: Shape,
        result: Shape | None,
        call: Callable[[dict[str, Any], Any, Context], Any],
        result_model: type | None = None,
        source: Any = None,
    ) -> None:
        self.name = name
        self.description = description
        self._params = params
        self._result = result
        self._call = call
        self._result_model = result_model
        self.source = source
        """What its author wrote: a class, or a function without what is wrapped round it."""
        self.notes: list[str] = []
        """What `params_schema()` has noted: hints that mean nothing here, and the like."""

    def params_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the params; None where the code says nothing of them."""
        definitions = Definitions()
        definitions.path = (None, "params")
        schema = root_schema(self._params, definitions)
        self.notes = definitions.notes
        return schema

    def result_schema(self) -> dict[str, Any] | None:
        """JSON Schema of the result; None where the code says nothing of it."""
        return None if self._result is None else root_schema(self._result)

    def validated(self, params: dict[str, Any], warnings: list[Violation] | None = None) -> Any:
        """The params as they were given, with defaults filled in. Raises PARAMS_INVALID.

        What the action does not use of them is added to `warnings`, and defaults without JSON.
        """
        given = Walk(keep_floats=True).value(params)  # a copy: a model's validator may change what it is given
        converted = self._converted(params, warnings)
        faults = Faults()
        shown = self._params.shown(given, converted, (None, "params"), faults)
        if warnings is not None:
            warnings += faults.warnings
        return shown

    def run(self, params: dict[str, Any], ctx: Context, warnings: list[Violation] | None = None) -> Any:
        """What the action returns, awaited. Raises PARAMS_INVALID, and whatever the action raises.

        What the action does not use of the params is added to `warnings`.
        """
        value = self._call(params, self._converted(params, warnings), ctx)
        if hasattr(type(value), "__await__"):
            from plugin_runner.event_loop import finish

            value = finish(value)
        if self._result_model is not None and not isinstance(value, self._result_model):
            self._warn_of_result(value, ctx)
        return value

    def start(self, params: dict[str, Any], ctx: Context) -> Any:
        """What the action returns: for `async def` something to await."""
        return self._call(params, self._converted(params), ctx)

    def _converted(self, params: dict[str, Any], warnings: list[Violation] | None = None) -> Any:
        faults = Faults()
        converted = self._params.convert(params, (None, "params"), faults)
        if faults.violations:
            raise _params_invalid(self.name, faults)
        if warnings is not None:
            warnings += faults.warnings
        return converted

    def _warn_of_result(self, value: Any, ctx: Context) -> None:
        faults = Faults()
        if self._result is not None:
            self._result.convert(value, None, faults)
        for violation in faults.violations:
            where = violation["field"] or "it"
            ctx.logger.warning("The result does not fit its model: %s %s", where, violation["description"])


def load_object(thing: Any, name: str = "") -> LoadedAction | None:
    """The action that a function or class is; `name` is for plain ones. None when it is neither."""
    if isinstance(thing, type):
        return load_class(thing)
    return _load_function(thing, name) if callable(thing) else None


def load_class(kind: type, dispatching: bool = True) -> LoadedAction | None:
    """The action that a class with `execute()` is. Without `dispatching` its own `dispatch` is left out."""
    if not callable(getattr(kind, "execute", None)):
        return None
    sdk = _sdk_of(kind)
    model = getattr(kind, "params_model", None)
    result_model = _result_model(kind)
    name = getattr(kind, "action_name", None) or class_action_name(kind.__name__)
    own_dispatch = dispatching and _overridden(kind, "dispatch")

    def call(given: dict[str, Any], converted: Any, ctx: Any) -> Any:
        context = sdk.runtime_context(ctx) if sdk else ctx
        if sdk:
            sdk.name_class(kind, ctx)
        if own_dispatch:
            return kind.dispatch(given, context)  # type: ignore[attr-defined]
        instance = kind(converted, context)
        return instance.run() if callable(getattr(instance, "run", None)) else instance.execute()

    return LoadedAction(
        name,
        str(getattr(kind, "description", "") or "") or first_paragraph(kind.__dict__.get("__doc__")),
        sdk.params_shape(model) if sdk else _params_shape(model),
        _result_shape(result_model or resolved_hints(kind.execute).get("return")),  # type: ignore[attr-defined]
        call,
        result_model,
        kind,
    )


def root_schema(shape: Shape, definitions: Definitions | None = None) -> dict[str, Any] | None:
    """A shape's whole JSON Schema; None when it takes anything."""
    definitions = definitions or Definitions()
    schema = shape.schema(definitions)
    if not schema:
        return None
    if definitions.schemas:
        schema = {**schema, "$defs": definitions.schemas}
    return {"$schema": SCHEMA_DIALECT, **schema}


def _load_function(function: Any, name: str) -> LoadedAction:
    declared = getattr(function, "__plugin_runner_action__", None)
    if name and declared and declared.name == "<lambda>":
        raise RunnerError(
            "PLUGIN_INVALID",
            f"{name} is a lambda, which has no name: write action(name=…)(lambda …), or a def.",
            {"entrypoint": name},
        )
    by_sdk = getattr(function, "_is_action", False)
    given_model = getattr(function, "_action_params", None) if by_sdk else None
    signature = read_signature(function, given_model)
    sdk = _sdk() if by_sdk or signature.wants_sdk_context else None
    invoke = signature.invoke

    def call(given: dict[str, Any], converted: Any, ctx: Any) -> Any:
        return invoke(function, converted, sdk.runtime_context(ctx) if sdk else ctx)

    said = declared.description if declared else getattr(function, "_action_description", "") if by_sdk else ""
    result = getattr(function, "_action_result", None) if by_sdk else None
    return LoadedAction(
        (declared.name if declared else getattr(function, "_action_name", "") if by_sdk else "")
        or name
        or getattr(function, "__name__", "action"),
        said or first_paragraph(written_function(function).__doc__),
        sdk.params_shape(given_model) if sdk and given_model is not None else signature.params,
        _result_shape(result or signature.returns),
        call,
        source=written_function(function),
    )


def _params_shape(model: Any) -> Shape:
    return ShapeOf()(model) if model is not None else ShapeOf()(dict)


def _result_shape(hint: Any) -> Shape | None:
    if hint is None:
        return None
    shape = ShapeOf()(hint)
    if type(shape).__name__ == "PydanticShape":
        from plugin_runner.pydantic_shape import PydanticShape

        return PydanticShape(hint, "serialization")
    return shape


def _result_model(kind: type) -> type | None:
    model = getattr(kind, "result_model", None)
    return model if isinstance(model, type) and is_record(model) else None


def _overridden(kind: type, name: str) -> bool:
    """Whether a class has a method that neither this package nor the SDK wrote."""
    for base in kind.__mro__:
        if name in base.__dict__:
            return base is not BaseAction and not base.__module__.startswith("synapse_sdk.plugins.action")
    return False


def _sdk_of(kind: type) -> Any:
    return _sdk() if any(base.__module__.partition(".")[0] == "synapse_sdk" for base in kind.__mro__) else None


def _sdk() -> Any:
    from plugin_runner import sdk_bridge

    return sdk_bridge


def _params_invalid(name: str, faults: Faults) -> RunnerError:
    violations = faults.violations
    count = len(violations)
    first = "; ".join(f"{each['field']} {each['description']}" for each in violations[:3])
    more = f"; and {count - 3} more" if count > 3 else ""
    head = f"1 parameter of {name} is" if count == 1 else f"{count} parameters of {name} are"
    return RunnerError(
        "PARAMS_INVALID",
        f"{head} invalid: {first}{more}".rstrip(".") + ("" if first.endswith("?") and not more else "."),
        {"action": name, "violations_total": str(count)},
        violations[:VIOLATIONS_LIMIT],
    )
