"""What the processes of one job share to write to one pipe."""

from __future__ import annotations

import fcntl
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from plugin_runner.event_sink import EventSink


_reopened: dict[tuple[int, int], EventSink] = {}


class ProcessLock:
    """A lock between processes. It is freed with its holder, however that ends, as a lock of a file is."""

    __slots__ = ("fd",)

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _nameless_file() if fd is None else fd

    def __enter__(self) -> None:
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_EX)
        except OSError:  # the plugin closed all descriptors
            pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            fcntl.lockf(self.fd, fcntl.LOCK_UN)
        except OSError:
            pass


def reopened_sink(
    pid: int, records: int, lock: int, output: tuple[int, ...], line_limit: int, started: float
) -> EventSink:
    """The sink of another process, in a process that got the context from it. One, however often that is."""
    sink = _reopened.get((pid, records))
    if sink is not None:
        return sink
    import atexit

    from plugin_runner.event_sink import EventSink

    modes = [(records, os.O_WRONLY), (lock, os.O_RDWR), *((fd, os.O_RDONLY) for fd in output)]
    try:
        fds = [os.open(f"/proc/{pid}/fd/{fd}", mode) for fd, mode in modes]
    except OSError as error:
        raise RuntimeError(
            "The context of a job can be sent to another process on Linux, and while the job runs. Let the process "
            f"return what it has to say, or fork it: {error}"
        ) from None
    sink = _reopened[pid, records] = EventSink(fds[0], line_limit, tuple(fds[2:]), started, ProcessLock(fds[1]))
    atexit.register(sink.flush)
    return sink


def flush_at_end_of_children(sink: EventSink) -> bool:
    """Has the processes that `multiprocessing` forks write their last progress. False while nobody has imported it."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return False
    util.register_after_fork(sink, _flush_at_end)
    return True


def _flush_at_end(sink: EventSink) -> None:
    util = sys.modules["multiprocessing.util"]
    util.Finalize(None, sink.flush, exitpriority=0)


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("plugin-runner-lock")
    import tempfile

    fd, path = tempfile.mkstemp(prefix="plugin-runner-")
    os.unlink(path)
    return fd
