"""Numbers that JSON has no literal for: on the wire they are texts, with JSON pointers to them beside the value."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def with_number(value: Any, pointer: str) -> Any:
    """The value, changed in place, with the number instead of the text that a JSON pointer (RFC 6901) leads to.

    Raises LookupError where it leads to something else.
    """
    root = [value]
    holder: Any = root
    key: Any = 0
    for part in pointer.split("/")[1:]:
        holder = holder[key]
        key = _key(holder, part.replace("~1", "/").replace("~0", "~"))
    text = holder[key]
    holder[key] = _NUMBERS[text if isinstance(text, str) else ""]
    return root[0]


def _key(holder: Any, part: str) -> str | int:
    if isinstance(holder, dict):
        return part
    if isinstance(holder, list) and part.isascii() and part.isdigit():
        return int(part)
    raise LookupError(part)
