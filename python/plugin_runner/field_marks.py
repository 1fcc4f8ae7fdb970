"""What pydantic's `Field()` says of a single parameter: as its default, or within `Annotated`."""

from __future__ import annotations

import sys
import typing
from operator import getitem
from typing import Any, Callable, NamedTuple

# What belongs to the parameter, and not to the value that a hint describes.
_OF_PARAMETER = {
    *("default", "default_factory", "annotation", "alias", "alias_priority"),
    *("validation_alias", "serialization_alias"),
}


class Marked(NamedTuple):
    """A parameter whose marks have been read."""

    hint: Any
    """With what else the marks say, such as limits."""
    required: bool
    default: Callable[[], Any] | None
    aliases: tuple[str, ...]


def read_marks(hint: Any, default: Any, empty: object) -> Marked:
    """Reads the marks of one parameter. `hint` is `empty` where it has none, and `default` likewise."""
    default = _newer(default)
    marks = [default] if is_field_info(default) else []
    annotated = typing.get_origin(hint) is typing.Annotated
    if annotated:
        inner = [mark for mark in typing.get_args(hint)[1:] if is_field_info(mark)]
        marks += reversed(inner)
    if not marks:
        return Marked(hint, default is empty, None if default is empty else lambda: default, ())
    value = Any if hint is empty else typing.get_args(hint)[0] if annotated else hint
    others = [mark for mark in typing.get_args(hint)[1:] if not is_field_info(mark)] if annotated else []
    for mark in reversed(marks):
        others += _without_parameter(mark)
    made = getitem(typing.Annotated, (value, *others)) if others else value
    aliases = next((found for mark in marks if (found := _aliases(mark))), ())
    own_default = default is not empty and not is_field_info(default)
    if own_default:
        return Marked(made, False, lambda: default, aliases)
    makes = [mark for mark in marks if not mark.is_required()]
    return Marked(made, not makes, _default_of(makes[0]) if makes else None, aliases)


def _newer(mark: Any) -> Any:
    """What `Field()` of `pydantic.v1` says, as that of pydantic 2 says it."""
    kind: Any = getattr(sys.modules.get("pydantic.v1.fields"), "FieldInfo", None)
    if kind is None or type(mark) is not kind:
        return mark
    from pydantic import Field

    same = ("alias", "title", "description", "default_factory", "gt", "ge", "lt", "le", "multiple_of")
    said = {name: getattr(mark, name) for name in same}
    said["pattern"] = mark.regex
    said["min_length"] = mark.min_length if mark.min_length is not None else mark.min_items
    said["max_length"] = mark.max_length if mark.max_length is not None else mark.max_items
    if mark.default is not ... and type(mark.default).__name__ != "UndefinedType":
        said["default"] = mark.default
    return Field(**{name: value for name, value in said.items() if value is not None or name == "default"})


def is_field_info(mark: object) -> bool:
    """Whether a value is what pydantic 2's `Field()` returns, or a subclass of it as other frameworks have them."""
    kind = getattr(sys.modules.get("pydantic.fields"), "FieldInfo", None)
    return isinstance(kind, type) and isinstance(mark, kind) and hasattr(mark, "is_required")


def _default_of(mark: Any) -> Callable[[], Any]:
    return lambda: mark.get_default(call_default_factory=True, validated_data={})


def _without_parameter(mark: Any) -> list[Any]:
    """The limits and descriptions of a mark."""
    from pydantic import Field

    said = {name: value for name, value in getattr(mark, "_attributes_set", {}).items() if name not in _OF_PARAMETER}
    return [*mark.metadata, *([Field(**said)] if said else [])]


def _aliases(mark: Any) -> tuple[str, ...]:
    alias = mark.validation_alias if mark.validation_alias is not None else mark.alias
    choices = alias.choices if hasattr(alias, "choices") else [alias]
    return tuple(choice for choice in choices if isinstance(choice, str))
