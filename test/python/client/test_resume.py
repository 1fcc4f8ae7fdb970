"""When a watch is given up, and how long it waits."""

from __future__ import annotations

import grpc
import pytest

from plugin_runner.client.errors import ExecutionError
from plugin_runner.client.failures import cut
from plugin_runner.client.resume import Patience, Resumption
from plugin_runner.client.retry import delay_after


@pytest.fixture(autouse=True)
def short_waits() -> None:
    """Waits are as long as they are."""


def test_a_server_that_was_lost_is_looked_for_a_while() -> None:
    now = [0.0]
    resumption = Resumption(Patience(silence=30, retry_for=600), None, lambda: now[0])
    resumption.heard("snapshot")
    now[0] = 10_000  # however long the consumer took
    for _ in range(20):
        resumption.failed(cut("gone"))
    now[0] += 600
    resumption.failed(cut("gone"))
    now[0] += 1
    with pytest.raises(ExecutionError, match="gone"):
        resumption.failed(cut("gone"))


def test_what_is_heard_makes_waits_short_again_but_for_a_snapshot() -> None:
    resumption = Resumption(Patience(silence=30, retry_for=600), None)
    resumption.heard("snapshot")
    for _ in range(9):
        resumption.failed(cut("gone"))
    resumption.heard("snapshot")
    assert resumption.failed(cut("gone")) >= 5
    resumption.heard("heartbeat")
    assert resumption.failed(cut("gone")) <= 0.1


@pytest.mark.parametrize(("failures", "longest"), [(1, 0.1), (2, 0.2), (4, 0.8), (7, 6.4), (8, 10), (5000, 10)])
def test_waits_double_up_to_a_limit(failures: int, longest: float) -> None:
    assert longest / 2 <= delay_after(failures, cut("gone")) <= longest


def test_a_wait_is_never_shorter_than_the_service_asked_for() -> None:
    error = ExecutionError("busy", reason="OVERLOADED", code=grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after=3)
    assert 3 <= delay_after(1, error) <= 3.1
