"""The example of docs/python-plugins.md runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from processes import Job, WorkerClient, of

PAGE = Path(__file__).parents[2] / "docs/python-plugins.md"


def example(folder: Path) -> Path:
    block = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block is not None
    folder.mkdir()
    (folder / "shapes.py").write_text(block.group(1))
    return folder


def test_the_function_runs(start_worker: Callable[..., WorkerClient], tmp_path: Path) -> None:
    worker = start_worker("docs", root=str(example(tmp_path / "plugins")), module="shapes")
    assert worker.value("shapes:area", {"width": "2", "height": 3}) == {"area": 6.0, "unit": "mm²"}


def test_the_class_runs_as_a_job(start_job: Callable[..., Job], tmp_path: Path) -> None:
    root = str(example(tmp_path / "plugins"))
    binding = {"language": "python", "code": "shapes", "root": root, "module": "shapes", "digest": "d"}
    job = start_job("docs", "shapes:TileAction", {"count": 3}, binding={**binding, "env": {}, "packages": ""})
    records = job.wait()
    assert of(records, "result")[0]["value"]["covered"] == 300.0
    assert of(records, "progress")[-1]["current"] == 3
    assert of(records, "artifact")[0]["name"] == "plan.txt"
