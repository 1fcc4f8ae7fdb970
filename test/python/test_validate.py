from __future__ import annotations

import sys
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


@pytest.mark.parametrize(
    ("entrypoint", "given", "more"),
    [
        ("changing", {"n": 2, "password": "pw", "raw": "abc"}, {"m": 1, "layers": [], "more": None, "Rate": 0.5}),
        ("changing", {"old": 2, "password": "pw", "r": "1"}, {"raw": "x", "layers": [], "more": None}),
        ("plain", {"n": "2", "raw": "abc"}, {"m": 1, "inner": None, "start": "abc"}),
        ("careless", {}, {"m": None}),
        ("careless_by_name", {}, {"m": None}),
    ],
)
def test_what_is_shown_is_the_same_call_again(
    start_worker: StartWorker, entrypoint: str, given: dict[str, Any], more: dict[str, Any]
) -> None:
    worker = start_worker("defaults")
    shown = validated(worker, f"defaults:{entrypoint}", given)
    assert shown == {**given, **more}
    assert validated(worker, f"defaults:{entrypoint}", shown) == shown
    assert worker.value(f"defaults:{entrypoint}", shown) == worker.value(f"defaults:{entrypoint}", given)


def test_defaults_of_records_in_records_are_shown(start_worker: StartWorker) -> None:
    worker = start_worker("defaults")
    given = {"n": 1, "password": "pw", "layers": [{"size": "3"}], "more": [{"size": 1}]}
    shown = validated(worker, "defaults:changing", given)
    assert (shown["layers"], shown["more"]) == ([{"size": "3", "name": "dense"}], [{"size": 1, "name": "dense"}])
    for inner in ({"a": 1}, [{"a": 1}]):
        shown = validated(worker, "defaults:plain", {"n": 1, "raw": "", "inner": inner})
        assert shown["inner"] in ({"a": 1, "b": 2}, [{"a": 1, "b": 2}])


@pytest.mark.parametrize("entrypoint", ["defaults:odd", "defaults:odd_by_name"])
def test_a_default_without_json_is_shown_as_text_with_a_warning_and_given_as_it_is(
    start_worker: StartWorker, entrypoint: str
) -> None:
    worker = start_worker("defaults")
    answer = worker.ask("validate", entrypoint=entrypoint, params={}, env={})
    assert answer["ok"]
    assert answer["value"]["seed"] == str(sys.maxsize)
    assert answer["value"]["thing"] == "<strange>"
    assert answer["non_finite"][0] == "/budget"
    assert [(each["field"], each["rule"]) for each in answer["warnings"]] == [
        ("/params/seed", "default"),
        ("/params/thing", "default"),
    ]
    assert worker.value(entrypoint)[2] == "<strange>"


def test_defaults_without_json_hide_no_action(start_worker: StartWorker) -> None:
    answer = start_worker("defaults").ask("describe", entrypoints={})
    described = {each["name"]: each for each in answer["value"]}
    assert described["fine"]["params_schema"]["properties"]["n"] == {"type": "integer", "default": 1}
    properties = described["odd_by_name"]["params_schema"]["properties"]
    assert properties["seed"] == {"type": "integer", "default": str(sys.maxsize)}
    assert properties["budget"]["default"] == "NaN"
    assert properties["thing"] == {"default": "<strange>"}


def test_a_float_may_be_given_as_an_integer_and_without_json(start_worker: StartWorker) -> None:
    worker = start_worker("defaults")
    for given in (1, 1.0):
        assert worker.value("defaults:choices", {"ratio": given, "scale": given}) == ["Ratio.WHOLE", "float"]
    found = faults(worker, "defaults:choices", {"ratio": True, "scale": 2})
    assert list(found) == ["/params/ratio", "/params/scale"]
    answer = worker.run("defaults:odd", {"budget": "NaN"}, non_finite=["/budget"])
    assert answer["value"][1] == "NaN"
    assert answer["non_finite"] == ["/1"]


def test_keys_that_become_equal_are_refused(start_worker: StartWorker) -> None:
    worker = start_worker("defaults")
    for entrypoint in ("defaults:by_number", "defaults:by_number_in_a_model"):
        found = faults(worker, entrypoint, {"weights": {"1": 2, "01": 3}})
        assert found == {"/params/weights/01": ("uniqueKeys", "is the same key as '1'")}


def test_what_a_model_ignores_is_told_beside_the_answer(start_worker: StartWorker) -> None:
    worker = start_worker("modern")
    params = {"size": {"width": 2, "widht": 3}}
    warning = {
        "field": "/params/size/widht",
        "description": 'is not known to the action and was ignored. Did you mean "width"?',
        "rule": "ignored",
    }
    assert worker.run("modern:mixed", params) == {"ok": True, "value": 2, "warnings": [warning]}
    validated = worker.ask("validate", entrypoint="modern:mixed", params=params, env={})
    assert validated["warnings"] == [warning]
    assert "warnings" not in worker.run("modern:mixed", {"size": {"width": 2}})
