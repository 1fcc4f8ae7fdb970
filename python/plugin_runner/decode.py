"""JSON as the service sends it: its numbers are doubles, so that one beyond 2^53 is no exact integer, but a float."""

from __future__ import annotations

import re
from json import JSONDecoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_INTEGER = 2**53
_LONG_NUMBER = re.compile(r"\d{16}")


def decode(text: str) -> Any:
    """The value of a JSON text."""
    # Asking for every integer would make all texts slower for the few that have a long one.
    return (_exact if _LONG_NUMBER.search(text) else _plain)(text)


def _integer(digits: str) -> int | float:
    value = int(digits)
    return value if abs(value) < _MAX_INTEGER else float(digits)


_plain = JSONDecoder().decode
_exact = JSONDecoder(parse_int=_integer).decode
