"""Clients of the two kinds of process, as the service is one."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LIBRARY = Path(__file__).parents[2] / "python"
PLUGINS = Path(__file__).parent / "plugins"
# How long anything may take: only what is broken comes to that.
SECONDS = 300


def binding(plugin: str, **changes: Any) -> dict[str, Any]:
    known = {
        "language": "python",
        "code": plugin,
        "root": str(PLUGINS / plugin),
        "module": "",
        "digest": "d",
    }
    return {**known, "env": {}, "packages": "", **changes}


class WorkerClient:
    """A worker on a socket pair, with its output in pipes."""

    def __init__(self, python: str, work_dir: Path) -> None:
        own, theirs = socket.socketpair()
        self.socket = own
        self.socket.settimeout(SECONDS)
        self._lines = own.makefile("rb")
        self._work_dir = work_dir
        self._next_id = 0

        def place() -> None:
            os.dup2(theirs.fileno(), 3)
            os.set_inheritable(3, True)

        self.process = subprocess.Popen(
            [python, "-m", "plugin_runner.worker"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            preexec_fn=place,
            env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        )
        theirs.close()
        self.ready = self.receive()

    def bind(self, plugin: str, **changes: Any) -> None:
        self.send(
            {
                "type": "bind",
                "binding": binding(plugin, **changes),
                "work_dir": str(self._work_dir),
                "artifacts_dir": str(self._work_dir.parent / "artifacts" / "w"),
            }
        )

    def send(self, message: dict[str, Any]) -> None:
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def request(self, kind: str, **keys: Any) -> int:
        self._next_id += 1
        self.send({"type": kind, "id": self._next_id, **keys})
        return self._next_id

    def receive(self) -> dict[str, Any]:
        return json.loads(self._lines.readline())

    def ask(self, kind: str, **keys: Any) -> dict[str, Any]:
        request_id = self.request(kind, **keys)
        answer = self.receive()
        assert answer.pop("id") == request_id
        return answer

    def run(self, entrypoint: str, params: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
        known = {
            "action": "a",
            "entrypoint": entrypoint,
            "params": params or {},
            "env": {},
            "job_id": "",
        }
        return self.ask("run", **{**known, **keys})

    def value(self, entrypoint: str, params: dict[str, Any] | None = None, **keys: Any) -> Any:
        answer = self.run(entrypoint, params, **keys)
        assert answer["ok"], answer
        return answer["value"]

    def error(self, entrypoint: str, params: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
        answer = self.run(entrypoint, params, **keys)
        assert not answer["ok"], answer
        return answer["error"]

    def close(self) -> tuple[str, str]:
        """Ends the worker as the service does; returns what it printed."""
        if self.socket.fileno() != -1:
            self.socket.shutdown(socket.SHUT_RDWR)
            self._lines.close()
            self.socket.close()
        if self.process.stdout is None or self.process.stdout.closed:
            return "", ""
        output, errors = self.process.communicate(timeout=SECONDS)
        return output.decode(), errors.decode()


class Job:
    """A job process in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        plugin: str,
        entrypoint: str,
        params: dict[str, Any],
        changes: dict[str, Any],
    ) -> None:
        self.folder = folder
        self.events_file = folder / "events.jsonl"
        spec = {
            "protocol": 1,
            "job_id": "job-1",
            "binding": binding(plugin),
            "action": "a",
            "entrypoint": entrypoint,
            "params": params,
            "env": {},
            "timeout_seconds": None,
            "grace_seconds": 0.3,
            "memory_mib": None,
            "output_limit_bytes": 1 << 20,
            "max_events": 100_000,
            "line_limit_bytes": 1000,
            "result_limit_bytes": 100_000,
            "work_dir": str(folder / "work"),
            "scope": f"scope-{os.getpid()}-{folder.name}",
            **changes,
        }
        (folder / "spec.json").write_text(json.dumps(spec))
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "plugin_runner.job", str(self.folder)],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(LIBRARY)},
            start_new_session=True,
        )

    def wait(self) -> list[dict[str, Any]]:
        """The records of the ended job."""
        assert self.process.wait(SECONDS) == 0
        return self.records()

    def records(self) -> list[dict[str, Any]]:
        if not self.events_file.exists():
            return []
        text = self.events_file.read_bytes()
        return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def wait_for(self, kind: str, **keys: Any) -> dict[str, Any]:
        """The first record of this kind that has these keys."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for record in self.records():
                if record["type"] == kind and all(record.get(key) == value for key, value in keys.items()):
                    return record
            select.select([], [], [], 0.01)
        raise AssertionError(f"no {kind} with {keys} in {self.records()}")

    def stop(self) -> None:
        """As the service asks."""
        self.process.send_signal(signal.SIGUSR2)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def of(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record["type"] == kind]


def messages(records: list[dict[str, Any]], source: str) -> list[str]:
    return [record["message"] for record in of(records, "log") if record["source"] == source]
