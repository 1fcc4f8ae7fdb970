"""The function run_plugin, as it is documented, against a live service."""

from __future__ import annotations

import inspect

import pytest
from targets import Targets

from plugin_runner import ActionNotFoundError, Client, ExecutionError, ValidationError, run_plugin


@pytest.fixture(autouse=True)
def address(targets: Targets, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PLUGIN_RUNNER_ADDRESS", targets.all["plain"])
    address: str = targets.all["plain"]
    return address


def test_its_signature() -> None:
    parameters = list(inspect.signature(run_plugin).parameters.values())
    assert [one.name for one in parameters] == ["plugin_code", "action", "params", "mode", "executor_kwargs"]
    assert parameters[2].default is None
    assert parameters[3].default == "local"
    assert parameters[3].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("mode", ["local", "task"])
def test_it_returns_the_result(mode: str) -> None:
    assert run_plugin("greet", "greet", {"name": "Ada"}, mode=mode) == "Hello, Ada!"


def test_a_job_is_its_id_at_once(address: str) -> None:
    job_id = run_plugin("cases", "wait", mode="job", job_id="run-plugin-1")
    assert job_id == "run-plugin-1"
    with Client(address) as client:
        client.cancel_job(job_id)
        with pytest.raises(ExecutionError) as caught:
            client.result(job_id)
    assert caught.value.reason == "CANCELLED"


def test_the_address_may_be_given(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUGIN_RUNNER_ADDRESS", "127.0.0.1:1")
    assert run_plugin("greet", "greet", address=address) == "Hello, world!"


def test_an_action_class_skips_discovery() -> None:
    assert run_plugin("typed", "", {"a": 2, "b": 3}, action_cls="plugin.add:add") == 5


def test_an_environment_reaches_the_action() -> None:
    shown = run_plugin("python-environment", "show", mode="task", env={"FIXTURE_A": 5})
    assert shown["context"]["FIXTURE_A"] == "5"


def test_its_exceptions() -> None:
    with pytest.raises(ActionNotFoundError) as missing:
        run_plugin("greet", "great")
    assert missing.value.metadata["nearest"] == "greet"
    with pytest.raises(ValidationError) as invalid:
        run_plugin("python-params", "configured", {"epochs": 0}, mode="job")
    assert "/params/epochs" in [violation.field for violation in invalid.value.violations]
    with pytest.raises(ExecutionError) as failed:
        run_plugin("python-failing", "fail")
    assert failed.value.exception_type.endswith("ModelError")


def test_an_unknown_option_names_what_there_is() -> None:
    with pytest.raises(ValidationError, match="/epochs is not an option; there are mode, address") as caught:
        run_plugin("greet", "greet", epochs=3)  # type: ignore[call-arg]
    assert caught.value.reason == "REQUEST_INVALID"
