"""One step from a richer type towards JSON. Imported only when a value is not plain already.

Of types that others define, only those whose module somebody has imported are known: nothing is imported for them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, MappingView, Sequence, Set

from plugin_runner.encode import TooLarge, Unencodable, Walk, dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

PLAIN = frozenset((type(None), bool, int, float, str, dict, list, tuple))
_BASES: Any = (bool, int, float, list, tuple, dict)


def simpler(value: Any, items_limit: int | None = None) -> Any:
    """One step. Raises `Unencodable`, and whatever the value's own code raises."""
    if isinstance(value, (set, frozenset)):
        return _ordered(value)
    if _is_a(value, "enum", "Enum"):
        return value.value
    if isinstance(value, str):
        return str.__str__(value)
    for base in _BASES:
        if isinstance(value, base):
            return base(value)
    if isinstance(value, type):
        raise _unencodable(value, f"is the class {value.__name__} itself: return an instance of it, or its name")
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _base64(value)
    known = _record(value) or _standard(value)
    if known is not None:
        return known(value)
    return _of_package(value, items_limit)


def key_text(key: Any) -> str:
    """The text of an object's key: that of the value which the key would be elsewhere. Raises `Unencodable`."""
    simple = key
    for _ in range(4):
        if isinstance(simple, str) and not _is_a(simple, "enum", "Enum"):
            return str.__str__(simple)
        if simple is None or isinstance(simple, bool):
            return "null" if simple is None else "true" if simple else "false"
        if type(simple) is int:
            return str(simple)
        if type(simple) is float:
            return dumps(Walk().value(simple)).strip('"')
        if isinstance(simple, (list, tuple, dict, set, frozenset)) and not _is_a(simple, "enum", "Enum"):
            break
        simple = simpler(simple)
    raise _unencodable(key, f"has a key of type {type(key).__name__}, which no text stands for")


def _record(value: Any) -> Callable[[Any], Any] | None:
    """For objects with fields that a library declares."""
    kind = type(value)
    if hasattr(kind, "__pydantic_serializer__") or _is_old_pydantic(value):
        from plugin_runner.pydantic_result import dumped

        return dumped
    if hasattr(kind, "__dataclass_fields__"):
        return _dataclass
    if hasattr(kind, "__struct_fields__"):  # msgspec
        return _struct
    if hasattr(kind, "__attrs_attrs__"):
        return lambda value: _attributes(value, [each.name for each in kind.__attrs_attrs__])
    if _is_a(value, "types", "SimpleNamespace") or _is_a(value, "argparse", "Namespace"):
        return lambda value: dict(vars(value))
    return None


def _standard(value: Any) -> Callable[[Any], Any] | None:
    """For types of the standard library."""
    if _is_a(value, "datetime", "timedelta"):
        from plugin_runner.iso_duration import of_timedelta

        return of_timedelta
    if _is_a(value, "datetime", "date"):
        # Pandas' NaT is a datetime.
        return lambda value: value.isoformat() if value == value else None
    if _is_a(value, "datetime", "time"):
        return lambda value: value.isoformat()
    if any(_is_a(value, module, name) for module, name in _AS_TEXT):
        return str
    if _is_a(value, "re", "Pattern"):
        return lambda value: value.pattern
    if hasattr(value, "__fspath__"):
        return _path
    return None


