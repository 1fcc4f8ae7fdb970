from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from plugin_runner import BaseAction, Cancelled, Context, action
from plugin_runner.authoring import class_action_name
from plugin_runner.cancellation import Cancellation
from plugin_runner.environment import Environment
from plugin_runner.sink import PlainRunSink


@pytest.mark.parametrize(
    ("current", "total"),
    [(0, 0), (1, -1), (2, 1), (-1, 1), (float("nan"), 1), (1, float("inf"))],
)
def test_impossible_progress_is_refused(current: float, total: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        Context(PlainRunSink()).set_progress(current, total)


def test_progress_is_told_in_numbers() -> None:
    ctx = Context(PlainRunSink())
    ctx.set_progress(Fraction(1, 2), 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="current must be a number, got str"):
        ctx.set_progress("1", 3)  # type: ignore[arg-type]


def test_measurements_and_fields_are_dicts(tmp_path: Path) -> None:
    ctx = Context(PlainRunSink(), work_dir=str(tmp_path))
    with pytest.raises(TypeError, match="metrics must be a dict, got list"):
        ctx.set_metrics([1])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="data must be a dict, got str"):
        ctx.log("event", "warn")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="metadata must be a dict, got str"):
        ctx.artifact(".", metadata="x")  # type: ignore[arg-type]


def test_a_cancelled_context_raises_past_except_exception() -> None:
    cancellation = Cancellation()
    ctx = Context(PlainRunSink(), cancellation)
    ctx.raise_if_cancelled()
    cancellation.requested = True
    assert ctx.cancelled
    assert not issubclass(Cancelled, Exception)
    with pytest.raises(Cancelled):
        ctx.raise_if_cancelled()


def test_an_artifact_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="pack a folder first"):
        Context(PlainRunSink(), work_dir=str(tmp_path)).artifact(".")


def test_the_environment_has_readers() -> None:
    env = Environment({"N": "3", "F": "0.5", "YES": "Yes", "NO": "0", "LIST": "a, b,,c"})
    assert (env["N"], env.get_int("N"), env.get_float("F")) == ("3", 3, 0.5)
    assert (env.get_bool("YES"), env.get_bool("NO"), env.get_bool("NONE", True)) == (
        True,
        False,
        True,
    )
    assert env.get_list("LIST") == ["a", "b", "c"]
    assert env.get_str("NONE", "d") == "d"
    assert env.get("NONE") is None
    assert "N" in env
    assert env.to_dict()["F"] == "0.5"
    assert "0.5" not in repr(env)
    with pytest.raises(ValueError, match="invalid literal"):
        env.get_int("F")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("TrainAction", "train"),
        ("PreLabelAction", "pre_label"),
        ("HTTPCheck", "http_check"),
        ("Action", "action"),
        ("Yolo8Export", "yolo8_export"),
    ],
)
def test_a_class_names_its_action(name: str, expected: str) -> None:
    assert class_action_name(name) == expected


def test_a_declared_function_stays_a_function() -> None:
    @action(description="Doubles.")
    def double(n: int) -> int:
        return 2 * n

    assert double(4) == 8


def test_a_class_can_be_called_without_the_service() -> None:
    class Double(BaseAction[dict]):
        def execute(self) -> int:
            return 2 * int(self.params["n"])

    assert Double.dispatch({"n": 4}, Context(PlainRunSink())) == 8
