"""The standard library's logging as lines of a context's log."""

from __future__ import annotations

import logging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugin_runner.sink import Sink

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def context_logger(sink: Sink) -> logging.Logger:
    """A logger whose records go to `sink`, with `extra=` and the exception as fields."""
    # Not registered by name, so that it ends with its run.
    logger = logging.Logger("plugin_runner.authoring", logging.DEBUG)
    logger.addHandler(_SinkHandler(sink))
    return logger


class _SinkHandler(logging.Handler):
    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = {key: value for key, value in vars(record).items() if key not in _STANDARD}
            if record.exc_info:
                fields["exception"] = logging.Formatter().formatException(record.exc_info)
            self._sink.log(record.levelname, record.getMessage(), fields)
        except Exception:
            self.handleError(record)  # a message that does not fit its arguments: logging's own way
