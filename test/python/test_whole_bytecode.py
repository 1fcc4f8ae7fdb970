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
    (tmp_path / "compiled").mkdir()
    assert _run(tmp_path, 4096) == "imported"
    assert _run(tmp_path, -1) == "imported"
    assert len(list((tmp_path / "compiled").rglob("large.*"))) == 1


def test_code_is_not_kept_where_the_directory_of_all_of_it_is_gone(tmp_path: Path) -> None:
    """It stands in the service's data directory, which may have been moved."""
    (tmp_path / "large.py").write_text("def last(): return 'imported'\n")
    (tmp_path / "compiled").mkdir()
    move = f"import os, plugin_runner\nos.rename({str(tmp_path / 'compiled')!r}, {str(tmp_path / 'away')!r})\n"
    assert _run(tmp_path, -1, f"{move}{_PROGRAM}") == "imported"
    assert not (tmp_path / "compiled").exists()


def _run(directory: Path, limit: int, program: str = _PROGRAM) -> str:
    library = Path(__file__).parents[2] / "python"
    env = {"PYTHONPATH": f"{library}:{directory}", "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
    command = [sys.executable, "-c", program, str(limit)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()
