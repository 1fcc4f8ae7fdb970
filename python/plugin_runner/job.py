"""`python -m plugin_runner.job <dir>`: carries the job of a folder, see docs/protocol.md."""

from __future__ import annotations

import os
import sys

from plugin_runner.claim_job import claim_job
from plugin_runner.decode import decode
from plugin_runner.supervisor import supervise


def main() -> None:
    """Claims the job and carries it. Ends with 0, also when somebody else carries it already."""
    directory = os.path.abspath(sys.argv[1])
    if not claim_job(directory):
        return
    with open(os.path.join(directory, "spec.json"), encoding="utf-8") as file:
        spec = decode(file.read())
    supervise(directory, spec)


if __name__ == "__main__":
    main()
