"""The process that carries a job: starts the child, writes down what it does, and ends it. See docs/protocol.md."""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import sys
import termios
from time import monotonic, time

from plugin_runner.encode import dumps
from plugin_runner.errors import RunnerError
from plugin_runner.events_file import RETRY_SECONDS, EventsFile
from plugin_runner.journal import Journal
from plugin_runner.output import EventStream, TextStream
from plugin_runner.process import remove_directory
from plugin_runner.process_tree import adopt_orphans, kill_group, kill_rest, tell_to_stop
from plugin_runner.protocol import check_job
from plugin_runner.stop_signals import SIGNALS, STOPS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Stream(Protocol):
        def feed(self, chunk: bytes) -> None: ...
        def end(self) -> None: ...


DRAIN_SECONDS = 1.0
_CHUNK_BYTES = 1 << 16
# epoll takes no more than 2^31 ms.
_LONGEST_WAIT_SECONDS = 86_400.0
_EVENT_ROOM_BYTES = 1 << 20


def supervise(directory: str, spec: dict[str, Any]) -> None:
    """Runs the job of a claimed folder to its end. In the child this never returns."""
    spec.setdefault("artifacts_dir", os.path.join(directory, "artifacts"))
    events = EventsFile(os.path.join(directory, "events.jsonl"))
    try:
        check_job(spec, f"python {sys.version.split()[0]}")
    except RunnerError as error:
        _forget(directory)
        _put_refusal(events, error)
        return
    stdout, stderr, records, lifeline = os.pipe(), os.pipe(), os.pipe(), os.pipe()
    # A signal that comes before its handler stands waits until then, in both processes.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    pid = os.fork()
    if pid == 0:
        _become_child(spec, (stdout, stderr, records[1], lifeline[0]), (records[0], lifeline[1]))
    for fd in (stdout[1], stderr[1], records[1], lifeline[0]):
        os.close(fd)
    supervisor = Supervisor(events, spec, pid, stdout[0], stderr[0], records[0])
    supervisor.run()
    _forget(directory)
    remove_directory(spec["work_dir"])
    supervisor.put_exit()
    supervisor.wait_for_room()


def _put_refusal(events: EventsFile, error: RunnerError) -> None:
    """All that there is of a job that is carried by a library of another version."""
    how = {"code": 1, "signal": None, "timed_out": False, "stopped_by": None, "stderr_tail": ""}
    for record in ({"type": "error", "error": error.record()}, {"type": "exit", **how}):
        events.append(dumps({"time": round(time(), 6), **record}).encode() + b"\n")


def _forget(directory: str) -> None:
    """What the job was given may be secret, and nobody needs it any more."""
    try:
        os.unlink(os.path.join(directory, "spec.json"))
    except FileNotFoundError:
        pass


def _become_child(
    spec: dict[str, Any], kept: tuple[tuple[int, int], tuple[int, int], int, int], closed: tuple[int, ...]
) -> None:
    code = 1
    try:
        for fd in closed:
            os.close(fd)
        from plugin_runner.job_child import run_child

        code = run_child(spec, *kept)
    except BaseException:  # a fault of this package: it belongs to the job's stderr
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


