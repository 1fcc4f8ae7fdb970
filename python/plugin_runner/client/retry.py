"""When a call is made again, and after how long."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from grpc import StatusCode

if TYPE_CHECKING:
    from plugin_runner.client.errors import RunnerError

MAX_TRIES = 5
"""How many calls a request that nobody has answered is worth."""

FIRST_DELAY = 0.1
"""How many seconds the first wait takes at most."""

_MAX_DELAY = 10.0


def is_repeatable(error: RunnerError, failures: int) -> bool:
    """Whether a call that failed for the n-th time is made again: UNAVAILABLE is only said of work not started."""
    return error.code is StatusCode.UNAVAILABLE and not error._final and failures < MAX_TRIES


def delay_after(failures: int, error: RunnerError) -> float:
    """
    Seconds until the next try: longer with each failure, never less than the service asked for. Jitter keeps clients
    that lost the same server from coming back at once.
    """
    backoff = min(_MAX_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 10))
    return (error.retry_after or 0) + backoff * random.uniform(0.5, 1)
