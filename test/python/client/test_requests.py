"""What a caller may give, and what is made of it."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from fake_service import FakeService, to_struct
from google.protobuf.struct_pb2 import Struct, Value

from plugin_runner import run_plugin
from plugin_runner.client import (
    Client,
    ExecutionError,
    Resources,
    ValidationError,
    Violation,
    requests,
    to_python,
)
from pluginrunner.v1.job_event_pb2 import JobLog, JobResult
from pluginrunner.v1.job_pb2 import Job, JobArtifact, JobMetrics
from pluginrunner.v1.plugin_runner_pb2 import RunPluginResponse, SubmitJobResponse, ValidateParamsResponse


class TrainAction:
    """Stands for a class of a plugin."""


class PluginEnvironment:
    """Stands for the one of a PluginEnvironment."""

    def to_dict(self) -> dict[str, Any]:
        return {"A": "a", "B": 1, "C": True, "D": ["x", "y"], "E": None}


@dataclass
class Point:
    x: int
    y: float


def sent(**options: Any) -> Any:
    service = FakeService(RunPlugin=[lambda _request, _context: RunPluginResponse()])
    with service.listen() as address, Client(address) as client:
        client.run_plugin("p", "a", **options)
    return service.requests[0]


def refusal(**options: Any) -> Violation:
    with Client("127.0.0.1:1") as client, pytest.raises(ValidationError) as caught:
        client.run_plugin("p", "a", **options)
    assert caught.value.reason == "REQUEST_INVALID"
    return caught.value.violations[0]


@pytest.mark.parametrize("given", [TrainAction, "test_requests:TrainAction"])
def test_a_class_names_the_code(given: Any) -> None:
    assert sent(action_cls=given).entrypoint == "test_requests:TrainAction"


def test_a_class_of_the_program_itself_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainAction, "__module__", "__main__")
    assert refusal(action_cls=TrainAction).field == "/entrypoint"


@pytest.mark.parametrize("env", [PluginEnvironment(), PluginEnvironment().to_dict()])
def test_an_environment_is_a_mapping_or_becomes_one(env: Any) -> None:
    assert sent(env=env).env == {"A": "a", "B": "1", "C": "true", "D": "x,y"}


@pytest.mark.parametrize("timeout", [1.5, timedelta(seconds=1.5), "1.5s", "1500ms"])
def test_a_timeout_is_seconds_a_timedelta_or_a_text(timeout: Any) -> None:
    assert sent(timeout=timeout).timeout.ToMilliseconds() == 1500
    assert requests.deadline_of(timeout) == 6.5


def test_a_timeout_beyond_what_a_deadline_can_say_has_none() -> None:
    assert requests.deadline_of(timedelta(days=30)) is None


def test_resources_are_passed_on() -> None:
    assert sent(resources=Resources(gpus=1, custom={"tpu": 2})).resources.custom == {"tpu": 2}


def test_params_may_be_what_results_may_be() -> None:
    params = {"when": datetime(2026, 1, 2), "where": Path("/x"), "point": Point(1, 2.5), 3: {4}}
    expected = {"when": "2026-01-02T00:00:00", "where": "/x", "point": {"x": 1, "y": 2.5}, "3": [4]}
    assert to_python(sent(params=params).params) == expected
    assert to_python(to_struct(Point(1, 2.5))) == {"x": 1, "y": 2.5}
    rich = {
        "span": timedelta(seconds=90.5),
        "id": UUID(int=1),
        "kind": Kind.TASK,
        "bytes": b"\x00\xff",
        "exact": Decimal("1.50"),
        "names": {Kind.TASK: 1, UUID(int=2): 2},
    }
    assert to_python(to_struct(rich)) == {
        "span": "PT1M30.5S",
        "id": "00000000-0000-0000-0000-000000000001",
        "kind": "task",
        "bytes": "AP8=",
        "exact": "1.50",
        "names": {"task": 1, "00000000-0000-0000-0000-000000000002": 2},
    }


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"a": [1, object()]}, "/params/a/1"),
        ({"a/b": 2**53}, "/params/a~1b"),
        ({"a": 2**60}, "/params/a"),
        ({1: 1, "1": 2}, "/params/1"),
        ({"a": "\ud800"}, "/params/a"),
        ([1], "/params"),
    ],
)
def test_params_without_json_are_refused_before_anything_is_sent(params: Any, field: str) -> None:
    assert refusal(params=params).field == field


def test_an_unknown_mode_names_what_there_is() -> None:
    assert "local, task, job" in refusal(mode="remote").description


def test_numbers_without_a_fraction_are_integers() -> None:
    values = to_python(to_struct({"values": [1.0, 1.5, 1e300, -0.0, True]}))["values"]
    assert [type(value).__name__ for value in values] == ["int", "float", "float", "float", "bool"]
    assert str(values[3]) == "-0.0"


def test_a_filter_is_made_of_names_and_times() -> None:
    after = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    made = requests.job_filter(["RUNNING", "FAILED"], "", "", None, after, None)
    assert list(made.states) == [2, 5]
    assert made.created_after.ToJsonString() == "2025-12-31T23:00:00Z"
    assert not made.HasField("created_before")
    assert list(requests.job_filter("RUNNING", "", "", None, None, None).states) == [2]
    assert list(requests.job_filter([2, "JOB_STATE_FAILED"], "", "", None, None, None).states) == [2, 5]
    with pytest.raises(ValidationError, match="PENDING, RUNNING"):
        requests.job_filter(["running"], "", "", None, None, None)


def test_an_error_survives_pickling() -> None:
    error = ValidationError(
        "no",
        reason="PARAMS_INVALID",
        code=grpc.StatusCode.INVALID_ARGUMENT,
        violations=[Violation("/a", "is bad", "x")],
    )
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is ValidationError
    assert str(copy) == "PARAMS_INVALID: no"
    assert vars(copy) == vars(error)
    assert not isinstance(copy, ExecutionError)


class Kind(Enum):
    TASK = "task"


class TextKind(str, Enum):
    TASK = "task"


@pytest.mark.parametrize("mode", [Kind.TASK, TextKind.TASK, "task"])
def test_names_and_ids_may_be_what_stands_for_a_text(mode: Any) -> None:
    some_id = UUID("00000000-0000-0000-0000-000000000001")
    options = {"mode": mode, "job_id": some_id, "request_id": some_id, "env": {"A": Path("/x"), "B": Kind.TASK}}
    service = FakeService(RunPlugin=[lambda _request, _context: RunPluginResponse()])
    with service.listen() as address, Client(address) as client:
        client.run_plugin(Path("/plugins/p"), mode, **options)
    sent = service.requests[0]
    assert (sent.plugin, sent.action, sent.mode) == ("/plugins/p", "task", 2)
    assert sent.job_id == sent.request_id == str(some_id)
    assert sent.env == {"A": "/x", "B": "task"}


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"timeout": "soon"}, "/timeout"),
        ({"timeout": True}, "/timeout"),
        ({"timeout": float("nan")}, "/timeout"),
        ({"timeout": 1e15}, "/timeout"),
        ({"timeout": [5]}, "/timeout"),
        ({"job_id": 5}, "/job_id"),
        ({"job_id": "\ud800"}, "/job_id"),
        ({"mode": 5}, "/mode"),
        ({"env": 5}, "/env"),
        ({"env": {"A": "\ud800"}}, "/env/A"),
        ({"env": {"A": b"x"}}, "/env/A"),
        ({"resources": 5}, "/resources"),
        ({"resources": {"gpu": 1}}, "/resources"),
        ({"entrypoint": 5}, "/entrypoint"),
        ({"plugin_code": "q"}, "/plugin"),
        ({"num_gpus": 1}, "/num_gpus"),
    ],
)
def test_what_cannot_be_an_option_is_refused_with_its_field(options: dict[str, Any], field: str) -> None:
    assert refusal(**options).field == field


def test_an_option_of_another_library_is_refused_with_what_to_use() -> None:
    assert "resources={'gpus': …}" in refusal(num_gpus=1).description
    assert "mode, entrypoint" in refusal(priority=1).description


def test_a_plugin_has_two_names() -> None:
    service = FakeService(RunPlugin=[lambda _request, _context: RunPluginResponse()])
    with service.listen() as address, Client(address) as client:
        client.run_plugin(plugin_code="p", action="a")
        run_plugin(plugin="p", action="a", address=address)
        run_plugin(plugin_code="p", action="a", address=address, resources={"gpus": 1})
        with pytest.raises(ValidationError, match="/plugin is missing"):
            client.run_plugin(action="a")
    assert [one.plugin for one in service.requests] == ["p", "p", "p"]
    assert service.requests[2].resources.gpus == 1


def test_numbers_of_other_methods_are_checked() -> None:
    with Client("127.0.0.1:1") as client:
        for call, field in (
            (lambda: next(client.list_jobs(page_size="5")), "/page_size"),  # type: ignore[arg-type]
            (lambda: next(client.list_jobs(page_size=2**40)), "/page_size"),
            (lambda: client.watch_job("j", 2**63), "/after_sequence"),
            (lambda: client.job(5), "/job_id"),  # type: ignore[arg-type]
            (lambda: client.get_job(5), "/job_id"),  # type: ignore[arg-type]
            (lambda: Client(heartbeat_timeout="never"), "/heartbeat_timeout"),
        ):
            with pytest.raises(ValidationError) as caught:
                call()
            assert caught.value.violations[0].field == field


def test_every_call_sends_numbers_that_are_not_finite() -> None:
    params = {"a": {"x/y": [float("nan"), "NaN", float("-inf")]}}
    service = FakeService(
        RunPlugin=[
            lambda request, _: RunPluginResponse(result=as_value(request.params), non_finite=request.non_finite)
        ],
        SubmitJob=[lambda _request, _context: iter([SubmitJobResponse(snapshot=Job(job_id="j"))])],
        ValidateParams=[
            lambda request, _: ValidateParamsResponse(valid=True, params=request.params, non_finite=request.non_finite)
        ],
    )
    with service.listen() as address, Client(address) as client:
        assert repr(client.run_plugin("p", "a", params)) == repr(params)
        client.submit_job("p", "a", params)
        assert repr(client.validate_params("p", "a", params, env={"A": "b"}).params) == repr(params)
    assert [list(one.non_finite) for one in service.requests] == [["/a/x~1y/0", "/a/x~1y/2"]] * 3
    assert (
        service.requests[0].params.fields["a"].struct_value.fields["x/y"].list_value.values[2].string_value
        == "-Infinity"
    )
    assert service.requests[2].env == {"A": "b"}


def as_value(struct: Struct) -> Value:
    return Value(struct_value=struct)


def test_messages_give_their_numbers_back() -> None:
    values = to_struct({"loss": "NaN", "name": "NaN", "list": ["-Infinity"], "kept": "text"})
    places = ["/loss", "/list/0", "/kept", "/none/0", "/list/7", "/list/x"]
    expected = repr({"loss": float("nan"), "name": "NaN", "list": [float("-inf")], "kept": "text"})
    for message in (
        JobMetrics(values=values, non_finite=places),
        JobLog(fields=values, non_finite=places),
        JobArtifact(metadata=values, non_finite=places),
        JobResult(value=as_value(values), non_finite=places),
    ):
        found = to_python(message)
        assert repr({name: found[name] for name in ("loss", "name", "list", "kept")}) == expected
    assert to_python(Value(string_value="Infinity"), [""]) == float("inf")
    assert to_python(Value(string_value="Infinity")) == "Infinity"


@pytest.mark.parametrize(("kind", "levels"), [("object", 32), ("list", 47)])
def test_what_is_nested_too_deep_is_refused_before_anything_is_sent(kind: str, levels: int) -> None:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if kind == "object" else [value]
    fault = refusal(params={"a": value})
    assert fault.field.startswith("/params/a/")
    assert "deep" in fault.description
    own: list[Any] = []
    own.append(own)
    assert "contains itself" in refusal(params={"a": own}).description


def test_words_for_who_sends_do_not_speak_of_results() -> None:
    for params in ({"a": 2**60}, {"a": object()}, {"a": "\ud800"}, {(1, 2): 3}):
        assert "return" not in refusal(params=params).description
        assert "result" not in refusal(params=params).description
