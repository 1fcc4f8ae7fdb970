from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from processes import WorkerClient

StartWorker = Callable[..., WorkerClient]


def described(worker: WorkerClient, **entrypoints: str) -> dict[str, dict[str, Any]]:
    answer = worker.ask("describe", entrypoints=entrypoints)
    assert answer["ok"], answer
    return {each["name"]: each for each in answer["value"]}


def test_a_dataclass_becomes_a_schema(start_worker: StartWorker) -> None:
    train = described(start_worker("typed"), train="typed:TrainAction")["train"]
    assert train["description"] == "Trains a model."
    assert train["params_schema"] == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "title": "TrainParams",
        "description": "How to train.",
        "properties": {
            "epochs": {
                "type": "integer",
                "description": "Passes over the data",
                "default": 10,
            },
            "rate": {"type": "number", "default": 0.1},
            "layers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "title": "Layer",
                    "properties": {
                        "size": {"type": "integer"},
                        "name": {"type": "string", "default": "dense"},
                    },
                    "required": ["size"],
                    "additionalProperties": False,
                },
                "default": [],
            },
            "colour": {"enum": ["red", "blue"], "default": "red"},
            "kind": {"enum": ["sgd", "adam"], "default": "sgd"},
        },
        "additionalProperties": False,
    }
    assert train["result_schema"] is None


def test_a_signature_becomes_a_schema(start_worker: StartWorker) -> None:
    schema = described(start_worker("typed"), typed="typed:typed")["typed"]
    properties = schema["params_schema"]["properties"]
    assert properties["day"] == {"type": "string", "format": "date"}
    assert properties["pair"] == {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
    }
    assert properties["counts"] == {
        "type": "object",
        "additionalProperties": {"type": "integer"},
    }
    assert properties["either"] == {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}
    assert properties["box"]["properties"] == {"width": {"type": "integer"}}
    assert properties["unknown"] == {"default": None}
    assert schema["params_schema"]["required"] == [
        "day",
        "where",
        "pair",
        "counts",
        "either",
        "box",
    ]
    assert schema["result_schema"]["additionalProperties"] == {"type": "string"}


def test_a_type_that_contains_itself_refers_to_itself(
    start_worker: StartWorker,
) -> None:
    schema = described(start_worker("typed"), tree="typed:tree")["tree"]["params_schema"]
    assert schema["properties"]["children"]["items"] == {"$ref": "#"}


def test_pydantic_models_describe_themselves(start_worker: StartWorker) -> None:
    found = described(start_worker("modern"))
    schema = found["resize"]["params_schema"]
    assert schema["properties"]["q"]["maximum"] == 100
    assert schema["$defs"]["Size"]["properties"]["width"]["description"] == "In pixels"
    assert found["resize"]["result_schema"]["properties"]["count"] == {
        "title": "Count",
        "type": "integer",
    }
    assert found["mixed"]["params_schema"]["properties"]["count"] == {
        "type": "integer",
        "default": 1,
    }


def test_a_module_shows_also_what_a_program_made(start_worker: StartWorker) -> None:
    found = described(start_worker("typed", module="typed"))
    assert found["made"]["entrypoint"] == "typed:made"
    assert found["special"]["params_schema"] == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
    }


@pytest.mark.parametrize(
    ("entrypoint", "reason", "message"),
    [
        ("syntax:broken", "PLUGIN_INVALID", "syntax.py:5: SyntaxError: invalid syntax"),
        ("missing:a", "PLUGIN_INVALID", "add it to the plugin's requirements.txt"),
        (
            "raising:a",
            "PLUGIN_INVALID",
            "raising.py:3: ZeroDivisionError: division by zero",
        ),
        ("nowhere:a", "PLUGIN_INVALID", "No module named 'nowhere'"),
        ("justaname", "PLUGIN_INVALID", "write it as package.module:Name"),
    ],
)
def test_what_cannot_be_loaded_has_an_error_beside_the_others(
    start_worker: StartWorker, entrypoint: str, reason: str, message: str
) -> None:
    found = described(start_worker("broken"), bad=entrypoint)["bad"]
    assert found["error"]["reason"] == reason
    assert message in found["error"]["message"]
    assert found["params_schema"] is None


def test_a_fault_of_an_import_has_its_place(start_worker: StartWorker) -> None:
    error = described(start_worker("broken"), bad="raising:a")["bad"]["error"]
    assert error["metadata"]["file"] == "raising.py"
    assert error["metadata"]["line"] == "3"
    assert error["exception_type"] == "ZeroDivisionError"
    assert "plugin_runner" not in error["stack"]
