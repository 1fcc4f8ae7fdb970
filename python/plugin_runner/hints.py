"""From type hints to shapes."""

from __future__ import annotations

import collections.abc
import dataclasses
import sys
import types
import typing
from typing import Any, Callable

from plugin_runner.authoring import first_paragraph
from plugin_runner.encode import Unencodable, plain
from plugin_runner.field_marks import read_marks
from plugin_runner.record import Field, Record
from plugin_runner.scalars import SCALARS, flags, is_from, standard_scalar
from plugin_runner.shape import Annotation, Choice, Dictionary, FixedTuple, Noted, Sequence, Shape, Union, Unknown
from plugin_runner.unused import is_old_pydantic
from plugin_runner.written_hints import hint_text, resolved_hints, written_hint

if typing.TYPE_CHECKING:
    from plugin_runner.other_libraries import NamedTupleShape

ANYTHING = Shape()

_DEEPEST = 20

_NONE: Any = object()
"""Stands for a default that is not there."""

_SEQUENCES: dict[Any, Callable[[list[Any]], Any]] = {
    list: list,
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Iterable: list,
    collections.abc.Collection: list,
    set: set,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
    frozenset: frozenset,
}

_DICTIONARIES = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


class ShapeOf:
    """Makes the shape of a type hint; records that contain themselves are made once. Unknown types take anything, which
    is noted."""

    def __init__(self, outer: ShapeOf | None = None, type_variables: dict[Any, Shape] | None = None) -> None:
        self._type_variables = type_variables or {}
        self._records: dict[Any, Record | NamedTupleShape] = outer._records if outer else {}
        self._depth: int = outer._depth + 1 if outer else 0

    def __call__(self, hint: Any) -> Shape:
        if _hashable(hint) and hint in SCALARS:
            return SCALARS[hint]
        if _is_pydantic(hint):
            from plugin_runner.pydantic_shape import PydanticShape

            return PydanticShape(hint)
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is not None:
            return self._generic(hint, origin, arguments)
        if isinstance(hint, typing.NewType if sys.version_info >= (3, 10) else types.FunctionType):
            return self(getattr(hint, "__supertype__", Any))
        if isinstance(hint, typing.TypeVar):
            return self._type_variable(hint)
        if type(hint).__name__ == "TypeAliasType":
            return self(hint.__value__)
        if hint is Any or hint is object:
            return ANYTHING
        if isinstance(hint, type):
            return self._class(hint)
        return _by_pydantic(hint) or Unknown(hint_text(hint))

    def _type_variable(self, hint: typing.TypeVar) -> Shape:
        if hint in self._type_variables:
            return self._type_variables[hint]
        if hint.__constraints__:
            return Union([self(option) for option in hint.__constraints__])
        return self(hint.__bound__) if hint.__bound__ is not None else ANYTHING

    def _generic(self, hint: Any, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        if origin is typing.Annotated:
            return self._annotated(hint, arguments)
        if origin is typing.Union or origin is getattr(types, "UnionType", None):
            return Union([self(argument) for argument in arguments])
        if origin is typing.Literal:
            return Choice([(_plain_choice(argument), argument) for argument in arguments])
        if origin is tuple:
            return self._tuple(arguments)
        if origin in _SEQUENCES:
            return self._sequence(origin, arguments)
        if origin in _DICTIONARIES:
            key, value = arguments or (str, Any)
            return Dictionary(self(key), self(value))
        if _is_record_class(origin):
            return self._generic_record(origin, arguments)
        if type(origin).__name__ == "TypeAliasType":
            return self._with(origin.__type_params__, arguments)(origin.__value__)
        if getattr(origin, "_name", "") in ("Required", "NotRequired", "Final", "ClassVar", "ReadOnly"):
            return self(arguments[0])
        if isinstance(origin, type) and not _is_of_collections(origin):
            return self._class(origin)
        return _by_pydantic(hint) or Unknown(hint_text(hint))

    def _annotated(self, hint: Any, arguments: tuple[Any, ...]) -> Shape:
        homes = {type(mark).__module__.partition(".")[0]: mark for mark in arguments[1:]}
        if "msgspec" in homes:
            from plugin_runner.other_libraries import StructShape

            return StructShape(hint)
        shape = self(arguments[0])
        if "annotated_types" in homes:
            shape = Noted(shape, f"has the mark {homes['annotated_types']}, which only pydantic reads: import it")
        texts = [_description_of(mark) for mark in arguments[1:]]
        described = next((text for text in texts if text), "")
        return Annotation(shape, described) if described else shape

    def _generic_record(self, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        """A dataclass or TypedDict of so many type variables, of which a class itself knows only the names."""
        if self._depth > _DEEPEST:  # a type that contains itself with ever more of itself as argument
            return Unknown(hint_text(origin))
        inner = self._with(origin.__parameters__, arguments)
        return inner._record(origin, tuple(inner._type_variables.values()))

    def _with(self, type_variables: tuple[Any, ...], arguments: tuple[Any, ...]) -> ShapeOf:
        return ShapeOf(self, {name: self(argument) for name, argument in zip(type_variables, arguments)})

    def _class(self, hint: type) -> Shape:
        if hint is tuple or hint in _SEQUENCES:
            return self._tuple((Any, ...)) if hint is tuple else self._sequence(hint, ())
        if hint in _DICTIONARIES:
            return Dictionary(SCALARS[str], ANYTHING)
        if is_old_pydantic(hint):
            from plugin_runner.other_libraries import OldModelShape

            return OldModelShape(hint)
        if _is_record_class(hint):
            return self._record(hint)
        if hasattr(hint, "__struct_fields__") and "msgspec" in sys.modules:
            from plugin_runner.other_libraries import StructShape

            return StructShape(hint)
        if issubclass(hint, tuple) and hasattr(hint, "_fields"):
            return self._named_tuple(hint)
        if is_from("enum", "Flag", hint):
            return flags(hint)
        if is_from("enum", "Enum", hint):
            return Choice([(_plain_choice(member.value), member) for member in hint])  # type: ignore[attr-defined]
        return standard_scalar(hint) or _by_pydantic(hint) or Unknown(hint_text(hint))

    def _named_tuple(self, hint: Any) -> Shape:
        from plugin_runner.other_libraries import NamedTupleShape

        if hint not in self._records:
            made = self._records[hint] = NamedTupleShape(hint)
            hints, defaults = resolved_hints(hint), hint._field_defaults
            made.fields += [self._marked_field(name, hint, hints, defaults.get(name, _NONE)) for name in hint._fields]
        return self._records[hint]

    def _marked_field(self, name: str, owner: Any, hints: dict[str, Any], default: Any) -> Field:
        """A field whose default, or hint, may be a mark of pydantic."""
        marked = read_marks(self._own_hint(name, owner, hints), default, _NONE)
        return Field(name, self(marked.hint), marked.required, marked.default, "", marked.aliases)

    def _own_hint(self, name: str, owner: Any, hints: dict[str, Any]) -> Any:
        """A hint that could not be resolved stays the text that it is, which nobody knows."""
        return hints[name] if name in hints else written_hint(owner, name)

    def _tuple(self, arguments: tuple[Any, ...]) -> Shape:
        if len(arguments) == 2 and arguments[1] is ...:
            return Sequence(self(arguments[0]), tuple)
        return FixedTuple([] if arguments == ((),) else [self(argument) for argument in arguments])

    def _sequence(self, origin: Any, arguments: tuple[Any, ...]) -> Shape:
        make = _SEQUENCES[origin]
        return Sequence(self(arguments[0]) if arguments else ANYTHING, make, make in (set, frozenset))

    def _record(self, hint: Any, arguments: tuple[Shape, ...] = ()) -> Shape:
        key = (hint, arguments)
        if key not in self._records:
            make = dict if is_typed_dict(hint) else lambda values: hint(**values)
            record = Record(hint.__name__, _own_docstring(hint), make, False)
            self._records[key] = record
            fields = self.fields_of(hint)
            record.fields.update((field.name, field) for field in fields)
        return self._records[key]

    def fields_of(self, hint: Any) -> list[Field]:
        """The properties of a dataclass, a TypedDict, or a class of attrs."""
        if dataclasses.is_dataclass(hint):
            return self._dataclass_fields(hint)
        if is_typed_dict(hint):
            return self._typed_dict_fields(hint)
        from plugin_runner.other_libraries import attrs_fields

        return attrs_fields(hint, resolved_hints(hint), self)

    def _dataclass_fields(self, hint: Any) -> list[Field]:
        hints = resolved_hints(hint)
        fields = []
        for one in dataclasses.fields(hint):
            default = _NONE if one.default is dataclasses.MISSING else one.default
            field = self._marked_field(one.name, hint, hints, default)
            if one.default_factory is not dataclasses.MISSING:
                field.required, field.default = False, one.default_factory
            field.description = str(one.metadata.get("description", ""))
            if one.init:
                fields.append(field)
        return fields

    def _typed_dict_fields(self, hint: Any) -> list[Field]:
        fields = []
        hints = resolved_hints(hint)
        for name in {**hint.__annotations__, **hints}:
            inner = self._own_hint(name, hint, hints)
            required = name in hint.__required_keys__
            # Under `from __future__ import annotations` the class itself cannot see these two.
            mark = getattr(typing.get_origin(inner), "_name", "")
            if mark in ("Required", "NotRequired"):
                required = mark == "Required"
            fields.append(Field(name, self(inner), required))
        return fields


def is_typed_dict(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__required_keys__")


def is_record(hint: Any) -> bool:
    """Whether a hint stands for an object with known properties: what can take all params at once."""
    base = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint
    return isinstance(base, type) and (
        dataclasses.is_dataclass(base)
        or is_typed_dict(base)
        or _is_pydantic_class(base)
        or is_old_pydantic(base)
        or hasattr(base, "__attrs_attrs__")
        or hasattr(base, "__struct_fields__")
    )


def _is_pydantic(hint: Any) -> bool:
    """Whether pydantic knows better what a hint means. Only where the plugin itself imported pydantic."""
    if "pydantic" not in sys.modules:
        return False
    if typing.get_origin(hint) is typing.Annotated:
        marks = [type(mark).__module__.partition(".")[0] for mark in typing.get_args(hint)[1:]]
        return any(mark in ("pydantic", "annotated_types") for mark in marks)
    return _is_pydantic_class(hint) or getattr(hint, "__module__", "").startswith("pydantic.")


def _is_pydantic_class(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "__pydantic_validator__")


def _is_record_class(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint) or is_typed_dict(hint) or hasattr(hint, "__attrs_attrs__")


def _is_of_collections(origin: type) -> bool:
    """Such as deque and OrderedDict, of which this library knows nothing, and Callable and Type."""
    return origin.__module__ in ("collections", "collections.abc", "builtins")


def _by_pydantic(hint: Any) -> Shape | None:
    """What pydantic makes of a hint, where the plugin uses pydantic and JSON can say such values."""
    if not hasattr(sys.modules.get("pydantic"), "TypeAdapter"):
        return None
    from plugin_runner.pydantic_shape import PydanticShape

    try:
        shape = PydanticShape(hint)
        return shape if shape.has_schema() else None
    except Exception:  # pydantic does not know it either
        return None


def _own_docstring(hint: type) -> str:
    text = hint.__dict__.get("__doc__") or ""
    return "" if text.startswith(f"{hint.__name__}(") else first_paragraph(text)  # dataclasses write their signature


def _description_of(mark: object) -> str:
    return mark if isinstance(mark, str) else str(getattr(mark, "documentation", "") or "")


def _plain_choice(value: Any) -> Any:
    try:
        return plain(value)
    except Unencodable:
        return str(value)


def _hashable(hint: Any) -> bool:
    return type(hint).__hash__ is not None
