"""An action's return value as it is sent."""

from __future__ import annotations

from plugin_runner.encode import SHOWN_ITEMS, TooLarge, Walk, dumps, pointer
from plugin_runner.errors import RunnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RESULT_LIMIT = 16 * 1024 * 1024

_SHOWN_FAULTS = 3
_SCHEMA_LEVELS = 500
_POINTER_LIMIT = 1_000


class Encoded:
    """The JSON of a value, and the pointers to the texts in it that stand for a number."""

    __slots__ = ("non_finite", "text")

    def __init__(self, text: bytes, non_finite: list[str]) -> None:
        self.text = text
        self.non_finite = non_finite

    def keys(self) -> bytes:
        """The value as keys of a line: `"value":…`, and `"non_finite":…` where there is any."""
        more = b',"non_finite":' + dumps(self.non_finite).encode() if self.non_finite else b""
        return b'"value":' + self.text + more


def encode_result(value: object, limit: int = RESULT_LIMIT) -> Encoded:
    """The JSON of an action's return value.

    Raises RESULT_INVALID with the pointers to what has none, and with what is left of the value without them.
    """
    try:
        walk = Walk(check_text=False, items_limit=limit)
        made = walk.value(value)
        try:
            text = dumps(made).encode()
        except UnicodeEncodeError:
            walk = Walk(items_limit=limit)
            made = walk.value(value)
            text = dumps(made).encode()
    except TooLarge as large:
        raise _too_large(large.kind, None, limit) from None
    non_finite = walk.non_finite
    size = len(text) + sum(map(len, non_finite))
    if walk.faults:
        raise _invalid(walk, made if size <= limit else None, non_finite)
    if size > limit:
        raise _too_large(type(value).__name__, size, limit)
    return Encoded(text, non_finite)


def encode_lenient(value: object) -> Encoded:
    """The JSON of an answer that must not fail: what an author's defaults have no JSON for becomes text.

    How deep a schema may nest is for the service to say.
    """
    walk = Walk(lenient=True, items_limit=SHOWN_ITEMS)
    made = walk.value(value, room=_SCHEMA_LEVELS)
    return Encoded(dumps(made).encode(), walk.non_finite)


def _invalid(walk: Walk, partial: Any, non_finite: list[str]) -> RunnerError:
    fields = [_cut(pointer(fault.path)) for fault in walk.faults]
    said = [f"{field or 'it'} {fault.what}" for field, fault in zip(fields, walk.faults)]
    more = walk.fault_count - _SHOWN_FAULTS
    rest = f"; and {more} more" if more > 0 else ""
    error = RunnerError(
        "RESULT_INVALID",
        f"The action's result has no JSON: {'; '.join(said[:_SHOWN_FAULTS])}{rest}.",
        {"field": fields[0], "fields": dumps(fields), "type": walk.faults[0].kind},
    )
    if partial is not None:
        error.partial_result = partial
        error.non_finite = non_finite
    return error


def _cut(text: str) -> str:
    """Keys may be as long as they like; an error has its limit."""
    return text if len(text) <= _POINTER_LIMIT else f"{text[:_POINTER_LIMIT]}…"


def _too_large(kind: str, size: int | None, limit: int) -> RunnerError:
    has = f"has {size} bytes of JSON" if size is not None else f"is a {kind} of more JSON than can be sent"
    metadata = {"field": "", "type": kind, "max_result_bytes": str(limit)}
    return RunnerError(
        "RESULT_INVALID",
        f"The action's result {has}; {limit} bytes are the limit. Write it to a file, make the file known with "
        "ctx.artifact(path), and return the URI.",
        {**metadata, "size_bytes": str(size)} if size is not None else metadata,
    )
