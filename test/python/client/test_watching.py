"""A watch goes on, whatever cuts it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from fake_service import PATIENCE, FakeService, events, fail, hang, hang_after, result, running

from plugin_runner.client import Client, ExecutionError, JobRemoved, RunnerError
from pluginrunner.v1.job_pb2 import Job, JobState
from pluginrunner.v1.plugin_runner_pb2 import (
    GetJobResponse,
    Heartbeat,
    Reconnect,
    WatchJobResponse,
    WatchJobsResponse,
)

Connect = Callable[..., Any]


def streams(*messages: Any) -> Callable[..., Iterator[Any]]:
    return lambda _request, _context: iter(messages)


def watch(client: Any, retries: list[RunnerError]) -> list[int]:
    first, *rest = client.watch_job("j", on_retry=retries.append)
    assert first.job_id == "j"
    return [event.sequence for event in rest]


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (streams(running(), events(1)), "ended early"),
        (streams(running(), events(1), WatchJobResponse(reconnect=Reconnect(after_sequence=1))), "going away"),
        (streams(running(), events(1, 3)), "Events 2 to 2 are missing"),
    ],
)
def test_it_goes_on_from_the_last_event(cut: Any, message: str, connect: Connect) -> None:
    service = FakeService(WatchJob=[cut, streams(running(3), events(1, 2), result(3))])
    retries: list[RunnerError] = []
    with service.listen() as address:
        assert watch(connect(address), retries) == [1, 2, 3]
    assert [request.after_sequence for request in service.requests] == [0, 1]
    assert message in str(retries[0])


@pytest.mark.parametrize("code", ["UNAVAILABLE", "CANCELLED", "DEADLINE_EXCEEDED"])
def test_it_goes_on_after_a_status_of_the_connection(code: str, connect: Connect) -> None:
    service = FakeService(WatchJob=[fail(grpc.StatusCode[code]), streams(running(), result(1))])
    retries: list[RunnerError] = []
    with service.listen() as address:
        assert watch(connect(address), retries) == [1]
    assert [error.code.name for error in retries] == [code]


def test_it_ends_with_any_other_status(connect: Connect) -> None:
    service = FakeService(WatchJob=[fail(grpc.StatusCode.UNIMPLEMENTED)])
    with service.listen() as address, pytest.raises(ExecutionError):
        watch(connect(address), [])
    assert len(service.requests) == 1


def test_a_server_that_never_answers_is_given_up(connect: Connect) -> None:
    service = FakeService(WatchJob=[fail(grpc.StatusCode.UNAVAILABLE)])
    with service.listen() as address, pytest.raises(ExecutionError):
        watch(connect(address), [])
    assert len(service.requests) == 5


def test_silence_is_a_cut(connect: Connect) -> None:
    service = FakeService(WatchJob=[hang_after(threading.Event(), running()), streams(running(), result(1))])
    retries: list[RunnerError] = []
    with service.listen() as address:
        assert watch(connect(address, heartbeat_timeout=1.5), retries) == [1]
    assert "Nothing came from the server for 1.5 s" in str(retries[0])


def test_the_time_of_the_consumer_is_no_silence(connect: Connect) -> None:
    retries: list[RunnerError] = []
    with FakeService(WatchJob=[streams(running(), result(1))]).listen() as address:
        for _ in connect(address, heartbeat_timeout=0.5).watch_job("j", on_retry=retries.append):
            time.sleep(0.6)
    assert retries == []


def test_leaving_ends_the_call(connect: Connect) -> None:
    left = threading.Event()
    service = FakeService(WatchJob=[hang_after(left, running())])
    with service.listen() as address:
        updates = connect(address).watch_job("j")
        next(updates)
        updates.close()
        assert left.wait(PATIENCE)


def test_a_watch_of_all_jobs_says_what_went_away_during_a_cut(connect: Connect) -> None:
    def snapshot(job_id: str) -> WatchJobsResponse:
        return WatchJobsResponse(snapshot=Job(job_id=job_id))

    heartbeat = WatchJobsResponse(heartbeat=Heartbeat())
    removed = [WatchJobsResponse(removed_job_id=job_id) for job_id in ("b", "unknown")]
    before = streams(snapshot("c"), snapshot("b"), snapshot("a"), heartbeat, *removed)
    service = FakeService(WatchJobs=[before, streams(snapshot("c"), heartbeat, heartbeat)])
    seen = []
    with service.listen() as address:
        for update in connect(address).watch_jobs(labels={"team": "birds"}):
            seen.append(update if isinstance(update, JobRemoved) else update.job_id)
            if update == JobRemoved("a"):
                break
    assert seen == ["c", "b", "a", JobRemoved("b"), "c", JobRemoved("a")]
    assert service.requests[0].filter.labels == {"team": "birds"}


def test_the_result_that_a_record_leaves_out_comes_from_the_last_event(connect: Connect) -> None:
    job = Job(job_id="j", state=JobState.JOB_STATE_SUCCEEDED, last_sequence=7)
    service = FakeService(
        GetJob=[lambda _request, _context: GetJobResponse(job=job)],
        WatchJob=[streams(WatchJobResponse(snapshot=job), result(7, {"large": True}))],
    )
    with service.listen() as address:
        assert connect(address).job("j").result() == {"large": True}
    assert service.requests[-1].after_sequence == 6


def test_a_wait_has_a_limit_of_the_caller() -> None:
    left = threading.Event()
    service = FakeService(
        GetJob=[lambda _request, _context: GetJobResponse(job=running().snapshot)],
        WatchJob=[hang_after(left, running())],
    )
    with service.listen() as address, Client(address) as client:
        with pytest.raises(TimeoutError):
            client.job("j").result(timeout=0.2)
        assert left.wait(PATIENCE)


def test_a_wait_has_a_limit_where_the_service_does_not_answer() -> None:
    service = FakeService(GetJob=[hang(threading.Event())])
    with service.listen() as address, Client(address) as client, pytest.raises(TimeoutError):
        client.result("j", timeout=0.2)


def test_it_goes_on_over_another_connection_where_the_first_is_dead(connect: Connect) -> None:
    dead = threading.Event()

    def fall_silent(_request: Any, _context: Any) -> Iterator[Any]:
        yield running()
        dead.set()
        yield events(1)

    service = FakeService(WatchJob=[fall_silent, streams(running(3), events(1, 2), result(3))])
    retries: list[RunnerError] = []
    with service.listen() as address, Relay(address, dead) as relay:
        assert watch(connect(relay.address, heartbeat_timeout=1.5), retries) == [1, 2, 3]
    assert ["Nothing came" in str(error) for error in retries] == [True]
    assert relay.connections == 2


class Relay:
    """Passes everything on, but for its first connection, which stays open and is dead from an event on."""

    def __init__(self, address: str, dead: threading.Event) -> None:
        host, port = address.split(":")
        self._to = (host, int(port))
        self._dead = dead
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self._listener, *self._sockets):
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                incoming, _ = self._listener.accept()
            except OSError:
                return
            outgoing = socket.create_connection(self._to)
            self._sockets += [incoming, outgoing]
            first = self.connections == 0
            self.connections += 1
            for source, sink in ((incoming, outgoing), (outgoing, incoming)):
                threading.Thread(target=self._pass, args=(source, sink, first), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, first: bool) -> None:
        try:
            while True:
                data = source.recv(65536)
                if not data:
                    return
                if not (first and self._dead.is_set()):
                    sink.sendall(data)
        except OSError:
            return
