"""A job's events file, whose disk may be full, slow or failing."""

from __future__ import annotations

import os
from collections import deque
from errno import EDQUOT, ENOSPC
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

# How much may wait for room: what the job prints or logs, and what it reports. Everything else waits whatever it is.
OUTPUT_ROOM = 1 << 20
REPORT_ROOM = 16 << 20

RETRY_SECONDS = 0.5

# How long the end of a job may wait: somebody makes room one day; a disk that fails seldom gets well.
_PATIENCE_SECONDS = {ENOSPC: 86_400.0, EDQUOT: 86_400.0}
_SHORT_PATIENCE_SECONDS = 600.0


class EventsFile:
    """Writes whole lines in order. What cannot be written waits, and is tried again by `flush`."""

    def __init__(self, path: str, write: Callable[[int, memoryview], int] = os.write) -> None:
        self._path = path
        self._write = write
        self._fd = -1
        self._waiting: deque[memoryview] = deque()
        self._size = 0
        self._dropped_lines = 0
        self._dropped_bytes = 0
        self.on_dropped: Callable[[str], object] = lambda said: None
        self.error: OSError | None = None
        self.retry_at: float | None = None

    def append(self, lines: bytes, room: int | None = None, /) -> None:
        """Lines that have to wait are dropped, and counted, where more than `room` bytes would wait with them."""
        if not lines:
            return  # a disk that takes nothing is a full one
        if self.error is not None and room is not None and self._size + len(lines) > room:
            self._dropped_lines += lines.count(b"\n")
            self._dropped_bytes += len(lines)
            return
        self._waiting.append(memoryview(lines))
        self._size += len(lines)
        if self.error is None:
            self.flush()

    def flush(self) -> bool:
        """Writes what waits, as far as there is room. Whether that was all."""
        try:
            self._write_waiting()
        except OSError as error:
            self.error = error
            self.retry_at = monotonic() + RETRY_SECONDS
            return False
        why, self.error, self.retry_at = self.error, None, None
        if self._dropped_lines:
            dropped = f"Left out {self._dropped_lines} lines of output, {self._dropped_bytes} bytes"
            self._dropped_lines = self._dropped_bytes = 0
            self.on_dropped(f"{dropped}: the job's events could not be written ({why}).")
        return self.error is None

    def patience(self) -> float:
        """How many seconds what waits is worth waiting for, once the job has ended."""
        number = None if self.error is None else self.error.errno
        return _PATIENCE_SECONDS.get(number or 0, _SHORT_PATIENCE_SECONDS)

    def _write_waiting(self) -> None:
        if self._fd < 0:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        while self._waiting:
            lines = self._waiting[0]
            written = self._write(self._fd, lines)
            self._size -= written
            if written == len(lines):
                self._waiting.popleft()
            else:  # the rest of a line has to come next
                self._waiting[0] = lines[written:]
            if written == 0:
                raise OSError(ENOSPC, os.strerror(ENOSPC))
