"""The actor that hosts one worker at a time: it starts the process, and says how it ended. See docs/protocol.md."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import uuid
from shutil import rmtree
from threading import Thread
from typing import Any

from plugin_runner.node_environment import allowed_environment
from plugin_runner.process_tree import SCOPE_VARIABLE, kill_group, kill_scope, marked_command
from plugin_runner.ray_gateway_package import own_folder, unpack
from plugin_runner.run_artifacts import place_artifacts

PROTOCOL_FD = 3
STDERR_TAIL_BYTES = 4096
OUTPUT_LIMIT_BYTES = 1 << 20


class WorkerHost:
    """Its methods are called by the gateway, several at a time."""

    def __init__(self, gateway: tuple[str, int], secret: str) -> None:
        self._gateway = gateway
        self._secret = secret
        self._worker: Worker | None = None

    async def start(
        self, worker_id: str, language: str, start_env: dict[str, str] | None = None, package: str = ""
    ) -> None:
        """Starts a worker, which connects to the gateway; ends the one that was there.

        `start_env` are variables that it has to be started with, for the plugin of `package`.
        """
        await self.kill()
        command = await asyncio.get_running_loop().run_in_executor(None, worker_command, language)
        root = await asyncio.get_running_loop().run_in_executor(None, unpack, package) if start_env and package else ""
        connection = socket.create_connection(self._gateway, timeout=10)
        with connection:
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(f"{self._secret} {worker_id}\n".encode())
            self._worker = Worker(command, connection.fileno(), start_environment(start_env or {}, root or ""))

    async def prepare(self, package: str, artifact_seconds: float) -> dict[str, str] | None:
        """The worker's folders: of the unpacked package, installed ones, scratch files. None when the package is gone.

        A plugin without a package is a module that is installed on the cluster.
        """
        assert self._worker is not None
        root = await asyncio.get_running_loop().run_in_executor(None, unpack, package) if package else ""
        if root is None:
            return None
        artifacts = await asyncio.get_running_loop().run_in_executor(
            None, place_artifacts, own_folder(), artifact_seconds
        )
        work_dir = self._worker.make_work_dir()
        return {"root": root, "packages": _node_modules(), "work_dir": work_dir, "artifacts_dir": artifacts}

    async def ended(self) -> dict[str, Any]:
        """How the worker ended, once it has."""
        assert self._worker is not None
        return await self._worker.ended

    async def kill(self) -> None:
        """Kills the worker and all that it started."""
        if self._worker is not None:
            self._worker.kill()
            await self._worker.ended


def worker_command(language: str) -> list[str]:
    if language == "python":
        return [sys.executable, "-m", "plugin_runner.worker"]
    from plugin_runner.ray_node import find_node

    node = find_node(own_folder(), lambda said: print(said, flush=True))
    runtime = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_node", "src", "runtime")
    entry = next(name for name in ("worker.js", "worker.ts") if os.path.exists(os.path.join(runtime, name)))
    return [node, os.path.join(runtime, entry)]


def start_environment(variables: dict[str, str], root: str) -> dict[str, str]:
    """The environment of a worker: this library comes first on PYTHONPATH, and the plugin's paths start at its root."""
    library = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    given = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path]
    path = os.pathsep.join([library, *(os.path.join(root, each) for each in given)])
    return {**allowed_environment(), **variables, "PYTHONPATH": path}


def _node_modules() -> str:
    """The packages that the actor's environment brought; empty for none. The path has folders of the driver, too."""
    brought = (path for path in sys.path if f"{os.sep}py_modules_files{os.sep}" in path)
    found = (os.path.join(path, "node_modules") for path in brought)
    return next((path for path in found if os.path.isdir(path)), "")


class Worker:
    """A worker process, in a session of its own."""

    def __init__(self, command: list[str], connection: int, environment: dict[str, str]) -> None:
        self._scope = str(uuid.uuid4())
        self._work_dir = ""
        self._stderr_tail = b""
        stdout, stderr = os.pipe(), os.pipe()
        program = marked_command(self._scope, command)
        self._pid = os.posix_spawn(
            program[0],
            program,
            {**environment, SCOPE_VARIABLE: self._scope},
            file_actions=_descriptors(connection, stdout[1], stderr[1]),
            setsid=True,
        )
        os.close(stdout[1])
        os.close(stderr[1])
        self._readers = [
            Thread(target=self._pass_on, args=(stdout[0], 1), daemon=True),
            Thread(target=self._pass_on, args=(stderr[0], 2), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.ended: asyncio.Future[dict[str, Any]] = asyncio.ensure_future(
            asyncio.get_running_loop().run_in_executor(None, self._wait)
        )

    def make_work_dir(self) -> str:
        self._work_dir = os.path.join(own_folder(), "work", self._scope)
        os.makedirs(self._work_dir, mode=0o700)
        return self._work_dir

    def kill(self) -> None:
        if not self.ended.done():
            kill_group(self._pid, signal.SIGKILL)

    def _wait(self) -> dict[str, Any]:
        _, status = os.waitpid(self._pid, 0)
        kill_group(self._pid, signal.SIGKILL)
        kill_scope(self._scope)
        for reader in self._readers:
            reader.join(1.0)
        if self._work_dir:
            rmtree(self._work_dir, ignore_errors=True)
        killed = os.WIFSIGNALED(status)
        return {
            "code": None if killed else os.WEXITSTATUS(status),
            "signal": signal.Signals(os.WTERMSIG(status)).name if killed else None,
            "stderr_tail": self._stderr_tail.decode("utf-8", "replace").rstrip(),
        }

    def _pass_on(self, pipe: int, own: int) -> None:
        """Passes output on to the actor's own, which Ray shows, up to a limit: it is kept on the node's disk."""
        room = OUTPUT_LIMIT_BYTES
        while True:
            chunk = os.read(pipe, 1 << 16)
            if not chunk:
                break
            if own == 2:
                self._stderr_tail = (self._stderr_tail + chunk)[-STDERR_TAIL_BYTES:]
            if room > 0:
                os.write(own, chunk[:room])
                room -= len(chunk)
                if room <= 0:
                    os.write(own, b"\n[further output of this worker is left out]\n")
        os.close(pipe)


def _descriptors(connection: int, stdout: int, stderr: int) -> list[tuple[Any, ...]]:
    """What the worker has open: 0 to 3, and nothing of Ray's."""
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    # The sources may have the numbers of the targets: they are first moved out of the way.
    away = [highest + 10 + index for index in range(3)]
    return [
        *((os.POSIX_SPAWN_DUP2, source, target) for source, target in zip((connection, stdout, stderr), away)),
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
        *((os.POSIX_SPAWN_DUP2, source, target) for source, target in zip(away, (PROTOCOL_FD, 1, 2))),
        *((os.POSIX_SPAWN_CLOSE, fd) for fd in range(PROTOCOL_FD + 1, away[-1] + 1)),
    ]
