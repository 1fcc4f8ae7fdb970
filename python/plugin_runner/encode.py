"""Python values as JSON, as docs/protocol.md has it."""

from __future__ import annotations

import sys
from json.encoder import JSONEncoder
from math import isfinite

from plugin_runner.errors import RunnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    Path = Union[tuple["Path", Union[str, int]], None]

RESULT_LIMIT = 16 * 1024 * 1024
LARGEST_INTEGER = 2**53

# The depth that Protobuf's decoders accept is below this; it stops recursion long before Python does.
_DEEPEST = 100

_dumps = JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode


class Unencodable(Exception):
    """A value that has no JSON, and where it stands."""

    def __init__(self, path: Path, what: str, kind: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.kind = kind


def encode_result(value: object, limit: int = RESULT_LIMIT) -> bytes:
    """The JSON of an action's return value. Raises RESULT_INVALID with the pointer to what has none."""
    try:
        text = _dumps(plain(value)).encode()
    except Unencodable as fault:
        field = pointer(fault.path)
        raise RunnerError(
            "RESULT_INVALID",
            f"The action's result has no JSON: {field or 'the value'} {fault.what}.",
            {"field": field, "type": fault.kind},
        ) from None
    if len(text) > limit:
        raise RunnerError(
            "RESULT_INVALID",
            f"The action's result has {len(text)} bytes of JSON; {limit} is the limit. Return a file's path instead.",
            {"field": "", "type": type(value).__name__, "size_bytes": str(len(text)), "max_result_bytes": str(limit)},
        )
    return text


def dumps(value: object) -> str:
    """The JSON text of what `plain` or `lenient` returned."""
    return _dumps(value)


def pointer(path: Path) -> str:
    """A JSON pointer (RFC 6901)."""
    parts: list[str] = []
    while path is not None:
        path, key = path
        parts.append(str(key).replace("~", "~0").replace("/", "~1"))
    return "".join("/" + part for part in reversed(parts))


def plain(value: object, path: Path = None, depth: int = 0) -> Any:
    """The value as None, bool, int, float, str, list and dict alone. Raises `Unencodable`."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return _checked_text(value, path)
    if kind is int:
        if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:  # type: ignore[operator]
            return value
        raise Unencodable(path, "is an integer beyond 2^53: return it as a string", "int")
    if kind is float:
        if isfinite(value):  # type: ignore[arg-type]
            return value
        raise Unencodable(path, f"is {value}", "float")
    if depth > _DEEPEST:
        raise Unencodable(path, f"is nested deeper than {_DEEPEST} levels, or contains itself", kind.__name__)
    if isinstance(value, dict):
        return {_key(key, path): plain(item, (path, key), depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, (path, index), depth + 1) for index, item in enumerate(value)]
    return plain(_simpler(value, path), path, depth + 1)


def lenient(value: object) -> Any:
    """As `plain`, for what must not fail: NaN and infinity become words, and what has no JSON its `str()`."""
    try:
        return _lenient(value, 0)
    except RecursionError:  # it contains itself
        return _replaced_text(value)


def lenient_object(fields: object) -> dict[str, Any]:
    """As `lenient`, for the fields of a record; a value that is no dict becomes the field `value`."""
    items = fields.items() if isinstance(fields, dict) else [("value", fields)]
    return {_replaced_text(key): lenient(item) for key, item in items}


def _lenient(value: object, depth: int) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return _replaced_text(value)
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if kind is int or kind is float:
        return value if abs(value) <= LARGEST_INTEGER or kind is float else str(value)  # type: ignore[arg-type]
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        return {_replaced_text(key): _lenient(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_lenient(item, depth + 1) for item in value]
    try:
        return _lenient(_simpler(value, None), depth + 1)
    except Unencodable:
        return _replaced_text(value)


def _checked_text(value: Any, path: Path) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unencodable(path, "is text that is not valid Unicode", "str") from None
    return value  # type: ignore[no-any-return]


def _replaced_text(value: object) -> str:
    try:
        return str(value).encode("utf-8", "backslashreplace").decode()
    except Exception as fault:  # a plugin's __str__ may raise anything
        return f"<{type(value).__name__}: {type(fault).__name__}>"


def _key(key: object, path: Path) -> str:
    if isinstance(key, str):
        return _checked_text(str.__str__(key), path)
    if isinstance(key, int) and not isinstance(key, bool):
        return str(int(key))
    raise Unencodable((path, str(key)), f"has a key of type {type(key).__name__}", type(key).__name__)


def _simpler(value: object, path: Path) -> object:
    """One step from a richer type towards JSON."""
    if isinstance(value, (set, frozenset)):
        return _ordered(value, path)
    if _is_a(value, "enum", "Enum"):
        return value.value  # type: ignore[attr-defined]
    for base in (bool, int, float, str):
        if isinstance(value, base):
            return base(value)
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if _is_a(value, "pydantic", "BaseModel"):
        return _dumped(value, path)
    if _is_a(value, "numpy", "ndarray") or _is_a(value, "numpy", "generic"):
        return value.tolist()  # type: ignore[attr-defined]
    if any(_is_a(value, "datetime", name) for name in ("date", "time")):
        return value.isoformat()  # type: ignore[attr-defined]
    if _is_a(value, "uuid", "UUID") or _is_a(value, "decimal", "Decimal"):
        return str(value)
    if hasattr(value, "__fspath__"):
        path_text = value.__fspath__()
        if isinstance(path_text, str):
            return path_text
    raise Unencodable(path, f"is of type {type(value).__name__}", type(value).__name__)


def _dumped(model: Any, path: Path) -> object:
    try:
        return model.model_dump(mode="json")
    except Exception as fault:  # pydantic's own error, or that of the author's serialiser
        raise Unencodable(path, f"cannot be dumped by its model ({fault})", type(model).__name__) from None


def _ordered(value: set[Any] | frozenset[Any], path: Path) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=lambda item: _dumps(plain(item, path)))


def _is_a(value: object, module: str, name: str) -> bool:
    """Whether a value is of a class whose module somebody else has imported."""
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None)
    return isinstance(kind, type) and isinstance(value, kind)
