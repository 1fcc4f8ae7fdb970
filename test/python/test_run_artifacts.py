"""Where `plugin_runner.run_artifacts` keeps what runs on a Ray node make known, and for how long."""

from __future__ import annotations

import os
from time import time
from typing import TYPE_CHECKING

from plugin_runner.run_artifacts import place_artifacts

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3600.0


def artifact(folder: Path, seconds: float, age: float) -> Path:
    """The folder of a run whose artifacts are kept so many seconds."""
    run = folder / f"{place_artifacts(str(folder), seconds)}-1"
    run.mkdir(parents=True)
    (run / "model.txt").write_text("")
    os.utime(run, (time() - age, time() - age))
    return run


def test_each_worker_has_a_place_of_its_own(tmp_path: Path) -> None:
    assert place_artifacts(str(tmp_path), HOUR) != place_artifacts(str(tmp_path), HOUR)


def test_what_is_kept_for_no_time_stays_with_its_run(tmp_path: Path) -> None:
    assert place_artifacts(str(tmp_path), 0) == ""


def test_what_is_older_than_its_service_keeps_it_goes_with_the_next_start(tmp_path: Path) -> None:
    old = artifact(tmp_path, HOUR, 2 * HOUR)
    recent = artifact(tmp_path, HOUR, HOUR / 2)
    kept_longer = artifact(tmp_path, 3 * HOUR, 2 * HOUR)
    place_artifacts(str(tmp_path), 0)
    assert [run.exists() for run in (old, recent, kept_longer)] == [False, True, True]
