"""The pipes of a job's output, as a process of the job sees them that is about to write a record."""

from __future__ import annotations

import select
from time import monotonic, sleep

_TURN_SECONDS = 0.00005
# Another program of the job may print without end: a record waits so long for it, and then not for a while.
_PATIENCE_SECONDS = 0.2
_IMPATIENCE_SECONDS = 1.0


class OutputPipes:
    """What C code and programs print is in these pipes until the supervisor has read it."""

    __slots__ = ("_gave_up", "_poll", "_waits")

    def __init__(self, read_ends: tuple[int, ...]) -> None:
        pipes = select.poll()
        for fd in read_ends:
            pipes.register(fd, select.POLLIN)
        self._poll = pipes.poll
        self._waits: float | None = None
        self._gave_up = 0.0

    def are_read(self) -> bool:
        """Whether nothing is in them, or nobody should wait for that any longer. Not for two threads at a time."""
        try:
            if not self._poll(0):
                self._waits = None
                return True
        except RuntimeError:  # a signal came amid the same question
            return True
        now = monotonic()
        if self._waits is None:
            if now < self._gave_up + _IMPATIENCE_SECONDS:
                return True
            self._waits = now
        if now < self._waits + _PATIENCE_SECONDS:
            return False
        self._waits = None
        self._gave_up = now
        return True

    def wait(self) -> None:
        """Leaves the supervisor a moment to read."""
        sleep(_TURN_SECONDS)
