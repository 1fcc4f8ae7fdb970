"""What an error shows, and what it carries."""

from __future__ import annotations

import logging
import pickle
import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import grpc
import pytest
from fake_service import FakeService, running
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import DebugInfo, ErrorInfo
from google.rpc.status_pb2 import Status

import plugin_runner
from plugin_runner.client import ParamsWarning, Reason, RunnerError
from pluginrunner.v1.job_pb2 import FieldViolation, Job, JobError, JobState
from pluginrunner.v1.plugin_runner_pb2 import (
    GetJobResponse,
    RunPluginResponse,
    SubmitJobResponse,
    ValidateParamsResponse,
)

Connect = Callable[..., Any]
PROJECT = Path(__file__).parents[3]
STACK = 'Traceback (most recent call last):\n  File "plugin/train.py", line 7, in train\nValueError: no data'


def failing(reason: str, *details: Any) -> Callable[[Any, grpc.ServicerContext], None]:
    def answer(_request: Any, context: grpc.ServicerContext) -> None:
        status = Status(code=2, message="The action failed.")
        for detail in (ErrorInfo(reason=reason, domain="pluginrunner.v1.PluginRunner"), *details):
            packed = AnyMessage()
            packed.Pack(detail)
            status.details.append(packed)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.UNKNOWN, "The action failed.")

    return answer


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def test_an_uncaught_error_shows_the_reason_and_the_plugins_stack(connect: Connect) -> None:
    job = Job(job_id="j", state=JobState.JOB_STATE_FAILED)
    job.error.CopyFrom(JobError(reason="ACTION_FAILED", message="The action failed.", stack=STACK))
    service = FakeService(
        RunPlugin=[failing("ACTION_FAILED", DebugInfo(stack_entries=STACK.split("\n")))],
        GetJob=[lambda _request, _context: GetJobResponse(job=job)],
    )
    with service.listen() as address:
        client = connect(address)
        for call in (lambda: client.run_plugin("p", "a"), lambda: client.result("j")):
            with pytest.raises(RunnerError) as caught:
                call()
            text = shown(caught.value)
            assert text.endswith("ExecutionError: ACTION_FAILED: The action failed.\n")
            assert STACK in text
            assert "grpc-status-details-bin" not in text
            assert "debug_error_string" not in text
            copy = pickle.loads(pickle.dumps(caught.value))
            assert STACK in shown(copy)


def test_an_error_of_the_connection_shows_nothing_of_the_library(connect: Connect) -> None:
    with pytest.raises(RunnerError) as caught:
        connect("127.0.0.1:1").run_plugin("p", "a")
    assert "debug_error_string" not in shown(caught.value)


def test_what_is_left_of_a_result_is_in_the_error(connect: Connect) -> None:
    left = JobError(non_finite=["/1"])
    left.partial_result.list_value.values.add().null_value = 0  # type: ignore[assignment]
    left.partial_result.list_value.values.add().string_value = "NaN"
    job = Job(job_id="j", state=JobState.JOB_STATE_FAILED)
    job.error.CopyFrom(left)
    service = FakeService(
        RunPlugin=[failing("RESULT_INVALID", left)], GetJob=[lambda _request, _context: GetJobResponse(job=job)]
    )
    with service.listen() as address:
        client = connect(address)
        for call in (lambda: client.run_plugin("p", "a"), lambda: client.result("j")):
            with pytest.raises(RunnerError) as caught:
                call()
            assert repr(caught.value.partial_result) == "[None, nan]"


def test_warnings_are_told(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    faults = [FieldViolation(field="/params/epoch", description="is not used")]
    job = Job(job_id="j", state=running().snapshot.state, warnings=faults)
    service = FakeService(
        RunPlugin=[lambda _request, _context: RunPluginResponse(warnings=faults)],
        SubmitJob=[lambda _request, _context: iter([SubmitJobResponse(snapshot=job)])],
        ValidateParams=[lambda _request, _context: ValidateParamsResponse(valid=True, warnings=faults)],
    )
    told: list[ParamsWarning] = []
    with service.listen() as address:
        client = connect(address, on_warning=told.append)
        client.run_plugin("p", "a")
        assert [one.description for one in client.submit_job("p", "a").warnings] == ["is not used"]
        assert [one.field for one in client.validate_params("p", "a").warnings] == ["/params/epoch"]
        assert told == [ParamsWarning("p", "a", "/params/epoch", "is not used")] * 2
        with caplog.at_level(logging.WARNING, "plugin_runner"):
            connect(address).run_plugin("p", "a")
    assert caplog.messages == ["a of p: /params/epoch is not used"]


def test_the_reasons_are_those_of_the_service() -> None:
    listed = re.search(r"export const reasons = \[(.*?)\]", (PROJECT / "src/errors.ts").read_text(), re.DOTALL)
    assert listed
    assert [*get_args(Reason)] == [*re.findall(r'"(\w+)"', listed[1]), "UNAVAILABLE"]


def test_the_version_is_that_of_the_package() -> None:
    named = re.search(r'^version = "(.+)"$', (PROJECT / "python/pyproject.toml").read_text(), re.MULTILINE)
    assert named
    assert plugin_runner.__version__ == named[1]


def test_a_handle_has_the_id_by_both_names(connect: Connect) -> None:
    job = connect("127.0.0.1:1").job("j")
    assert (job.id, job.job_id) == ("j", "j")
