"""JSON as the service sends it: its numbers are doubles, so that one beyond 2^53 is no exact integer, but a float."""

from __future__ import annotations

import re
from json import JSONDecoder

from plugin_runner.errors import RunnerError
from plugin_runner.non_finite import with_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAX_INTEGER = 2**53
# A long number, and a minus zero, which has to stay one.
_UNUSUAL = re.compile(r"\d{16}|-0(?![.\d])")


def decode(text: str) -> Any:
    """The value of a JSON text."""
    # Asking for every integer would make all texts slower for the few that have such a one.
    return (_exact if _UNUSUAL.search(text) else _plain)(text)


def params_of(message: dict[str, Any]) -> dict[str, Any]:
    """The params of a request or a job, with NaN and infinities at the places that stand beside them.

    Raises REQUEST_INVALID.
    """
    params: dict[str, Any] = message["params"]
    for index, pointer in enumerate(message.get("non_finite", ())):
        try:
            with_number(params, pointer)
        except LookupError:
            said = f"/non_finite/{index} leads to no text of NaN, Infinity or -Infinity: {pointer}"
            raise RunnerError("REQUEST_INVALID", said, {"field": f"/non_finite/{index}"}) from None
    return params


def _integer(digits: str) -> int | float:
    value = int(digits)
    return float(digits) if abs(value) >= _MAX_INTEGER or digits == "-0" else value


_plain = JSONDecoder().decode
_exact = JSONDecoder(parse_int=_integer).decode