class Supervisor:
    """The only writer of a job's events file, from `started` to `exit`."""

    def __init__(
        self, events: EventsFile, spec: dict[str, Any], pid: int, stdout: int, stderr: int, records: int
    ) -> None:
        self._events = events
        self._pid = pid
        self._scope: str = spec["scope"]
        self._grace: float = spec["grace_seconds"]
        self._journal = Journal(events.append, spec["output_limit_bytes"], spec["max_events"])
        events.on_dropped = self._journal.say
        line_limit = spec["line_limit_bytes"]
        echo = _echo if spec.get("echo_output") else None
        out = TextStream("STDOUT", line_limit, self._journal, echo)
        self._stderr = TextStream("STDERR", line_limit, self._journal, echo)
        self._records = EventStream(self._journal, spec["result_limit_bytes"] + _EVENT_ROOM_BYTES, out, self._stderr)
        self._streams: dict[int, Stream] = {records: self._records, stdout: out, stderr: self._stderr}
        self._selector = selectors.DefaultSelector()
        self._wakeup = -1
        self._status: int | None = None
        self._timed_out = False
        self._told_to_stop = False
        self._stopped_by: str | None = None
        seconds = spec["timeout_seconds"]
        self._stop_at = None if seconds is None else monotonic() + seconds
        self._within: dict[str, Any] = {}
        self._loaded_by: float | None = None
        self._may_load = True
        self._kill_at: float | None = None
        self._leave_at: float | None = None

    def run(self) -> None:
        """Writes `started`, follows the child to its end, and ends what it left behind."""
        self._put({"type": "started", "pid": self._pid})
        adopt_orphans()
        self._hear_signals()
        for fd in self._streams:
            self._selector.register(fd, selectors.EVENT_READ)
        try:
            while self._status is None or self._streams:
                self._turn()
                if self._leave_at is not None and monotonic() >= self._leave_at:
                    break
        finally:
            kill_rest(self._pid, self._scope)
        for fd, stream in self._streams.items():
            self._selector.unregister(fd)
            stream.end()
        self._journal.close()

    def wait_for_room(self) -> None:
        """Waits until all is written. Raises SystemExit, which says why, when that takes too long or somebody asks."""
        began = monotonic()
        while not self._events.flush():
            patience = self._grace if self._told_to_stop else self._events.patience()
            if monotonic() - began >= patience:
                raise SystemExit(f"How the job ended could not be written to its events: {self._events.error}")
            if self._selector.select(RETRY_SECONDS):
                self._take_signals(os.read(self._wakeup, 512))

    def _turn(self) -> None:
        deadlines = [
            self._stop_at,
            self._loaded_by,
            self._kill_at,
            self._leave_at,
            self._journal.due_at,
            self._events.retry_at,
        ]
        waits = [at - monotonic() for at in deadlines if at is not None]
        timeout = max(min(*waits, _LONGEST_WAIT_SECONDS), 0) if waits else None
        ready = [key.fd for key, _ in self._selector.select(timeout)]
        if self._wakeup in ready:
            ready.remove(self._wakeup)
            self._take_signals(os.read(self._wakeup, 512))
        self._read(ready)
        if self._journal.due_at is not None and monotonic() >= self._journal.due_at:
            self._journal.flush()
        now = monotonic()
        if self._stop_at is not None and now >= self._stop_at:
            self._timed_out = True
            self._stop()
        if self._loaded_by is not None and now >= self._loaded_by:
            self._end_loading()
        if self._events.retry_at is not None and now >= self._events.retry_at:
            self._events.flush()
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            kill_group(self._pid, signal.SIGKILL)

    def _hear_signals(self) -> None:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, _heard)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self._selector.register(read, selectors.EVENT_READ)
        self._wakeup = read

    def _take_signals(self, numbers: bytes) -> None:
        for number, sender in STOPS.items():
            if number in numbers:
                self._told_to_stop = True
                self._stopped_by = self._stopped_by or self._cause(sender)
                self._stop()
        if signal.SIGCHLD in numbers:
            self._reap()

    def _cause(self, sender: str) -> str | None:
        """Whoever stops an action that has returned, or that ran out of time, has not ended it."""
        return None if self._timed_out or (self._records.ended and sender != "SERVICE") else sender

    def _stop(self) -> None:
        """Tells the child to stop, once, and arranges for its end."""
        self._stop_at = self._loaded_by = None
        self._may_load = False
        if self._kill_at is None and self._status is None:
            self._kill_at = monotonic() + self._grace
            tell_to_stop(self._pid)

    def _hear_within(self, within: dict[str, Any]) -> None:
        """The child says that it begins to load code, and when it has."""
        self._within = within
        seconds = within.get("seconds")
        self._loaded_by = None
        if isinstance(seconds, (int, float)) and self._may_load and not self._records.ended:
            self._loaded_by = monotonic() + seconds

    def _end_loading(self) -> None:
        """Kills a child that has not loaded its code: no action has begun that could end in its own way."""
        self._loaded_by = None
        self._records.ended = True
        self._put({"type": "error", "error": self._within.get("error")})
        kill_group(self._pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Takes note of the child's end; orphans that came here are only buried."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status
                self._stop_at = self._loaded_by = self._kill_at = None
                self._leave_at = monotonic() + DRAIN_SECONDS
                kill_rest(self._pid, self._scope)

    def _read(self, ready: list[int]) -> None:
        """Reads what is in the pipes, in the order in which one thread wrote it.

        Before a record the child waits until nothing is in the output's pipes any more. So what is in them now was
        written after the records that are there now, and comes after them.
        """
        output = [(fd, _readable(fd)) for fd in ready if self._streams[fd] is not self._records]
        for fd, stream in list(self._streams.items()):
            if stream is self._records and (fd in ready or _readable(fd)):
                self._take(fd, _readable(fd) if output else 0)
        for fd, size in output:
            self._take(fd, size)

    def _take(self, fd: int, size: int) -> None:
        chunk = os.read(fd, size or _CHUNK_BYTES)
        if chunk:
            self._streams[fd].feed(chunk)
            if self._within is not self._records.within or self._records.ended:
                self._hear_within(self._records.within)
            if self._records.ended and self._kill_at is None and self._status is None:
                self._kill_at = monotonic() + self._grace  # what the plugin does at exit has an end, too
            return
        self._selector.unregister(fd)
        os.close(fd)
        self._streams.pop(fd).end()

    def put_exit(self) -> None:
        """Writes how the child ended, which is the last record."""
        status = self._status or 0
        killed = os.WIFSIGNALED(status)
        self._put(
            {
                "type": "exit",
                "code": None if killed else os.WEXITSTATUS(status),
                "signal": signal.Signals(os.WTERMSIG(status)).name if killed else None,
                "timed_out": self._timed_out,
                "stopped_by": self._stopped_by or self._told_by_others(),
                "stderr_tail": self._stderr.tail.decode("utf-8", "replace"),
            }
        )

    def _told_by_others(self) -> str | None:
        """The child may have been told to stop by somebody who did not tell this process."""
        return "SIGTERM" if self._records.stopped and not self._timed_out else None

    def _put(self, record: dict[str, Any]) -> None:
        self._events.append(dumps({"time": round(time(), 6), **record}).encode() + b"\n")


def _readable(fd: int) -> int:
    """How many bytes can be read."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0"), sys.byteorder)


def _echo(chunk: bytes) -> None:
    """To a file, which takes it whole; where it is full, the job goes on without."""
    try:
        os.write(1, chunk)
    except OSError:
        pass


def _heard(number: int, frame: object) -> None:
    """The wakeup descriptor has told the loop already."""
