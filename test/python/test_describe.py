from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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


MADE = """
import functools
from plugin_runner import action

@action
def shown(): return "shown"

alias = shown
four = functools.partial(shown)
five = action(functools.partial(shown))
add = action(lambda: 1)

def make(name):
    @action(name=name)
    def inner(): return name
    return inner

made = make("by a factory")

@action("by position")
def positional(): return 1

@action
@staticmethod
def odd(): return 1
"""


def test_the_loaded_code_tells_of_actions_that_a_program_made(start_worker: StartWorker, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(MADE)
    worker = start_worker("made", root=str(tmp_path))
    actions = described(worker)
    assert {name: each["entrypoint"] for name, each in actions.items()} == {
        "shown": "main:shown",
        "by position": "main:positional",
        "odd": "main:odd",
        "four": "main:four",
        "five": "main:five",
        "add": "main:add",
        "by a factory": "main:made",
    }
    assert [name for name, each in actions.items() if "error" in each] == ["add"]
    assert "lambda" in actions["add"]["error"]["message"]
    for name, returned in (("by a factory", "by a factory"), ("four", "shown"), ("by position", 1)):
        answer = worker.ask("run", action=name, entrypoint=actions[name]["entrypoint"], params={}, env={}, job_id="")
        assert answer["value"] == returned, answer


def test_modules_are_loaded_for_their_actions_only_where_no_text_shows_them(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "main.py").write_text("import plugin_runner as p\ndef f(): ...\ngetattr(p, 'act' + 'ion')(f)\n")
    (tmp_path / "other.py").write_text("raise SystemExit('never loaded')\n")
    (tmp_path / "third.py").write_text("import plugin_runner\nraise ValueError('no')\n")
    answer = start_worker("made", root=str(tmp_path)).ask("describe", entrypoints={})
    assert [(each["name"], each["entrypoint"]) for each in answer["value"]] == [("f", "main:f"), ("", "third:")]
    assert answer["value"][1]["error"]["metadata"]["file"] == "third.py"


NOTED = """
from plugin_runner import BaseAction, action

class Opaque: ...

@action
def fine(n: int = 1): return n

@action
def opaque(
    c: Opaque,
    n: int = 1,
): return n

class Model:
    def __init__(self, **values): self.__dict__.update(values)

class ClassAction(BaseAction[Opaque]):
    def execute(self): return 1

class Tools:
    def method(self): return 1
"""


def test_hints_that_mean_nothing_are_issues_with_their_place(start_worker: StartWorker, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(NOTED)
    worker = start_worker("noted", root=str(tmp_path))
    found = described(worker, fine="main:fine", opaque="main:opaque", whole="main:ClassAction")
    assert "issues" not in found["fine"]
    said = "has the hint main.Opaque, which is not known: the value comes as it is, unchecked."
    assert found["opaque"]["issues"] == [{"message": f"/params/c {said}", "file": "main.py", "line": 9}]
    assert found["whole"]["issues"] == [{"message": f"/params {said}", "file": "main.py", "line": 18}]
    assert found["opaque"]["params_schema"]["properties"]["n"] == {"type": "integer", "default": 1}


def test_a_method_is_told_as_such(start_worker: StartWorker, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(NOTED)
    error = start_worker("noted", root=str(tmp_path)).error("main:Tools.method")
    assert error["reason"] == "PLUGIN_INVALID"
    assert error["message"].startswith("Tools.method is a method of the class Tools")


def test_a_model_that_cannot_be_read_is_its_own_actions_fault(start_worker: StartWorker, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from plugin_runner import action\nfrom pydantic import BaseModel\n"
        "class Bad(BaseModel):\n    n: 'Absent'\n"
        "@action\ndef good(n: int): return n\n@action\ndef bad(params: Bad): return 1\n"
    )
    for asked in ({}, {"good": "main:good", "bad": "main:bad"}):
        found = described(start_worker("bad", root=str(tmp_path), module="" if asked else "main"), **asked)
        assert [name for name, each in found.items() if "error" in each] == ["bad"]
        assert found["bad"]["error"]["reason"] == "PLUGIN_INVALID"
        assert found["good"]["params_schema"]["required"] == ["n"]
