"""How a function takes its params and its context."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Callable

from plugin_runner.authoring import first_paragraph
from plugin_runner.errors import RunnerError
from plugin_runner.field_marks import is_field_info, read_marks
from plugin_runner.hints import ANYTHING, ShapeOf, is_record, is_typed_dict
from plugin_runner.record import Field, Record
from plugin_runner.shape import Noted, Shape, Unknown, WholeOrNamed
from plugin_runner.unused import known_names
from plugin_runner.written_hints import hint_text, resolved_hints

if TYPE_CHECKING:
    from plugin_runner.context import Context

    Invoke = Callable[[Callable[..., Any], Any, Context], Any]

_OBJECTS = (Any, object, dict, Mapping, MutableMapping)
"""What `params` may be annotated with to get all params, beside models."""

_MARKING = ("typer", "click", "fastapi", "cog", "dataclasses", "attr", "msgspec", "pydantic", "marshmallow")
"""Packages whose objects stand as defaults and are none."""

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
    written = written_function(function)
    hints = resolved_hints(written)
    parameters = list(inspect.signature(function).parameters.values())
    _refuse_method(written, parameters)
    contexts = _contexts(parameters, hints)
    rest = [one for one in parameters if one not in contexts and one.kind is not one.VAR_POSITIONAL]
    whole = _takes_all(rest, hints, given_model)
    if whole is None:
        params: Shape = _by_name(function, rest, hints)
    else:
        default = None if whole.default is whole.empty else whole.default
        params = _whole(given_model if given_model is not None else hints.get(whole.name, dict), whole.name, default)
    invoke = _invoke(parameters, [one.name for one in contexts], whole)
    return Signature(params, hints.get("return"), invoke, _is_sdk(contexts, hints))


def written_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function that the author wrote hints for: the one within `functools.partial`, decorators and objects."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif inspect.isroutine(function) or isinstance(function, type):
            return function
        else:
            function = type(function).__call__


def _refuse_method(function: Callable[..., Any], parameters: list[inspect.Parameter]) -> None:
    owner, _, name = getattr(function, "__qualname__", "").rpartition(".")
    first = parameters[0] if parameters else None
    if first is None or first.name != "self" or not owner or owner.endswith("<locals>"):
        return
    if first.annotation is first.empty and first.default is first.empty:
        raise RunnerError(
            "PLUGIN_INVALID",
            f"{owner}.{name} is a method of the class {owner}, and an action is a function: make it a @staticmethod or "
            f"a function of the module, or give {owner} a method execute() and name the class.",
            {"entrypoint": f"{function.__module__}:{owner}.{name}"},
        )


def _contexts(parameters: list[inspect.Parameter], hints: dict[str, Any]) -> list[inspect.Parameter]:
    """The parameters that get the context: those annotated with it, else those without a type that have its name."""
    by_type = [one for one in parameters if _is_context(one, hints.get(one.name))]
    if by_type:
        return by_type
    plain = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return [one for one in plain if one.name in _CONTEXT_NAMES and _is_untyped(one, hints.get(one.name, one.empty))]


def _is_context(parameter: inspect.Parameter, hint: Any) -> bool:
    if isinstance(parameter.annotation, str) and hint is None:  # its import stands under TYPE_CHECKING
        names = [part.strip("\"' []").rpartition(".")[2] for part in parameter.annotation.replace("[", "|").split("|")]
        return any(name in _CONTEXT_TYPES for name in names)
    return any(_is_context_type(option) for option in (hint, *typing.get_args(hint)))


def _is_context_type(hint: Any) -> bool:
    home = getattr(hint, "__module__", "").partition(".")[0]
    return home in _CONTEXT_HOMES and getattr(hint, "__name__", "") in _CONTEXT_TYPES


def _is_untyped(parameter: inspect.Parameter, hint: Any) -> bool:
    return parameter.annotation is parameter.empty or hint is Any or hint is object


def _takes_all(rest: list[inspect.Parameter], hints: dict[str, Any], given_model: Any) -> inspect.Parameter | None:
    if len(rest) != 1 or rest[0].kind is inspect.Parameter.VAR_KEYWORD:
        return None
    only = rest[0]
    hint = hints.get(only.name, Any)
    by_name = only.name == "params" and (typing.get_origin(hint) or hint) in _OBJECTS
    return only if by_name or given_model is not None or is_record(hint) else None


def _whole(hint: Any, name: str, default: Any) -> Shape:
    shape = ShapeOf()(hint)
    base = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    known = known_names(base) if isinstance(base, type) else None
    if known is None:
        return shape
    return WholeOrNamed(shape, name, known.takes_all or name in known.names, default)


def _is_sdk(contexts: list[inspect.Parameter], hints: dict[str, Any]) -> bool:
    found = [hints.get(one.name) for one in contexts]
    homes = [getattr(part, "__module__", "") for hint in found for part in (hint, *typing.get_args(hint))]
    return any(home.partition(".")[0] == "synapse_sdk" for home in homes)


def _by_name(function: Callable[..., Any], rest: list[inspect.Parameter], hints: dict[str, Any]) -> Record:
    shape_of = ShapeOf()
    others = next((one for one in rest if one.kind is one.VAR_KEYWORD), None)
    more = hints.get(others.name) if others else None
    unpacked = _unpacked(more)
    record = Record(
        "",
        first_paragraph(written_function(function).__doc__),
        dict,
        others is not None and unpacked is None,
        None if more is None or unpacked else shape_of(more),
    )
    for one in rest:
        if one is not others:
            record.fields[one.name] = _field(one, hints, shape_of)
    for field in shape_of.fields_of(unpacked) if unpacked else []:
        record.fields.setdefault(field.name, field)
    return record


def _unpacked(hint: Any) -> Any:
    """The TypedDict of `**names: Unpack[Options]`."""
    inner = typing.get_args(hint)
    is_unpack = getattr(typing.get_origin(hint), "_name", "") == "Unpack"
    return inner[0] if is_unpack and is_typed_dict(inner[0]) else None


def _field(one: inspect.Parameter, hints: dict[str, Any], shape_of: ShapeOf) -> Field:
    marked = read_marks(hints.get(one.name, one.empty), one.default, one.empty)
    shape: Shape = ANYTHING
    if marked.hint is not one.empty:
        shape = shape_of(marked.hint)
    elif isinstance(one.annotation, str):
        shape = Unknown(one.annotation)
    if one.default is not one.empty and _is_foreign_mark(marked.hint, one.default):
        shape = Noted(shape, f"has a {hint_text(type(one.default))} as default, which the action gets as it is")
    return Field(one.name, shape, marked.required, marked.default, "", marked.aliases)


def _is_foreign_mark(hint: Any, default: Any) -> bool:
    """Whether a default cannot be meant as a value: a framework's mark, or an object where the hint says a number."""
    plain = (int, float, str, bool)
    if default is None or isinstance(default, plain) or is_field_info(default):
        return False
    home = type(default).__module__
    if home.partition(".")[0] in _MARKING and not (isinstance(hint, type) and isinstance(default, hint)):
        return not home.startswith("pydantic.v1.fields")  # that one is read
    return hint in plain


def _invoke(parameters: list[inspect.Parameter], contexts: list[str], whole: inspect.Parameter | None) -> Invoke:
    positional = [one.name for one in parameters if one.kind is one.POSITIONAL_ONLY]
    whole_name = whole.name if whole else ""
    if positional or len(contexts) > 1:
        return _invoke_any(positional, contexts, whole_name)
    context_name = contexts[0] if contexts else ""
    if whole_name and context_name:
        return lambda function, converted, ctx: function(**{whole_name: converted, context_name: ctx})
    if whole_name:
        return lambda function, converted, ctx: function(**{whole_name: converted})
    if context_name:
        return lambda function, converted, ctx: function(**{**converted, context_name: ctx})
    return lambda function, converted, ctx: function(**converted)


def _invoke_any(positional: list[str], contexts: list[str], whole_name: str) -> Invoke:
    def invoke(function: Callable[..., Any], converted: Any, ctx: Context) -> Any:
        named: dict[str, Any] = {whole_name: converted} if whole_name else dict(converted)
        named.update(dict.fromkeys(contexts, ctx))
        return function(*[named.pop(name) for name in positional], **named)

    return invoke
