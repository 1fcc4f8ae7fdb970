"""How an action is told to stop."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` without its enums, which take their time
from _thread import allocate_lock, get_ident, start_new_thread
from time import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

# Of the grace: time for an action that looks at `ctx.cancelled` now and then. The rest is for its `finally` blocks.
_LOOKING_PART = 0.5


class Cancelled(BaseException):
    """Ends an action that was told to stop.

    It is no `Exception`, so that an `except Exception` around one step of the work does not swallow it.
    """


class Cancellation:
    """A flag that is raised once, from any thread.

    An action that has not looked at it after half of the grace is interrupted as by ^C, so that its `finally` blocks
    run before the process is killed: code that waits gets KeyboardInterrupt, coroutines get CancelledError.
    """

    __slots__ = ("_lock", "_over", "_thread", "interrupted", "requested", "seen")

    def __init__(self) -> None:
        self.requested = False
        self.seen = False
        self.interrupted = False
        self._over = True

    def request(self, grace_seconds: float) -> None:
        """Tells the action to stop. `grace_seconds` is the time until the process is killed."""
        if not self.requested:
            self.requested = True
            start_new_thread(self._interrupt, (grace_seconds,))

    def __enter__(self) -> None:
        """Begins the action, in the main thread: from here on, SIGINT raises KeyboardInterrupt there."""
        self._lock = allocate_lock()
        self._thread = get_ident()
        self._over = False
        _Running.is_one = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the action: no interrupt comes any more, whatever one that is under way has raised here before."""
        while not self._over:
            try:
                _Running.is_one = False
                with self._lock:
                    self._over = True
            except KeyboardInterrupt:
                pass

    def _interrupt(self, grace_seconds: float) -> None:
        sleep(grace_seconds * _LOOKING_PART)
        if self._over or self.seen:
            return
        with self._lock:
            if not self._over:
                self.interrupted = _Running.is_cancelled = True
                _signal.pthread_kill(self._thread, _signal.SIGINT)


class _Running:
    """Whether an action runs in the main thread, where Python calls handlers of signals."""

    is_one = False
    is_cancelled = False


def hear_interrupts() -> None:
    """SIGINT interrupts the action that runs; between two of them there is nothing to interrupt."""
    _signal.signal(_signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    if not _Running.is_one:
        return
    if _Running.is_cancelled:
        raise KeyboardInterrupt
    raise KeyboardInterrupt(
        "the process was sent SIGINT, and nobody has cancelled the action: code of the plugin does that, also in a"
        " thread that an earlier call has left, by _thread.interrupt_main() or os.kill()"
    )
