"""A plugin that was written for the package `synapse-sdk`, unchanged."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from processes import Job, WorkerClient, binding, messages, of

pytest.importorskip("synapse_sdk", reason="`node scripts/python.ts sdk` runs these tests")

TRAIN = "plugin.train:TrainAction"


def test_a_class_runs_with_its_own_context(start_job: Callable[..., Job]) -> None:
    records = start_job("sdk", TRAIN, {"name": "x", "epochs": "2"}, env={"E": "1"}).wait()
    assert of(records, "result")[0]["value"] == {"loss": 0.5}
    progress = of(records, "progress")
    assert [(each["step"], each["current"], each["total"]) for each in progress] == [
        ("train", 1, 2),
        ("train", 2, 2),
    ]
    assert [(each["step"], each["values"]) for each in of(records, "metrics")] == [
        ("train", {"loss": 1.0}),
        ("train", {"loss": 0.5}),
        ("validation", {"epoch": 3, "val_loss": 0.5}),
    ]
    logged = [each for each in of(records, "log") if each["source"] == "LOGGER"]
    assert [(each["level"], each["message"]) for each in logged] == [
        ("INFO", "checkpoint"),
        ("SUCCESS", "Done."),
        ("WARNING", "careful"),
        ("DEBUG", "dev_event"),
        ("INFO", "Plugin run is complete."),
        ("INFO", "visualization"),
        ("INFO", "n 3"),
    ]
    assert messages(records, "STDOUT") == ["1 job-1"]


def test_a_result_that_does_not_fit_warns_as_in_the_sdk(
    start_job: Callable[..., Job],
) -> None:
    records = start_job("sdk", TRAIN, {"name": "x", "epochs": 3}).wait()
    assert of(records, "result")[0]["value"] == {"wrong": 1}
    assert "The result does not fit its model: /loss is required" in messages(records, "LOGGER")


def test_a_function_of_its_decorator_runs(
    start_worker: Callable[..., WorkerClient],
) -> None:
    assert start_worker("sdk").value("plugin.train:infer", {"name": "x"}) == {"name": "X"}


def test_faults_of_its_models_are_violations(
    start_worker: Callable[..., WorkerClient],
) -> None:
    for entrypoint in (TRAIN, "plugin.train:infer"):
        error = start_worker("sdk").error(entrypoint, {"name": "bad", "epochs": 0})
        assert {each["field"]: each["rule"] for each in error["violations"]} == {
            "/params/epochs": "greater_than_equal",
            "/params/name": "value_error",
        }


def test_its_schemas_are_described(start_worker: Callable[..., WorkerClient]) -> None:
    answer: dict[str, Any] = start_worker("sdk").ask("describe", entrypoints={})
    train = next(each for each in answer["value"] if each["name"] == "train")
    assert train["params_schema"]["properties"]["epochs"]["minimum"] == 1
    assert train["result_schema"]["properties"]["loss"]["type"] == "number"


def test_a_class_is_told_its_name_and_what_it_says_of_files_and_failure_becomes_events(
    start_job: Callable[..., Job],
) -> None:
    category = {**binding("sdk"), "category": "neural_net"}
    job = start_job("sdk", "plugin.train:ReportAction", {"name": "x"}, action="report", binding=category)
    records = job.wait()
    assert of(records, "result")[0]["value"] == ["report", "neural_net"]
    assert [(each["current"], each["message"]) for each in of(records, "progress")][-1] == (1, "failed")
    assert "The step draw failed." in messages(records, "LOGGER")
    assert [(each["name"], each["size_bytes"]) for each in of(records, "artifact")] == [("plot.png", 3)] * 2
    assert len({each["uri"] for each in of(records, "artifact")}) == 2
    assert of(records, "artifact")[1]["metadata"]["group"] == "epoch_1"
    assert [each["values"] for each in of(records, "metrics")] == [{"a": 1}, {"b": 2}]


def test_it_hears_of_a_cancel_and_cleans_up(start_job: Callable[..., Job]) -> None:
    job = start_job("sdk", "plugin.train:WaitAction", {"name": "x"}, grace_seconds=20)
    job.wait_for("log", message="waiting")
    job.stop()
    records = job.wait()
    assert [each["error"]["reason"] for each in of(records, "error")] == ["CANCELLED"]
    assert "cleaned up" in messages(records, "LOGGER")


def test_the_details_of_its_errors_arrive(start_worker: Callable[..., WorkerClient]) -> None:
    error = start_worker("sdk").error("plugin.train:RefuseAction", {"name": "x"})
    assert error["message"].endswith("ExecutionError: no")
    assert json.loads(error["metadata"]["details"]) == {"why": ["because", 1]}
