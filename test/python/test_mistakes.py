"""What authors are told of their mistakes: the file, the line, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from processes import WorkerClient

StartWorker = Callable[..., WorkerClient]


@pytest.mark.parametrize(
    ("entrypoint", "reason", "message"),
    [
        ("classes:Nothing", "PLUGIN_INVALID", "classes.py:4: Nothing has no execute(): write `def execute(self)`."),
        (
            "classes:Lonely",
            "PLUGIN_INVALID",
            "classes.py:9: Lonely.__init__() cannot be called with (params, ctx): take both, or leave it out.",
        ),
        ("beside.main:run", "PLUGIN_INVALID", "helper.py stands beside the file that imports it: write `from . import"),
        ("calls.py:late", "PLUGIN_INVALID", "An entrypoint names a module and not its file: write calls."),
        ("calls:late", "ACTION_FAILED", "add it to the plugin's requirements.txt"),
        ("calls:debug", "ACTION_FAILED", "breakpoint() has no terminal here"),
    ],
)
def test_a_mistake_says_where_it_is_and_what_to_do(
    start_worker: StartWorker, entrypoint: str, reason: str, message: str
) -> None:
    worker = start_worker("mistaken")
    for _ in range(2):
        error = worker.error(entrypoint)
        assert error["reason"] == reason
        assert message in error["message"]


def test_a_class_that_takes_whatever_it_is_given_runs(start_worker: StartWorker) -> None:
    assert start_worker("mistaken").value("classes:Open") == "open"


def test_an_exception_out_of_a_process_pool_shows_the_authors_frames_alone(start_worker: StartWorker) -> None:
    stack = start_worker("mistaken").error("calls:pool")["stack"]
    files = [line.split('"')[1] for line in stack.splitlines() if line.startswith("  File ")]
    assert files
    assert {Path(file).name for file in files} == {"calls.py"}
    assert "in _in_another_process" in stack


def test_a_module_alone_is_not_told_to_have_requirements(start_worker: StartWorker, tmp_path: Path) -> None:
    (tmp_path / "alone.py").write_text("import no_such_package_of_mine\n")
    error = start_worker("alone", root=str(tmp_path), module="alone").error("alone:run")
    assert "alone.py:1: " in error["message"]
    assert "a plugin that is a module alone has no requirements" in error["message"]
