"""What docs/python-client.md shows runs, and prints what it should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import PATIENCE
from targets import Targets

from plugin_runner.client import private_server

PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs/python-client.md").read_text()
PLUGINS = PROJECT / "examples/plugins"
SERVE = ["node", str(PROJECT / "src/cli/main.ts")]

# In the order of the page: a title, and what the block prints.
EXPECTED = [
    ("The Python client", r"344 rows\n"),
    ("The Python client", r"submitted [0-9a-f-]{36}\n"),
    ("Jobs", r"(\d+ of 100\n)+1 of 1\n3 groups\n"),
    ("Jobs", r"3 groups\n"),
    ("Watching all jobs", r"[0-9a-f-]{36} JOB_STATE_SUCCEEDED\n"),
    ("Errors", r"/params/dataset .+\n"),
    ("asyncio", r"penguins 344\nweather 2922\n"),
    ("TLS", r"embedded\n"),
    ("A server of your own", r"344 rows\n"),
]


def blocks() -> list[tuple[str, str]]:
    found = re.finditer(r"^#+ ([^\n]*)$|^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    blocks, title = [], ""
    for heading, block in (match.groups() for match in found):
        title = heading or title
        if block:
            blocks.append((title, block))
    return blocks


@pytest.fixture
def environment(targets: Targets, tmp_path: Path) -> Iterator[dict[str, str]]:
    """What the page speaks of: a server at the address of the environment, files, and plugin-runner on PATH."""
    (tmp_path / "ca.pem").write_text(Path(targets.all["secure"]["ca"]).read_text())
    (tmp_path / "plugins").symlink_to(PLUGINS)
    command = tmp_path / "plugin-runner"
    command.write_text(f'#!/bin/sh\nexec {" ".join(SERVE)} "$@"\n')
    command.chmod(0o755)
    with private_server(PLUGINS, command=SERVE) as server:
        yield {
            **os.environ,
            "PYTHONPATH": str(PROJECT / "python"),
            "PLUGIN_RUNNER_ADDRESS": server.address,
            "PLUGIN_RUNNER_TOKEN": server.token,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        }


def test_every_block_prints_what_it_should(environment: dict[str, str], targets: Targets, tmp_path: Path) -> None:
    secure = targets.all["secure"]
    printed = []
    for title, block in blocks():
        program = block.replace("localhost:50151", secure["address"]).replace('"secret"', repr(secure["token"]))
        command = [sys.executable, "-c", program]
        printed.append(
            (title, subprocess.check_output(command, cwd=tmp_path, env=environment, text=True, timeout=PATIENCE))
        )
    assert [title for title, _ in printed] == [title for title, _ in EXPECTED]
    for (_, output), (_, expected) in zip(printed, EXPECTED):
        assert re.fullmatch(expected, output)
