"""Whether a watch that was cut goes on, and when."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from plugin_runner.client.arguments import seconds_of
from plugin_runner.client.failures import cut, misuse
from plugin_runner.client.retry import MAX_TRIES, delay_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_runner.client.arguments import Seconds
    from plugin_runner.client.errors import RunnerError

# No watch sets a deadline or cancels itself, so these too are the doing of a proxy or of a server that stops.
_CUT_REASONS = ("UNAVAILABLE", "ENGINE_UNAVAILABLE", "STORAGE_UNAVAILABLE", "OVERLOADED", "DEADLINE", "CANCELLED")


@dataclass(frozen=True)
class Patience:
    """How long a watch waits for a server."""

    silence: float
    """A stream that is silent for so many seconds counts as cut."""
    retry_for: float
    """For how many seconds a server that had answered is looked for."""


def patience_of(heartbeat_timeout: Seconds, retry_for: Seconds) -> Patience:
    """The patience that the options of a client say."""
    silence, seconds = seconds_of("/heartbeat_timeout", heartbeat_timeout), seconds_of("/retry_for", retry_for)
    if not silence or not silence > 0:
        raise misuse("/heartbeat_timeout", f"heartbeat_timeout is {heartbeat_timeout!r}, not a time above zero.")
    return Patience(silence, seconds or 0)


class Resumption:
    """The cuts of one watch. A server that never answers is given up after a few tries."""

    def __init__(
        self,
        patience: Patience,
        on_retry: Callable[[RunnerError], None] | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience = patience
        self._on_retry = on_retry
        self._clock = clock
        self._failures = 0
        self._heard = False
        self._lost_at: float | None = None

    def heard(self, update: str | None) -> None:
        """A message came, of this kind. Raises where it announces the end of the stream."""
        self._heard = True
        self._lost_at = None
        if update == "reconnect":
            raise cut("The server is going away.")
        if update != "snapshot":
            self._failures = 0

    def failed(self, error: RunnerError) -> float:
        """How many seconds to wait before the stream is opened again. Raises the error where it is not."""
        if error.reason not in _CUT_REASONS or self._is_final(error) or self._given_up():
            raise error from error.__cause__
        if self._on_retry:
            self._on_retry(error)
        return delay_after(self._failures, error)

    def _is_final(self, error: RunnerError) -> bool:
        return error._final == "certain" or (error._final == "unless_heard" and not self._heard)

    def _given_up(self) -> bool:
        self._failures += 1
        if not self._heard:
            return self._failures >= MAX_TRIES
        now = self._clock()
        if self._lost_at is None:
            self._lost_at = now
        return now - self._lost_at > self._patience.retry_for
