"""A job's records, written to the pipe that the supervisor reads."""

from __future__ import annotations

import os
from _thread import allocate_lock, start_new_thread
from time import sleep, time

from plugin_runner.encode import dumps, lenient_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from plugin_runner.errors import ErrorRecord

FIELDS_LIMIT = 256 * 1024


class EventSink:
    """Each record is one whole line. Thread-safe.

    Of progress that comes in quick succession the newest of each step is written: every 10 ms at first, and ever more
    rarely the longer the job runs, up to once a second. So a tight loop costs next to nothing, and its progress does
    not eat up the limit of the job's output.
    """

    keeps_artifacts = True

    def __init__(self, fd: int, line_limit: int) -> None:
        self._fd = fd
        self._line_limit = line_limit
        self._started = time()
        self._flushed = 0.0
        self._pending: dict[str, tuple[float, float, float, str]] = {}
        self._flush_is_due = False
        self._has_flusher = False
        self._renew_locks()
        os.register_at_fork(after_in_child=self._renew_locks)

    def progress(self, step: str, current: float, total: float, message: str) -> None:
        now = time()
        with self._lock:
            self._pending[step] = (now, current, total, message)
            if now - self._flushed >= self._interval(now):
                self._flush()
            elif not self._flush_is_due:
                self._flush_is_due = True
                self._flush_later()

    def metrics(self, step: str, values: dict[str, Any]) -> None:
        self._record("metrics", f'"step":{dumps(step)},"values":{_object(values)}')

    def log(self, level: str, message: str, fields: dict[str, Any]) -> None:
        text = dumps(cut(message.encode("utf-8", "backslashreplace"), self._line_limit))
        said = f'"level":{dumps(level)},"message":{text},"fields":{_object(fields)}'
        self._record("log", f'"source":"LOGGER",{said}')

    def artifact(self, artifact: dict[str, Any]) -> None:
        metadata = _object(artifact["metadata"])
        known = {key: value for key, value in artifact.items() if key != "metadata"}
        self._record("artifact", f'{dumps(known)[1:-1]},"metadata":{metadata}')

    def result(self, value: bytes) -> None:
        """Writes the result, which is JSON already."""
        self._record("result", f'"value":{value.decode()}')

    def error(self, record: ErrorRecord) -> None:
        self._record("error", f'"error":{dumps(record)}')

    def _record(self, kind: str, keys: str) -> None:
        line = f'{{"time":{time():.6f},"type":"{kind}",{keys}}}\n'.encode()
        with self._lock:
            self._flush()
            self._write(line)

    def _interval(self, now: float) -> float:
        return min(1.0, max(0.01, (now - self._started) / 1000))

    def _flush(self) -> None:
        if self._pending:
            lines = [_progress(step, *said) for step, said in self._pending.items()]
            self._pending.clear()
            self._flushed = time()
            self._write("".join(lines).encode())

    def _write(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def _flush_later(self) -> None:
        if not self._has_flusher:
            self._has_flusher = True
            start_new_thread(self._run_flusher, ())
        self._wake.release()

    def _run_flusher(self) -> None:
        wake, lock = self._wake, self._lock
        while True:
            wake.acquire()
            sleep(self._interval(time()))
            with lock:
                self._flush_is_due = False
                self._flush()

    def _renew_locks(self) -> None:
        """A forked process has neither the flusher nor whoever held a lock."""
        self._lock = allocate_lock()
        self._wake = allocate_lock()
        self._wake.acquire()
        self._has_flusher = False
        self._flush_is_due = False
        self._pending = {}


def cut(line: bytes, limit: int) -> str:
    """A line as text; what is beyond the limit is cut, and the cut is seen."""
    if len(line) <= limit:
        return line.decode("utf-8", "replace")
    return f"{line[:limit].decode('utf-8', 'replace')}… [+{len(line) - limit} bytes]"


def _progress(step: str, when: float, current: float, total: float, message: str) -> str:
    said = f'"current":{_number(current)},"total":{_number(total)},"message":{dumps(str(message))}'
    return f'{{"time":{when:.6f},"type":"progress","step":{dumps(str(step))},{said}}}\n'


def _number(value: float) -> str:
    return repr(value if type(value) in (int, float) else float(value))


def _object(fields: dict[str, Any]) -> str:
    text = dumps(lenient_object(fields))
    return text if len(text) <= FIELDS_LIMIT else f'{{"truncated":"{len(text)} characters"}}'
