"""What callers give, as what requests hold. Each raises ValidationError with the field for what it cannot take."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, Union
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from plugin_runner.client.failures import invalid_request
from pluginrunner.v1.job_pb2 import JobState
from pluginrunner.v1.plugin_pb2 import Resources

if TYPE_CHECKING:
    from collections.abc import Iterable

Text = Union[str, "os.PathLike[str]", UUID, Enum]
"""A name or an id: a text, or what stands for one."""

Seconds = Union[float, timedelta, str]
"""A span of time: a number of seconds, a timedelta, or a text such as `"500ms"`, `"90s"`, `"1h30m"` or `"1d"`."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")

# The range of google.protobuf.Duration.
_LONGEST_SPAN = 315_576_000_000


def text_of(field: str, given: Text | None) -> str:
    """A text; empty for None."""
    if given is None:
        return ""
    if isinstance(given, Enum) and not isinstance(given, str):
        return text_of(field, given.value)
    if isinstance(given, str):
        # Of an enum that is a str, the value.
        return _checked(field, str.__str__(given))
    if isinstance(given, UUID):
        return str(given)
    if isinstance(given, os.PathLike):
        path = os.fspath(given)
        return _checked(field, path if isinstance(path, str) else os.fsdecode(path))
    raise invalid_request(field, f"is of type {type(given).__name__}, not a text")


def texts_of(field: str, given: Any) -> dict[str, str]:
    """Names and texts, such as labels and environment variables. None as a value leaves a name out."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        to_dict = getattr(given, "to_dict", None)
        given = to_dict() if callable(to_dict) else given
        if not isinstance(given, Mapping):
            raise invalid_request(field, f"is of type {type(given).__name__}, not a mapping")
    made: dict[str, str] = {}
    for key, value in given.items():
        name = text_of(field, key)
        if name in made:
            raise invalid_request(f"{field}/{name}", "stands twice")
        if value is not None:
            made[name] = _as_configured(f"{field}/{name}", value)
    return made


def seconds_of(field: str, span: Seconds | None) -> float | None:
    """A span of time in seconds."""
    if span is None:
        return None
    if isinstance(span, timedelta):
        return span.total_seconds()
    if isinstance(span, str):
        if not _SPAN.fullmatch(span):
            raise invalid_request(field, f"is {span!r}, not a span such as 500ms, 90s, 10m, 2h or 1d")
        return sum(float(count) * _UNITS[unit] for count, unit in re.findall(r"([\d.]+)(ms|s|m|h|d)", span))
    if isinstance(span, bool) or not hasattr(span, "__float__"):
        raise invalid_request(
            field, f"is of type {type(span).__name__}, not a number of seconds, a timedelta, or a text such as '90s'"
        )
    return float(span)


def duration_of(field: str, span: Seconds | None) -> Duration | None:
    """A span of time as a message."""
    seconds = seconds_of(field, span)
    if seconds is None:
        return None
    if not -_LONGEST_SPAN <= seconds <= _LONGEST_SPAN:  # NaN as well
        raise invalid_request(field, f"is {seconds} seconds, not within ±{_LONGEST_SPAN}")
    whole = int(seconds)
    return Duration(seconds=whole, nanos=round((seconds - whole) * 1_000_000) * 1000)


def timestamp_of(field: str, time: datetime | None) -> Timestamp | None:
    """A time as a message; one without a time zone is of this machine's."""
    if time is None:
        return None
    if not isinstance(time, datetime):
        raise invalid_request(field, f"is of type {type(time).__name__}, not a datetime")
    timestamp = Timestamp()
    timestamp.FromDatetime(time.astimezone(timezone.utc))
    return timestamp


def integer_of(field: str, given: int, bits: int) -> int:
    """An integer of so many bits."""
    if isinstance(given, bool) or not hasattr(given, "__index__"):
        raise invalid_request(field, f"is of type {type(given).__name__}, not an integer")
    number = given.__index__()
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise invalid_request(field, f"is {number}, beyond {bits} bits")
    return number


def states_of(field: str, given: Iterable[Any]) -> list[JobState.ValueType]:
    """States by their names, such as `RUNNING`, or by the numbers of `JobState`; a single one as well."""
    if given is None:
        return []
    return [_state(field, one) for one in ([given] if isinstance(given, (str, int, Enum)) else given)]


def resources_of(given: Resources | Mapping[str, Any] | None) -> Resources | None:
    """Resources, or their fields in a mapping."""
    if given is None or isinstance(given, Resources):
        return given
    try:
        return Resources(**given)
    except (TypeError, ValueError) as error:
        known = ", ".join(field.name for field in Resources.DESCRIPTOR.fields)
        raise invalid_request("/resources", f"are not of {known}: {str(error).rstrip('.')}") from None


def _checked(field: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid_request(field, "is a text that is not valid Unicode") from None
    return text


def _as_configured(field: str, value: Any) -> str:
    """As configurations have it: a boolean is a lower-case word, and a list has commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(_as_configured(field, one) for one in value)
    if isinstance(value, (str, os.PathLike, UUID, Enum)) and not isinstance(getattr(value, "value", ""), (int, float)):
        return text_of(field, value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        raise invalid_request(field, f"is of type {type(value).__name__}, not a text: decode it")
    return _checked(field, str(value.value if isinstance(value, Enum) else value))


def _state(field: str, given: Any) -> JobState.ValueType:
    if isinstance(given, Enum):
        given = given.value
    if isinstance(given, int) and given in JobState.values():
        return given  # type: ignore[return-value]
    name = given[len(_STATE) :] if isinstance(given, str) and given.startswith(_STATE) else given
    if not isinstance(name, str) or f"{_STATE}{name}" not in JobState.keys():  # noqa: SIM118 no mapping
        known = ", ".join(one.replace(_STATE, "") for one in JobState.keys()[1:])
        raise invalid_request(field, f"has {given!r}, not one of {known}")
    return JobState.Value(f"{_STATE}{name}")


_STATE = "JOB_STATE_"
