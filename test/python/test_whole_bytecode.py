"""Compiled code on a disk that takes only a part of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import plugin_runner
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
import large
print(large.last())
"""


def test_code_that_was_written_in_part_is_compiled_again(tmp_path: Path) -> None:
    """A limit of the size of files makes a write end early, as a full disk does."""
    functions = "".join(f"def f{number}(): return {number!r} * 2\n" for number in range(500))
    (tmp_path / "large.py").write_text(f"{functions}def last(): return 'imported'\n")
    assert _run(tmp_path, 4096) == "imported"
    assert _run(tmp_path, -1) == "imported"
    assert len(list((tmp_path / "compiled").rglob("large.*"))) == 1


def _run(directory: Path, limit: int) -> str:
    library = Path(__file__).parents[2] / "python"
    env = {"PYTHONPATH": f"{library}:{directory}", "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
    command = [sys.executable, "-c", _PROGRAM, str(limit)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()
