"""`python -m plugin_runner.job <dir>`: carries the job of a folder, see docs/protocol.md."""

from __future__ import annotations

import json
import os
import sys

from plugin_runner.decode import decode
from plugin_runner.process_tree import identity_start_time
from plugin_runner.supervisor import supervise


def main() -> None:
    """Claims the job and carries it. Ends with 0, also when somebody else carries it already."""
    directory = os.path.abspath(sys.argv[1])
    if not _claim(directory):
        return
    with open(os.path.join(directory, "spec.json"), encoding="utf-8") as file:
        spec = decode(file.read())
    supervise(directory, spec)


def _claim(directory: str) -> bool:
    """Whether this process is the one that carries the job: a link is made once."""
    started = os.path.join(directory, "started")
    own = f"{started}.{os.getpid()}"
    with open(own, "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), "start_time": identity_start_time()}, file)
    try:
        os.link(own, started)
    except FileExistsError:
        return False
    finally:
        os.unlink(own)
    return True


if __name__ == "__main__":
    main()
