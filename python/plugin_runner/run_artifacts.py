"""Where the artifacts of runs are kept on a Ray node, for as long as the service that asked for the run says."""

from __future__ import annotations

import os
import uuid
from shutil import rmtree
from time import time


def place_artifacts(folder: str, seconds: float) -> str:
    """Where the runs of one worker keep theirs, each with a suffix of its own; empty where they are not kept.

    Removes what is old: services may keep theirs for different times, so these are the names of folders.
    """
    artifacts = os.path.join(folder, "artifacts")
    _remove_old(artifacts)
    return os.path.join(artifacts, f"{seconds:g}", str(uuid.uuid4())) if seconds > 0 else ""


def _remove_old(artifacts: str) -> None:
    """The age of a folder is that of its last artifact."""
    for times in _entries(artifacts):
        before = time() - float(times.name)
        for run in _entries(times.path):
            try:
                if run.stat().st_mtime < before:
                    rmtree(run.path, ignore_errors=True)
            except FileNotFoundError:  # another worker of this node was quicker
                pass


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except FileNotFoundError:
        return []
