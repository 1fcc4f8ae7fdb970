"""How a function takes its params and its context."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.authoring import first_paragraph
from plugin_runner.hints import ANYTHING, ShapeOf, is_record, resolved_hints
from plugin_runner.shape import Field, Record, Shape

if TYPE_CHECKING:
    from plugin_runner.context import Context

    Invoke = Callable[[Callable[..., Any], Any, Context], Any]

_CONTEXT_NAMES = ("ctx", "context")
_CONTEXT_TYPES = ("Context", "RuntimeContext")
_CONTEXT_HOMES = ("plugin_runner", "synapse_sdk")


class Signature:
    """The shape of the params, the hint of the result, and `invoke(function, converted params, context)`."""

    __slots__ = ("invoke", "params", "returns", "wants_sdk_context")

    def __init__(self, params: Shape, returns: Any, invoke: Invoke, wants_sdk_context: bool) -> None:
        self.params = params
        self.returns = returns
        self.invoke = invoke
        self.wants_sdk_context = wants_sdk_context


def read_signature(function: Callable[..., Any], given_model: Any = None) -> Signature:
    """Reads a function's signature. `given_model` is the params' type where a decorator said it."""
    hints = resolved_hints(inspect.unwrap(function) if inspect.isroutine(function) else type(function).__call__)
    parameters = list(inspect.signature(function).parameters.values())
    contexts = [one for one in parameters if _takes_context(one, hints.get(one.name))]
    rest = [one for one in parameters if one not in contexts and one.kind is not one.VAR_POSITIONAL]
    whole = _takes_all(rest, hints, given_model)
    if whole is None:
        params: Shape = _by_name(function, rest, hints)
    else:
        params = ShapeOf()(given_model if given_model is not None else hints.get(whole.name, dict))
    context = contexts[0] if contexts else None
    return Signature(params, hints.get("return"), _invoke(parameters, context, whole), _is_sdk(context, hints))


def _takes_context(parameter: inspect.Parameter, hint: Any) -> bool:
    if parameter.name in _CONTEXT_NAMES:
        return True
    if isinstance(parameter.annotation, str) and hint is None:  # its import stands under TYPE_CHECKING
        return parameter.annotation.strip("\"'").rpartition(".")[2] in _CONTEXT_TYPES
    home = getattr(hint, "__module__", "").partition(".")[0]
    return home in _CONTEXT_HOMES and getattr(hint, "__name__", "") in _CONTEXT_TYPES


def _takes_all(rest: list[inspect.Parameter], hints: dict[str, Any], given_model: Any) -> inspect.Parameter | None:
    if len(rest) != 1 or rest[0].kind is inspect.Parameter.VAR_KEYWORD:
        return None
    only = rest[0]
    return only if only.name == "params" or given_model is not None or is_record(hints.get(only.name)) else None


def _is_sdk(context: inspect.Parameter | None, hints: dict[str, Any]) -> bool:
    hint = hints.get(context.name) if context else None
    return getattr(hint, "__module__", "").partition(".")[0] == "synapse_sdk"


def _by_name(function: Callable[..., Any], rest: list[inspect.Parameter], hints: dict[str, Any]) -> Record:
    open_ended = any(one.kind is one.VAR_KEYWORD for one in rest)
    record = Record("", first_paragraph(function.__doc__), dict, open_ended)
    shape_of = ShapeOf()
    for one in rest:
        if one.kind is one.VAR_KEYWORD:
            continue
        shape = shape_of(hints[one.name]) if one.name in hints else ANYTHING
        required = one.default is one.empty
        record.fields[one.name] = Field(one.name, shape, required, None if required else _constant(one.default))
    return record


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _invoke(
    parameters: list[inspect.Parameter], context: inspect.Parameter | None, whole: inspect.Parameter | None
) -> Invoke:
    positional = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY]
    context_name = context.name if context else ""
    whole_name = whole.name if whole else ""
    if positional:
        return _invoke_positional(positional, context_name, whole_name)
    if whole_name and context_name:
        return lambda function, converted, ctx: function(**{whole_name: converted, context_name: ctx})
    if whole_name:
        return lambda function, converted, ctx: function(**{whole_name: converted})
    if context_name:
        return lambda function, converted, ctx: function(**{**converted, context_name: ctx})
    return lambda function, converted, ctx: function(**converted)


def _invoke_positional(positional: list[str], context_name: str, whole_name: str) -> Invoke:
    def invoke(function: Callable[..., Any], converted: Any, ctx: Context) -> Any:
        named: dict[str, Any] = {whole_name: converted} if whole_name else dict(converted)
        if context_name:
            named[context_name] = ctx
        return function(*[named.pop(name) for name in positional], **named)

    return invoke
