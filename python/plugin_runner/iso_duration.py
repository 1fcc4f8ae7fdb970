"""Durations as ISO 8601 has them: `P1DT2H`, `-PT5S`, `PT0.5S`."""

from __future__ import annotations

from typing import Any

# Units of numpy's timedelta64 of fixed length, in seconds or as parts of one.
_SECONDS = {"W": 604_800, "D": 86_400, "h": 3_600, "m": 60, "s": 1}
_DECIMALS = {"ms": 3, "us": 6, "μs": 6, "ns": 9, "ps": 12, "fs": 15, "as": 18}
_CALENDAR = {"Y": "Y", "M": "M"}


def of_timedelta(value: Any) -> str | None:
    """A `datetime.timedelta`, or pandas' one with its nanoseconds."""
    microseconds = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
    return of_parts(microseconds * 1_000 + getattr(value, "nanoseconds", 0), 9)


def of_count(count: int, unit: str) -> str:
    """So many of a unit as numpy names it. Years and months stay what they are: they have no fixed length."""
    if unit in _CALENDAR:
        return f"{'-' if count < 0 else ''}P{abs(count)}{_CALENDAR[unit]}"
    if unit in _SECONDS:
        return of_parts(count * _SECONDS[unit], 0)
    return of_parts(count, _DECIMALS[unit])


def of_parts(parts: int, decimals: int) -> str:
    """A number of seconds with so many decimals, as days, hours, minutes and seconds."""
    seconds, fraction = divmod(abs(parts), 10**decimals)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    part = f".{fraction:0{decimals}d}".rstrip("0") if fraction else ""
    time = "".join(
        (f"{hours}H" if hours else "", f"{minutes}M" if minutes else "", f"{seconds}{part}S" if seconds or part else "")
    )
    date = f"{days}D" if days else ""
    sign = "-" if parts < 0 else ""
    return f"{sign}P{date}T{time}" if time else f"{sign}P{date}" if date else "PT0S"
