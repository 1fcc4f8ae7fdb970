"""What a caller may give, and what is made of it."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_service import FakeService

from plugin_runner.client import Client, ExecutionError, Resources, ValidationError, Violation, requests, to_python
from plugin_runner.client.values import to_struct
from pluginrunner.v1.plugin_runner_pb2 import RunPluginResponse


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


@pytest.mark.parametrize("timeout", [1.5, timedelta(seconds=1.5)])
def test_a_timeout_is_seconds_or_a_timedelta(timeout: Any) -> None:
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


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"a": [1, object()]}, "/params/a/1"),
        ({"a/b": float("nan")}, "/params/a~1b"),
        ({"a": 2**60}, "/params/a"),
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
    assert [type(value).__name__ for value in values] == ["int", "float", "float", "int", "bool"]


def test_a_filter_is_made_of_names_and_times() -> None:
    after = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    made = requests.job_filter(["RUNNING", "FAILED"], "", "", None, after, None)
    assert list(made.states) == [2, 5]
    assert made.created_after.ToJsonString() == "2025-12-31T23:00:00Z"
    assert not made.HasField("created_before")
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
    assert str(copy) == "no"
    assert vars(copy) == vars(error)
    assert not isinstance(copy, ExecutionError)
