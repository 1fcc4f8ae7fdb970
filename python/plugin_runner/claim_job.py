"""Makes this process the one that carries a job."""

from __future__ import annotations

import json
import os
import sys
from time import sleep

from plugin_runner.events_file import RETRY_SECONDS
from plugin_runner.process_tree import identity_start_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable


def claim_job(directory: str, sync: Callable[[int], None] = os.fsync) -> bool:
    """Whether this process carries the job from here on, and nobody else. Waits where the disk has no room."""
    started = os.path.join(directory, "started")
    said = False
    while not os.path.lexists(started):
        try:
            _link(directory, started, sync)
            return True
        except (FileExistsError, FileNotFoundError):  # somebody else has it, or the job was removed
            return False
        except OSError as error:
            if not said:
                print(f"The job waits to be claimed: {error}", file=sys.stderr, flush=True)
            said = True
            sleep(RETRY_SECONDS)
    return False


def _link(directory: str, started: str, sync: Callable[[int], None]) -> None:
    """Whole, on the disk, and only once."""
    draft = f"{started}.{os.getpid()}"
    try:
        with open(draft, "w", encoding="utf-8") as file:
            json.dump({"pid": os.getpid(), "start_time": identity_start_time()}, file)
            file.flush()
            sync(file.fileno())
        os.link(draft, started)
    finally:
        try:
            os.unlink(draft)
        except FileNotFoundError:
            pass
    _sync_directory(directory)


def _sync_directory(directory: str) -> None:
    """The claim holds without it, but for a loss of power."""
    try:
        fd = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
    except OSError:
        pass