_AS_TEXT = (
    ("collections", "UserString"),
    ("uuid", "UUID"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("ipaddress", "_IPAddressBase"),
    ("zoneinfo", "ZoneInfo"),
)


def _of_package(value: Any, items_limit: int | None) -> Any:
    """Arrays, tables, collections, and the words for what is none of them."""
    if _is_a(value, "numpy", "ndarray") or _is_a(value, "numpy", "generic"):
        from plugin_runner.arrays import of_numpy

        _check_size(value, value.size, items_limit)
        return of_numpy(value)
    if type(value).__module__.partition(".")[0] == "pandas":
        from plugin_runner.arrays import of_pandas

        _check_size(value, getattr(value, "size", 0), items_limit)
        return of_pandas(value)
    if isinstance(value, Mapping):
        return dict(value.items())
    if isinstance(value, (Sequence, Set, MappingView)) or _is_a(value, "collections", "deque"):
        _check_size(value, len(value), items_limit)
        return list(value)
    for name in _TO_LIST:
        if callable(getattr(type(value), name, None)):
            _check_size(value, _count(value), items_limit)
            made = getattr(value, name)()
            if type(made) is not type(value):
                return made
    if type(value).__module__.partition(".")[0] in ("pydantic", "pydantic_core"):
        from plugin_runner.pydantic_result import jsonable

        return jsonable(value)
    raise _unencodable(value, _refusal(value))


# Tensors of torch and jax, arrays of array and cupy; polars; pyarrow; tensorflow; and whatever numpy would take.
_TO_LIST = ("tolist", "to_dicts", "to_list", "to_pylist", "as_py", "numpy", "__array__")


def _refusal(value: Any) -> str:
    kind = type(value)
    name = kind.__name__
    if hasattr(kind, "__await__"):
        return f"is a {name} that was not awaited: make the action `async def`, and await it"
    if hasattr(kind, "__next__"):
        return f"is a {name}, whose values come one after another: return list(…) of it"
    if kind is complex:
        return "is a complex number: return its parts, real and imag"
    if callable(value) and hasattr(value, "__name__"):
        return f"is the {name} {value.__name__} itself: call it, and return what it returns"
    full = name if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{name}"
    return f"is of type {full}, which has no JSON: return a dict, a dataclass or a text made of it"


def _dataclass(value: Any) -> dict[str, Any]:
    return _attributes(value, [each.name for each in sys.modules["dataclasses"].fields(value)])


def _struct(value: Any) -> Any:
    kind = type(value)
    items = [getattr(value, name, None) for name in kind.__struct_fields__]
    config = getattr(kind, "__struct_config__", None)
    if getattr(config, "array_like", False):
        return items
    tag = {config.tag_field: config.tag} if config is not None and config.tag_field else {}
    named = zip(kind.__struct_encode_fields__, items)
    return {**tag, **{name: item for name, item in named if type(item).__name__ != "UnsetType"}}


def _attributes(value: Any, names: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names if hasattr(value, name)}


def _path(value: Any) -> Any:
    path = value.__fspath__()
    if isinstance(path, bytes):
        from os import fsdecode

        return fsdecode(path)
    return path


def _base64(value: bytes | bytearray | memoryview) -> str:
    from base64 import b64encode

    return b64encode(value.tobytes() if isinstance(value, memoryview) else value).decode()


def _ordered(value: set[Any] | frozenset[Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=lambda item: dumps(Walk(lenient=True).value(item)))


def _check_size(value: Any, count: int, limit: int | None) -> None:
    """Before a list is made of it: an array that fits in memory may not fit as a list."""
    if limit is not None and count * 2 > limit:
        raise TooLarge(type(value).__name__)


def _count(value: Any) -> int:
    shape = getattr(value, "shape", None)
    if not isinstance(shape, tuple):
        return len(value) if hasattr(type(value), "__len__") else 0
    count = 1
    for each in shape:
        count *= int(each)
    return count


def _is_old_pydantic(value: Any) -> bool:
    return hasattr(type(value), "__fields__") and (
        _is_a(value, "pydantic.v1", "BaseModel") or _is_a(value, "pydantic", "BaseModel")
    )


def _unencodable(value: Any, what: str) -> Unencodable:
    return Unencodable(None, what, type(value).__name__)


def _is_a(value: object, module: str, name: str) -> bool:
    """Whether a value is of a class whose module somebody else has imported."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return isinstance(kind, type) and isinstance(value, kind)
