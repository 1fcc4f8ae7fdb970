"""A service whose answers a test writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable

import grpc
from google.protobuf.struct_pb2 import Struct

from plugin_runner.client.values import encode_params
from pluginrunner.v1 import plugin_runner_pb2_grpc
from pluginrunner.v1.job_event_pb2 import JobEvent, JobEvents, JobResult
from pluginrunner.v1.job_pb2 import Job, JobProgress, JobState
from pluginrunner.v1.plugin_runner_pb2 import WatchJobResponse

# How long anything may take, in seconds: only what is broken comes to that.
PATIENCE = 300

Answer = Callable[[Any, grpc.ServicerContext], Any]


class FakeService(plugin_runner_pb2_grpc.PluginRunnerServicer):
    """Answers the n-th call of a method by the n-th of its answers, and every further one by the last."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.requests: list[Any] = []
        for method, steps in answers.items():
            setattr(self, method, self._answering(steps))

    def _answering(self, steps: list[Answer]) -> Answer:
        remaining = list(steps)

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self.requests.append(request)
            step = remaining.pop(0) if len(remaining) > 1 else remaining[0]
            return step(request, context)

        return answer

    @contextmanager
    def listen(self) -> Iterator[str]:
        """Serves at the address that it yields."""
        server = grpc.server(ThreadPoolExecutor(8))
        plugin_runner_pb2_grpc.add_PluginRunnerServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(0).wait()


def fail(code: grpc.StatusCode) -> Answer:
    """A status without details."""
    return lambda _request, context: context.abort(code, "as the test says")


def hang(left: threading.Event) -> Answer:
    """Answers nothing until the caller is gone, and then sets an event."""

    def answer(_request: Any, context: grpc.ServicerContext) -> None:
        if not context.add_callback(left.set):  # it is gone already
            left.set()
        left.wait(PATIENCE)

    return answer


def hang_after(left: threading.Event, *messages: Any) -> Answer:
    """Streams messages, and then nothing more until the caller is gone."""

    def answer(_request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        # Before the first message: a caller that leaves after it may be gone by the next step.
        context.add_callback(left.set)
        yield from messages
        left.wait(PATIENCE)

    return answer


def running(last_sequence: int = 0) -> WatchJobResponse:
    """The snapshot of a job that runs."""
    return WatchJobResponse(snapshot=Job(job_id="j", state=JobState.JOB_STATE_RUNNING, last_sequence=last_sequence))


def events(*sequences: int) -> WatchJobResponse:
    """Events of progress."""
    progress = JobProgress(current=1, total=2)
    return WatchJobResponse(events=JobEvents(events=[JobEvent(sequence=one, progress=progress) for one in sequences]))


def result(sequence: int, value: object = None) -> WatchJobResponse:
    """The last event."""
    last = JobResult(value=to_struct({"value": value}).fields["value"])
    return WatchJobResponse(events=JobEvents(events=[JobEvent(sequence=sequence, result=last)]))


def to_struct(fields: object) -> Struct:
    """Params as a message, without the pointers beside them."""
    return encode_params(fields)[0] or Struct()
