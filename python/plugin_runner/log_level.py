"""One name for each level of a log: DEBUG, INFO, WARNING, ERROR, CRITICAL."""

from __future__ import annotations

import sys

_NAMES = {"": "INFO", "NONE": "INFO", "WARN": "WARNING", "ERR": "ERROR", "FATAL": "CRITICAL", "NOTSET": "INFO"}
_NUMBERS = ((50, "CRITICAL"), (40, "ERROR"), (30, "WARNING"), (20, "INFO"))


def level_name(level: object) -> str:
    """The name of a level that is given as text, as a number of `logging`, as a member of an enum or as None."""
    level = getattr(level, "value", level)
    if isinstance(level, (int, float)):
        return _of_number(level)
    text = level.strip().upper() if isinstance(level, str) else "" if level is None else str(level).upper()
    number = text[len("LEVEL ") :] if text.startswith("LEVEL ") else text
    return _of_number(int(number)) if number.isdecimal() else _NAMES.get(text, text)


def _of_number(number: float) -> str:
    logging = sys.modules.get("logging")
    named = logging.getLevelName(number) if logging is not None else ""
    if isinstance(named, str) and named and not named.startswith("Level "):
        return _NAMES.get(named, named)
    return next((name for least, name in _NUMBERS if number >= least), "DEBUG")
