from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from processes import LIBRARY, Job, WorkerClient

sys.path.insert(0, str(LIBRARY))


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[..., WorkerClient]]:
    """Starts workers on the plugins beside this file, and ends them."""
    workers: list[WorkerClient] = []

    def start(plugin: str = "", python: str = sys.executable, **binding: Any) -> WorkerClient:
        workers.append(WorkerClient(python, tmp_path / "work"))
        if plugin:
            workers[-1].bind(plugin, **binding)
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def start_job(tmp_path: Path) -> Iterator[Callable[..., Job]]:
    """Starts jobs with specs of their own, and ends them."""
    jobs: list[Job] = []

    def start(plugin: str, entrypoint: str, params: dict[str, Any] | None = None, **spec: Any) -> Job:
        folder = tmp_path / f"job-{len(jobs)}"
        folder.mkdir()
        jobs.append(Job(folder, plugin, entrypoint, params or {}, spec))
        return jobs[-1]

    yield start
    for job in jobs:
        job.close()


@pytest.fixture
def run_python() -> Callable[[str], Any]:
    """Runs a program with the library importable; returns the JSON that it prints."""

    def run(program: str) -> Any:
        environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
        ended = subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        return json.loads(ended.stdout)

    return run
