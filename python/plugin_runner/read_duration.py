"""Durations as params give them: seconds, ISO 8601 (`P1DT2H30M`, `PT0.5S`), or a clock's (`1 day, 02:30:00`)."""

from __future__ import annotations

import re
from datetime import timedelta
from math import isfinite
from typing import Any

_NUMBER = r"(\d+(?:\.\d+)?)"
_ISO = re.compile(
    rf"([-+]?)P(?=.)(?:{_NUMBER}Y)?(?:{_NUMBER}M)?(?:{_NUMBER}W)?(?:{_NUMBER}D)?"
    rf"(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?"
)
# Of years and months as pydantic counts them.
_SECONDS = (31_536_000, 2_592_000, 604_800, 86_400, 3_600, 60, 1)
_CLOCK = re.compile(r"([-+]?)(?:(\d+) ?d(?:ays?)?(?:,? ?|$))?(?:(\d+):([0-5]\d)(?::([0-5]\d(?:\.\d{1,9})?))?)?", re.I)


def read_duration(value: Any) -> timedelta:
    """Raises ValueError, or ArithmeticError for more than a timedelta holds."""
    if isinstance(value, str):
        return _from_text(value)
    if not isinstance(value, (int, float)) or not isfinite(value):
        raise ValueError
    return timedelta(seconds=value)


def _from_text(text: str) -> timedelta:
    iso = _ISO.fullmatch(text)
    if iso:
        amounts = zip(iso.groups()[1:], _SECONDS)
        length = sum((timedelta(seconds=float(amount) * unit) for amount, unit in amounts if amount), timedelta())
        return -length if iso.group(1) == "-" else length
    clock = _CLOCK.fullmatch(text)
    if not clock or clock.group(2) is clock.group(3) is None:
        raise ValueError
    sign, days, hours, minutes, seconds = clock.groups()
    time = timedelta(hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0))
    length = timedelta(days=int(days or 0)) + time
    return -length if sign == "-" else length
