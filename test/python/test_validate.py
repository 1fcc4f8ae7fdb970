from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from processes import WorkerClient

StartWorker = Callable[..., WorkerClient]


def validated(worker: WorkerClient, entrypoint: str, params: dict[str, Any]) -> Any:
    answer = worker.ask("validate", entrypoint=entrypoint, params=params, env={})
    assert answer["ok"], answer
    return answer["value"]


def faults(worker: WorkerClient, entrypoint: str, params: dict[str, Any]) -> dict[str, tuple[str, str]]:
    answer = worker.ask("validate", entrypoint=entrypoint, params=params, env={})
    assert answer["error"]["reason"] == "PARAMS_INVALID", answer
    return {each["field"]: (each["rule"], each["description"]) for each in answer["error"]["violations"]}


def test_what_was_given_is_shown_with_defaults_filled_in(start_worker: StartWorker) -> None:
    params = {"epochs": "5", "rate": 1, "layers": [{"size": "3"}], "colour": "blue"}
    assert validated(start_worker("typed"), "typed:TrainAction", params) == {
        "epochs": "5",
        "rate": 1,
        "layers": [{"size": "3", "name": "dense"}],
        "colour": "blue",
        "kind": "sgd",
    }


def test_every_fault_is_reported_at_once(start_worker: StartWorker) -> None:
    params = {
        "epochs": 1.5,
        "layers": [{}, {"size": None, "nam": "x"}],
        "colour": "green",
        "kinds": "adam",
    }
    assert faults(start_worker("typed"), "typed:TrainAction", params) == {
        "/params/epochs": ("type", "must be an integer"),
        "/params/layers/0/size": ("required", "is required"),
        "/params/layers/1/size": ("type", "must be an integer"),
        "/params/layers/1/nam": (
            "additionalProperties",
            "is unknown; did you mean 'name'?",
        ),
        "/params/colour": ("enum", "must be one of 'red', 'blue'"),
        "/params/kinds": ("additionalProperties", "is unknown; did you mean 'kind'?"),
    }


def test_the_code_has_the_last_word(start_worker: StartWorker) -> None:
    found = faults(start_worker("typed"), "typed:TrainAction", {"rate": 2})
    assert found == {"/params": ("value_error", "the rate must not be above 1")}


def test_values_arrive_as_the_types_that_the_signature_says(
    start_worker: StartWorker,
) -> None:
    params = {
        "day": "2026-01-02",
        "where": "a/b",
        "pair": [1, "x"],
        "counts": {"a": 1.0},
        "either": "7",
        "box": {},
    }
    value = start_worker("typed").value("typed:typed", {**params, "flag": "yes", "maybe": "0.5"})
    assert value == {
        "day": "datetime.date(2026, 1, 2)",
        "where": "PosixPath('a/b')",
        "pair": "(1, 'x')",
        "counts": "{'a': 1}",
        "either": "'7'",
        "box": "{}",
        "unknown": "None",
        "flag": "True",
        "maybe": "0.5",
    }


@pytest.mark.parametrize(
    ("name", "value", "description"),
    [
        ("day", "tomorrow", "must be a date"),
        ("where", 3, "must be a path"),
        ("pair", [1], "must have 2 items, not 1"),
        ("counts", [], "must be an object"),
        ("either", [], "must be an integer, or must be a string, or must be null"),
        ("box", {"height": 1}, "is unknown"),
        ("flag", "perhaps", "must be a boolean"),
        ("maybe", "none", "must be a number, or must be null"),
    ],
)
def test_what_cannot_be_converted_is_refused(
    start_worker: StartWorker, name: str, value: object, description: str
) -> None:
    params = {
        "day": "2026-01-02",
        "where": "a",
        "pair": [1, "x"],
        "counts": {},
        "either": 1,
        "box": {},
        name: value,
    }
    found = faults(start_worker("typed"), "typed:typed", params)
    assert [each for _, each in found.values()] == [description]


def test_positional_only_and_further_params_are_passed(
    start_worker: StartWorker,
) -> None:
    assert start_worker("typed").value("typed:open_ended", {"first": "1", "third": 3}) == [1, "b", {"third": 3}]


def test_an_own_dispatch_is_called_with_the_params_as_they_came(
    start_worker: StartWorker,
) -> None:
    assert start_worker("typed").value("typed:Custom", {"a": 1}) == [
        "dispatched",
        {"a": 1, "more": 1},
    ]


def test_pydantic_reports_its_own_faults_by_pointer(start_worker: StartWorker) -> None:
    params = {"sizes": [{"width": 0}, {}], "by_name": {"a": []}, "quality": 1}
    assert faults(start_worker("modern"), "modern:ResizeAction", params) == {
        "/params/sizes/0/width": ("greater_than", "should be greater than 0"),
        "/params/sizes/1/width": ("missing", "is required"),
        "/params/by_name/a": ("string_type", "should be a valid string"),
        "/params/quality": ("extra_forbidden", "Extra inputs are not permitted"),
    }


def test_a_validator_of_a_whole_model_points_to_the_params(
    start_worker: StartWorker,
) -> None:
    found = faults(start_worker("modern"), "modern:ResizeAction", {"sizes": [{"width": 1}] * 3})
    assert found == {"/params": ("value_error", "at most 2 sizes")}


def test_pydantic_fills_in_under_the_names_that_it_takes(
    start_worker: StartWorker,
) -> None:
    worker = start_worker("modern")
    first = validated(worker, "modern:resize", {"sizes": [{"width": "3"}]})
    assert first == {"sizes": [{"width": "3"}], "by_name": {}, "q": 80}
    assert validated(worker, "modern:resize", first) == first
    assert worker.value("modern:resize", first) == {"count": 3}
    assert worker.value("modern:mixed", {"size": {"width": "4"}, "count": "2"}) == 8
    assert list(faults(worker, "modern:mixed", {"size": {"width": -1}})) == ["/params/size/width"]


def test_a_result_that_does_not_fit_its_model_is_only_logged(
    start_worker: StartWorker,
) -> None:
    worker = start_worker("modern")
    assert worker.value("modern:ResizeAction", {"sizes": [], "q": 0}) == {"wrong": 1}
    assert "The result does not fit its model: /count is required" in worker.close()[1]
