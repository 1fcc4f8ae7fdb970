from __future__ import annotations

from pathlib import Path

import pytest

from plugin_runner.errors import RunnerError
from plugin_runner.scan import scan
from processes import PLUGINS


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_functions_and_classes_are_found_with_names_descriptions_and_lines() -> None:
    found = {each.name: each for each in scan(str(PLUGINS / "typed"))}
    assert found["train"].entrypoint == "typed:TrainAction"
    assert found["train"].description == "Trains a model."
    assert found["train"].line > 1
    assert found["special"].entrypoint == "typed:Custom"
    assert "typed" in found


def test_the_decorator_says_name_and_description() -> None:
    found = {each.name: each for each in scan(str(PLUGINS / "basic"))}
    assert found["sum"].entrypoint == "basic:add"
    assert found["sum"].description == "Adds two numbers."
    assert found["report"].description == "Says all that a context can say."
    assert "later" in found


def test_actions_of_the_sdk_are_found() -> None:
    found = {each.name: each.entrypoint for each in scan(str(PLUGINS / "sdk"))}
    assert found["train"] == "plugin.train:TrainAction"
    assert found["infer"] == "plugin.train:infer"


def test_a_base_class_of_another_file_is_followed(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "pack/__init__.py": "",
            "pack/base.py": (
                "import plugin_runner as pr\nclass Common(pr.BaseAction[dict]):\n    def execute(self): ...\n"
            ),
            "pack/sub/real.py": "from ..base import Common as C\nclass PreLabelAction(C):\n    pass\n",
        },
    )
    assert [(each.name, each.entrypoint) for each in scan(root, "pack")] == [
        ("common", "pack.base:Common"),
        ("pre_label", "pack.sub.real:PreLabelAction"),
    ]


def test_what_only_looks_like_an_action_is_not_one(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "views.py": "from rest_framework import action\n@action(detail=True)\ndef view(): ...\n",
            "abstract.py": "from plugin_runner import BaseAction\nclass BaseTrain(BaseAction[dict]): ...\n",
            "hidden.py": "from plugin_runner import BaseAction\nclass _Own(BaseAction):\n    def execute(self): ...\n",
        },
    )
    assert scan(root) == []


def test_environments_and_hidden_folders_are_not_searched(tmp_path: Path) -> None:
    text = "from plugin_runner import action\n@action\ndef found(): ...\n"
    folders = ["node_modules", ".hidden", "my_env", "not-a-package"]
    root = write(
        tmp_path,
        {
            "my_env/pyvenv.cfg": "",
            **{f"{folder}/a.py": text for folder in folders},
            "a.py": text,
        },
    )
    assert [each.entrypoint for each in scan(root)] == ["a:found"]


def test_a_broken_file_does_not_hide_the_others(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "a.py": "@action def",
            "b.py": "from plugin_runner import action\n@action\ndef b(): ...\n",
        },
    )
    assert [each.name for each in scan(root)] == ["b"]


def test_a_named_module_that_is_broken_or_missing_is_reported() -> None:
    with pytest.raises(RunnerError) as caught:
        scan(str(PLUGINS / "broken"), "syntax")
    assert caught.value.reason == "PLUGIN_INVALID"
    assert caught.value.metadata["file"] == "syntax.py"
    assert caught.value.metadata["line"] == "5"
    with pytest.raises(RunnerError, match="There is no module nowhere"):
        scan(str(PLUGINS / "broken"), "nowhere")


MADE = """
import functools
from plugin_runner import action

if True:
    @action
    def conditional(): ...
else:
    @action
    def conditional(): ...

class Tools:
    @staticmethod
    @action
    def static(): ...

def make(name):
    @action(name=name)
    def inner(): ...
    return inner

made = make("made")
"""


def test_actions_under_conditions_and_static_methods_are_found_and_those_that_are_made_are_told_of(
    tmp_path: Path,
) -> None:
    found = scan(write(tmp_path, {"plugin/main.py": MADE}))
    assert [(each.name, each.entrypoint) for each in found if each.name] == [
        ("conditional", "plugin.main:conditional"),
        ("static", "plugin.main:Tools.static"),
    ]
    assert [tuple(each) for each in found if not each.name] == [("", "plugin/main.py", "plugin.main:", 18)]


@pytest.mark.parametrize(
    "text",
    ["made = action(functools.partial(print))", "from functools import partial\nmade = partial(declared)"],
)
def test_actions_that_are_made_of_others_are_told_of(tmp_path: Path, text: str) -> None:
    head = "import functools\nfrom plugin_runner import action\n@action\ndef declared(): ...\n"
    found = scan(write(tmp_path, {"main.py": head + text}))
    assert [each.name for each in found] == ["declared", ""]


def test_another_plugin_inside_is_not_searched_but_a_config_of_another_kind_is(tmp_path: Path) -> None:
    declared = "from plugin_runner import action\n@action\ndef {}(): ...\n"
    root = write(
        tmp_path,
        {
            "main.py": declared.format("outer"),
            "inner/config.yaml": "name: n\ncode: inner\n",
            "inner/main.py": declared.format("inner"),
            "json/config.yml": '{"name": "n", "code": "json"}',
            "json/main.py": declared.format("json"),
            "hydra/config.yaml": "model:\n  code: 5\n",
            "hydra/main.py": declared.format("hydra"),
        },
    )
    assert [each.name for each in scan(root)] == ["hydra", "outer"]


def test_actions_of_one_name_are_all_there(tmp_path: Path) -> None:
    declared = "from plugin_runner import action\n@action\ndef hi(): ...\n"
    root = write(tmp_path, {"a.py": declared, "b.py": declared})
    assert [each.entrypoint for each in scan(root)] == ["a:hi", "b:hi"]
