"""A private server ends with its program, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from fake_service import PATIENCE

from plugin_runner.client import ExecutionError, private_server

PROJECT = Path(__file__).parents[3]
SERVE = ["node", str(PROJECT / "src/cli/main.ts")]
FIXTURES = [PROJECT / "test/fixtures/plugins", PROJECT / "test/fixtures/clients"]


def test_it_runs_actions_and_ends_its_jobs_and_itself() -> None:
    with private_server(*FIXTURES, command=SERVE) as server:
        job = server.client.submit_job("cases", "wait")
        next(event for event in job.events() if event.HasField("progress"))
        started = next(server.data_dir.rglob("started"))
        process = int(started.read_text().split('"pid":')[1].split(",")[0].strip(" }"))
        os.kill(process, 0)
        with grpc.insecure_channel(server.address) as stranger, pytest.raises(grpc.RpcError) as refused:
            stranger.unary_unary("/pluginrunner.v1.PluginRunner/GetServerInfo")(b"")
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert not server.data_dir.exists()


def test_it_ends_when_its_program_is_killed() -> None:
    program = f"""
import os, signal, sys
sys.path.insert(0, {str(PROJECT / "python")!r})
from plugin_runner import private_server
server = private_server(command={SERVE!r})
print(server.client.server_info().engine, server.data_dir, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        engine, data_dir = process.stdout.readline().split()
    assert process.returncode == -signal.SIGKILL
    assert engine == "embedded"
    wait_until_gone(data_dir)


def wait_until_gone(path: str) -> None:
    until = time.monotonic() + PATIENCE
    while Path(path).exists():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_why_it_did_not_start_is_said() -> None:
    with pytest.raises(ExecutionError, match="The plugin root /nowhere is not a folder") as caught:
        private_server("/nowhere", command=SERVE)
    assert caught.value.reason == "UNAVAILABLE"


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="no plugin-runner on PATH"):
        private_server()
