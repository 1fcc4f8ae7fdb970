"""A job's records, written to the pipe that the supervisor reads."""

from __future__ import annotations

import os
from _thread import RLock, allocate_lock, start_new_thread
from select import select
from time import sleep, time

from plugin_runner.encode import dumps, lenient_fields, record_text, shown_text
from plugin_runner.log_level import level_name
from plugin_runner.output import printed_frame
from plugin_runner.output_pipes import OutputPipes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from plugin_runner.errors import ErrorRecord
    from plugin_runner.process_lock import ProcessLock
    from plugin_runner.result import Encoded

_STOPPED = ("", ',"stopped":true')
FIELDS_LIMIT = 256 * 1024

# A process that the job forked may end without a word: so much of its progress is written without waiting.
_AT_ONCE = 256
_FRAME_BYTES = 1 << 16
_TURNS = 32
_FORK_WAIT_SECONDS = 10


class EventSink:
    """Each record is one whole line. Thread-safe, and safe in processes that the job forks or spawns.

    Of progress that comes in quick succession the newest of each step is written: every 10 ms at first, and ever more
    rarely the longer the job runs, up to once a second. So a tight loop costs next to nothing, and its progress does
    not eat up the limit of the job's output.

    What Python prints comes here as well, so that it stays in its place among records. What else writes to the job's
    `output` pipes is waited for before a record.

    Several processes may write to the pipe, which takes no more than 4 KiB at once: with the first fork a lock between
    the processes comes into being.
    """

    keeps_artifacts = True

    def __init__(
        self,
        fd: int,
        line_limit: int,
        output: tuple[int, ...] = (),
        started: float | None = None,
        shared: ProcessLock | None = None,
    ) -> None:
        self._fd = fd
        self._output = output
        self._line_limit = line_limit
        self._started = time() if started is None else started
        self._shared = shared
        self.is_forked = False
        self._stream = b""
        self._turns = 0
        self._torn = False
        self._at_once = 0 if shared is None else _AT_ONCE
        self._hooked = False
        self._flushed = 0.0
        self._has_flusher = False
        self._flush_is_due = False
        self._pending: dict[str, tuple[float, float, float, str]] = {}
        self._writes = False
        self._late: list[bytes] = []
        self._renew_locks()
        os.register_at_fork(
            before=self._before_fork, after_in_parent=self._after_fork, after_in_child=self._after_fork_in_child
        )

    def __reduce__(self) -> tuple[Callable[..., EventSink], tuple[Any, ...]]:
        """For a spawned process, which opens what this process has open."""
        from plugin_runner.process_lock import reopened_sink

        with self._lock:
            shared = self._share()
        return reopened_sink, (os.getpid(), self._fd, shared.fd, self._output, self._line_limit, self._started)

    def goes_on(self, stream: bytes) -> bool:
        """Whether a program that prints, and says nothing else for a while, may as well write to the pipe of `stream`.

        That is faster. The next record waits until it is read; but of forked processes it could mix with records.
        """
        if self._stream != stream:
            self._stream = stream
            self._turns = 0
        self._turns += 1
        return self._turns > _TURNS and self._shared is None

    def printed(self, stream: bytes, text: bytes) -> None:
        """Takes what was printed to `stream`, which is 1 or 2. Raises OSError when the plugin closed the pipe."""
        if len(text) <= _FRAME_BYTES:
            self._send(printed_frame(stream, text))
            return
        for at in range(0, len(text), _FRAME_BYTES):
            self._send(printed_frame(stream, text[at : at + _FRAME_BYTES]))

    def progress(self, step: str, current: float, total: float, message: str) -> None:
        now = time()
        with self._lock:
            self._pending[step] = (now, current, total, message)
            is_due = bool(self._at_once) or now - self._flushed >= self._interval(now)
            if is_due:
                self._at_once = max(self._at_once - 1, 0)
            elif not self._flush_is_due:
                self._flush_is_due = True
                self._flush_later()
        if is_due:
            self._stream = b""
            self._send(b"")

    def metrics(self, step: str, values: dict[str, Any]) -> None:
        self._record("metrics", f'"step":{self._text(step)},{_object("values", values)}')

    def log(self, level: str, message: str, fields: dict[str, Any]) -> None:
        said = f'"level":{self._text(level_name(level))},"message":{self._text(message)},{_object("fields", fields)}'
        self._record("log", f'"source":"LOGGER",{said}')

    def artifact(self, artifact: dict[str, Any]) -> None:
        said = [f'"{key}":{self._text(artifact[key])}' for key in ("name", "uri", "media_type", "sha256")]
        said.append(f'"size_bytes":{artifact["size_bytes"]}')
        self._record("artifact", f"{','.join(said)},{_object('metadata', artifact['metadata'])}")

    def tell(self, message: dict[str, Any]) -> None:
        """Says something to the supervisor alone."""
        self._send(record_text({"time": round(time(), 6), **message}) + b"\n")

    def result(self, value: Encoded, stopped: bool) -> None:
        """Writes the result, which is JSON already. `stopped`: whether the action had been told to stop."""
        self._record("result", value.keys().decode() + _STOPPED[stopped])

    def error(self, record: ErrorRecord, stopped: bool) -> None:
        self._record("error", f'"error":{record_text(record).decode()}{_STOPPED[stopped]}')

    def flush(self) -> None:
        """Writes the progress that waits."""
        with self._lock:
            self._write(self._waiting_progress())

    def _record(self, kind: str, keys: str) -> None:
        line = f'{{"time":{time():.6f},"type":"{kind}",{keys}}}\n'.encode()
        self._stream = b""
        self._send(line)

    def _send(self, line: bytes) -> None:
        """Writes the progress that waits, and a line, after all that has been printed before by whatever code."""
        while True:
            with self._lock:
                if self._pipes.are_read():
                    if self._pending:
                        line = self._waiting_progress() + line
                    self._write(line)
                    return
            self._pipes.wait()

    def _interval(self, now: float) -> float:
        return min(1.0, max(0.01, (now - self._started) / 1000))

    def _waiting_progress(self) -> bytes:
        pending, self._pending = self._pending, {}
        self._flushed = time()
        return "".join([self._progress_line(step, *said) for step, said in pending.items()]).encode()

    def _progress_line(self, step: str, when: float, current: float, total: float, message: str) -> str:
        said = f'"current":{current!r},"total":{total!r},"message":{self._text(message)}'
        return f'{{"time":{when:.6f},"type":"progress","step":{self._text(step)},{said}}}\n'

    def _text(self, text: object) -> str:
        """A text of the plugin as JSON: valid Unicode, and not longer than a line of its output."""
        return dumps(cut(shown_text(text).encode(), self._line_limit))

    def _write(self, lines: bytes) -> None:
        if not lines:
            return
        if self._writes:  # a signal's handler or a finalizer speaks amid a write of its own thread
            self._late.append(lines)
            return
        self._writes = True
        try:
            if self._shared is None:
                self._write_whole(lines)
            else:
                with self._shared:
                    # Another process may have been killed while it wrote: what is left of its line ends here.
                    self._write_whole(b"\n" + lines)
        finally:
            self._writes = False
        if self._late:
            late, self._late = self._late, []
            self._write(b"".join(late))

    def _write_whole(self, lines: bytes) -> None:
        rest: bytes | memoryview = b"\n" + lines if self._torn else lines
        self._torn = True
        while rest:
            try:
                written = os.write(self._fd, rest)
                rest = b"" if written == len(rest) else memoryview(rest)[written:]
            except BlockingIOError:  # the plugin made the pipe non-blocking
                select((), (self._fd,), ())
        self._torn = False

    def _flush_later(self) -> None:
        if not self._has_flusher:
            self._has_flusher = True
            start_new_thread(self._run_flusher, ())
        self._wake.release()

    def _run_flusher(self) -> None:
        wake, lock = self._wake, self._lock
        try:
            while True:
                wake.acquire()
                sleep(self._interval(time()))
                with lock:
                    self._flush_is_due = False
                    self._write(self._waiting_progress())
        except Exception:  # the plugin closed the pipe; who writes next is told
            with lock:
                self._has_flusher = False

    def _share(self) -> ProcessLock:
        if self._shared is None:
            from plugin_runner.process_lock import ProcessLock

            self._shared = ProcessLock()
        return self._shared

    def _before_fork(self) -> None:
        """No record may be half written while the process becomes two."""
        self._holds = self._lock.acquire(True, _FORK_WAIT_SECONDS)
        self._share()
        self._write(self._waiting_progress())
        if not self._hooked:
            from plugin_runner.process_lock import flush_at_end_of_children

            self._hooked = flush_at_end_of_children(self)

    def _after_fork(self) -> None:
        if self._holds:
            self._lock.release()

    def _after_fork_in_child(self) -> None:
        self._renew_locks()
        self.is_forked = True
        self._at_once = _AT_ONCE

    def _renew_locks(self) -> None:
        """A forked process has neither the flusher nor whoever held a lock."""
        self._lock = RLock()
        self._pipes = OutputPipes(self._output)
        self._writes = False
        self._late = []
        self._wake = allocate_lock()
        self._wake.acquire()
        self._has_flusher = False
        self._flush_is_due = False
        self._pending = {}


def cut(line: bytes, limit: int) -> str:
    """A line as text; what is beyond the limit is cut, and the cut is seen."""
    if len(line) <= limit:
        return line.decode("utf-8", "replace")
    return f"{line[:limit].decode('utf-8', 'ignore')}… [+{len(line) - limit} bytes]"


def _object(name: str, fields: dict[str, Any]) -> str:
    made, non_finite = lenient_fields(fields)
    text = dumps(made)
    if len(text) > FIELDS_LIMIT:
        return f'"{name}":{{"truncated":"{len(text)} characters"}}'
    more = f',"non_finite":{dumps(non_finite)}' if non_finite else ""
    return f'"{name}":{text}{more}'
