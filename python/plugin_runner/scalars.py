"""The shapes of types that are one value: numbers, text, times and the like."""

from __future__ import annotations

import sys
from typing import Any, Callable

from plugin_runner.shape import Scalar, Shape


def standard_scalar(hint: type) -> Shape | None:
    """The shape of a type of the standard library that is one value; None of any other."""
    if is_from("datetime", "datetime", hint):
        return Scalar({"type": "string", "format": "date-time"}, "must be a date and time", _iso(hint))
    if is_from("datetime", "date", hint):
        return Scalar({"type": "string", "format": "date"}, "must be a date", _iso(hint))
    if is_from("datetime", "time", hint):
        return Scalar({"type": "string", "format": "time"}, "must be a time", _iso(hint))
    if is_from("datetime", "timedelta", hint):
        from plugin_runner.read_duration import read_duration

        return Scalar({"type": ["string", "number"], "format": "duration"}, "must be a duration", read_duration)
    if is_from("fractions", "Fraction", hint):
        return Scalar({"type": ["string", "number"]}, "must be a number", lambda value: hint(str(_to_number(value))))
    if hint.__module__ in ("ipaddress", "zoneinfo") and not hint.__name__.startswith("_"):
        return Scalar({"type": "string"}, f"must be a {hint.__name__}", _by_text(hint))
    if is_from("uuid", "UUID", hint):
        return Scalar({"type": "string", "format": "uuid"}, "must be a UUID", lambda value: hint(_to_text(value)))
    if is_from("pathlib", "PurePath", hint):
        return Scalar({"type": "string", "format": "path"}, "must be a path", lambda value: hint(_to_text(value)))
    if is_from("decimal", "Decimal", hint):
        return Scalar({"type": ["string", "number"]}, "must be a number", _decimal(hint))
    return None


def flags(hint: Any) -> Shape:
    """Flags in any combination, as the number that stands for it."""
    named = ", ".join(f"{member.value} ({member.name})" for member in hint)
    schema = {"type": "integer", "minimum": 0, "description": f"The sum of any of {named}."}

    def convert(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
            raise ValueError
        return hint(int(value))

    return Scalar(schema, f"must be the sum of any of {named}", convert)


def is_from(module: str, name: str, hint: type) -> bool:
    """Whether a type is of a class of a module, which is not imported for the question."""
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and issubclass(hint, base)


def _by_text(hint: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return hint(_to_text(value))
        except (KeyError, OSError):  # a time zone that is not there
            raise ValueError from None

    return convert


def _decimal(hint: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        made = hint(str(_to_number(value)))
        if not made.is_finite():
            raise ValueError
        return made

    return convert


def _iso(hint: Any) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        text = _to_text(value)
        if text.isdigit():  # newer versions of Python read a number as one without its separators
            raise ValueError
        # Python before 3.11 does not know the Z.
        return hint.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" and text else text)

    return convert


def _to_number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError
    return value


def _to_int(value: Any) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return _to_int(float(value))
    return int(_number(value))


def _to_float(value: Any) -> float:
    return float(value if isinstance(value, str) else _number(value))


def _to_bool(value: Any) -> bool:
    if isinstance(value, str):
        value = value.strip().lower()
    for meant, words in ((True, _TRUE), (False, _FALSE)):
        if isinstance(value, (str, int, float)) and value in words:
            return meant
    raise ValueError


_TRUE = (True, "true", "1", "yes", "y", "on", "t")
_FALSE = (False, "false", "0", "no", "n", "off", "f")


def _to_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _to_none(value: Any) -> None:
    if value is not None:
        raise ValueError


def _number(value: Any) -> Any:
    if not isinstance(value, (int, float)):
        raise ValueError
    return value


SCALARS: dict[Any, Shape] = {
    int: Scalar({"type": "integer"}, "must be an integer", _to_int),
    float: Scalar({"type": "number"}, "must be a number", _to_float),
    bool: Scalar({"type": "boolean"}, "must be a boolean", _to_bool),
    str: Scalar({"type": "string"}, "must be a string", _to_text),
    bytearray: Scalar({"type": "string"}, "must be a string", lambda value: bytearray(_to_text(value).encode("utf-8"))),
    bytes: Scalar({"type": "string"}, "must be a string", lambda value: _to_text(value).encode()),
    None: Scalar({"type": "null"}, "must be null", _to_none),
}
SCALARS[type(None)] = SCALARS[None]
