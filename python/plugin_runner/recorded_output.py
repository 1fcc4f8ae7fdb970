"""A job's `sys.stdout` and `sys.stderr`."""

from __future__ import annotations

import fcntl
import io
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from plugin_runner.event_sink import EventSink

# Descriptors from here on: code that closes all it did not open, and opens its own, does not get one of these numbers.
_FAR = 200
_LONGEST_PART = 1 << 16
# A file's owner is told of it by this signal, were anybody to ask for that. Nobody does, so it serves as a mark that is
# cheaper to look at than the file's identity.
_MARKS = {1: 61, 2: 62}


def printed_to(sink: EventSink, fd: int) -> io.TextIOWrapper:
    """A text stream for descriptor 1 or 2, which are pipes: what is printed becomes part of the record in its place.

    Where the descriptor has come to be another file, as by `os.dup2`, that one is written to.
    """
    return io.TextIOWrapper(
        _RecordedOutput(sink, fd),
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
    )


def out_of_the_way(fd: int) -> int:
    """The same file under a high number, if there is one."""
    try:
        far = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FAR)
    except (OSError, ValueError):  # the limit of descriptors is lower
        return fd
    os.close(fd)
    return far


class _RecordedOutput(io.BufferedIOBase):
    """Takes no lock, since a signal's handler may print at any moment, and holds nothing back.

    But a forked process, which may print at the same time as others, holds a part of a line until its end or a flush.
    """

    mode = "wb"

    def __init__(self, sink: EventSink, fd: int) -> None:
        self._sink = sink
        self._fd = fd
        self._stream = b"%d" % fd
        self._part = b""
        self._look = _mark(fd)
        self._mark = self._look(fd)

    @property
    def name(self) -> int:
        return self._fd

    @property
    def raw(self) -> Any:
        return self

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return not self._is_own() and os.isatty(self._fd)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.closed:
            raise ValueError("write to closed file")
        text = data if type(data) is bytes else bytes(memoryview(data))
        if self._sink.goes_on(self._stream):
            self._write_through(text)
        elif self._sink.is_forked and not text.endswith(b"\n") and len(self._part) + len(text) < _LONGEST_PART:
            self._part += text
        else:
            part, self._part = self._part, b""
            self._put(part + text)
        return len(text)

    def flush(self) -> None:
        super().flush()
        if self._part:
            part, self._part = self._part, b""
            self._put(part)

    def _put(self, text: bytes) -> None:
        if self._is_own():
            try:
                self._sink.printed(self._stream, text)
                return
            except OSError:  # the plugin closed what it did not open
                pass
        self._write_through(text)

    def _write_through(self, text: bytes) -> None:
        written = os.write(self._fd, text)
        while written < len(text):
            written += os.write(self._fd, text[written : written + _LONGEST_PART])

    def _is_own(self) -> bool:
        """Whether the descriptor is the job's own pipe still."""
        try:
            return self._look(self._fd) == self._mark
        except OSError:  # closed
            return False


def _mark(fd: int) -> Callable[[int], object]:
    """Marks a file, and returns what tells it from others."""
    if hasattr(fcntl, "F_SETSIG"):
        try:
            fcntl.fcntl(fd, fcntl.F_SETSIG, _MARKS[fd])
            return lambda fd: fcntl.fcntl(fd, fcntl.F_GETSIG)
        except OSError:
            pass
    return lambda fd: os.fstat(fd)[1:3]
