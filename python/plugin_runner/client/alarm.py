"""Ends a wait from outside, where the wait itself takes no time limit."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Alarm:
    """Rings when it is set and not cleared in time. One thread of its own serves all the waits of a stream."""

    def __init__(self, ring: Callable[[], object]) -> None:
        self._ring = ring
        self._changed = threading.Condition()
        self._rings_at: float | None = None
        self._looks_at: float | None = None
        self._over = False
        self.rang = False
        threading.Thread(target=self._look, name="plugin-runner-alarm", daemon=True).start()

    def set(self, seconds: float) -> None:
        """Rings in so many seconds."""
        with self._changed:
            self._rings_at = time.monotonic() + seconds
            # A later time is seen when the thread looks next: messages come faster than threads wake.
            if self._looks_at is None or self._rings_at < self._looks_at:
                self._changed.notify()

    def clear(self) -> None:
        """Rings no more until it is set again."""
        with self._changed:
            self._rings_at = None

    def end(self) -> None:
        """Ends its thread."""
        with self._changed:
            self._over = True
            self._changed.notify()

    def _look(self) -> None:
        with self._changed:
            while not self._over:
                now = time.monotonic()
                if self._rings_at is not None and self._rings_at <= now:
                    self._rings_at = None
                    self.rang = True
                    self._ring()
                self._looks_at = self._rings_at
                self._changed.wait(None if self._rings_at is None else self._rings_at - now)
