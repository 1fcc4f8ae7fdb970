"""The standard library's logging as lines of a context's log."""

from __future__ import annotations

import logging
import os

from plugin_runner.encode import shown_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugin_runner.sink import Sink

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def context_logger(sink: Sink) -> logging.Logger:
    """A logger whose records go to `sink`, with `extra=` and the exception as fields."""
    logger = _RunLogger("plugin_runner.authoring", logging.DEBUG)
    logger.addHandler(_SinkHandler(sink))
    return logger


class _RunLogger(logging.Logger):
    """Not registered by name, so that it ends with its run; its children are not either."""

    def __init__(self, name: str, level: int = logging.NOTSET) -> None:
        super().__init__(name, level)
        self._descendants: dict[str, _RunLogger] = {}

    def getChild(self, suffix: str) -> _RunLogger:
        first, _, rest = suffix.partition(".")
        if first not in self._descendants:
            child = _RunLogger(f"{self.name}.{first}")
            child.parent = self
            self._descendants[first] = child
        child = self._descendants[first]
        return child.getChild(rest) if rest else child

    def setLevel(self, level: int | str) -> None:
        super().setLevel(level)
        self._forget_levels()

    def _forget_levels(self) -> None:
        """What a logger remembers of its level is told to registered ones alone."""
        self._cache.clear()  # type: ignore[attr-defined]
        for child in getattr(self, "_descendants", {}).values():
            child._forget_levels()


class _SinkHandler(logging.Handler):
    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            fields["exception"] = logging.Formatter().formatException(record.exc_info)
        self._sink.log(record.levelname, _message(record), fields)


def _message(record: logging.LogRecord) -> str:
    """The record's message; where its arguments do not fit it, both, and whose line that is."""
    try:
        return record.getMessage()
    except Exception as fault:
        place = f"{os.path.relpath(record.pathname)}:{record.lineno}"
        why = f"{type(fault).__name__}: {shown_text(fault)}"
        return f"{shown_text(record.msg)} (at {place} its arguments {_repr(record.args)} do not fit: {why})"


def _repr(arguments: object) -> str:
    try:
        return repr(arguments)
    except Exception:
        return "that cannot be shown"
