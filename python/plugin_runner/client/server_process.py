"""A server of one's own, for a test or a notebook."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grpc import StatusCode

from plugin_runner.client.client import Client
from plugin_runner.client.errors import ExecutionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

_LOG = "log"
_LOG_TAIL = 2000

# A server lives until it is closed, also where only its client is kept.
_running: set[PrivateServer] = set()


def private_server(
    *roots: str | os.PathLike[str],
    command: Sequence[str] | None = None,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> PrivateServer:
    """
    Starts a server for this process alone: at a free port, with a token and a data folder of its own. Use it in a
    `with`, or close it. Its jobs, its data and itself end then, or when this process ends in any way.

    roots: folders that plugins stand in; default: the current one.
    command: what starts plugin-runner; default: `plugin-runner` on PATH.
    args: further options of `plugin-runner serve`. Plugins in Python run by this interpreter unless `--python` says
    else.
    env: environment variables for the server, over those of this process.

    Raises ExecutionError with the server's log when it does not start.
    """
    program = list(command) if command else [_program()]
    folder = Path(tempfile.mkdtemp(prefix="plugin-runner-"))
    server = PrivateServer(folder, _start_keeper(folder, {"PLUGIN_RUNNER_DRAIN": "2s", **os.environ, **(env or {})}))
    try:
        server._start([*program, "serve"], [os.fspath(root) for root in roots] or ["."], args)
    except BaseException:
        server.close()
        raise
    return server


class PrivateServer:
    """A server that `private_server` has started."""

    address: str
    """`host:port`."""
    token: str
    """What its callers have to send."""
    client: Client
    """A client of the server, which is closed with it."""
    data_dir: Path
    """Where it keeps its jobs and their files."""

    def __init__(self, folder: Path, keeper: subprocess.Popen[bytes]) -> None:
        self._folder = folder
        self._keeper = keeper
        self.token = secrets.token_urlsafe()
        self.data_dir = folder / "data"
        _running.add(self)

    @property
    def log(self) -> str:
        """What the server has written to standard error so far."""
        return (self._folder / _LOG).read_text(errors="replace")

    def _start(self, serve: Sequence[str], roots: Sequence[str], args: Sequence[str]) -> None:
        """Starts the server, and waits until it listens."""
        token_file = self._folder / "token"
        token_file.write_text(self.token)
        options = [
            *("--listen", "127.0.0.1:0", "--json"),
            *("--data-dir", str(self.data_dir), "--token-file", str(token_file)),
            *(part for root in roots for part in ("--root", root)),
            *(() if any(arg.startswith("--python") for arg in args) else ("--python", sys.executable)),
        ]
        announced = self._tell({"command": [*serve, *options, *args], "token": self.token, "folder": str(self._folder)})
        if not announced:
            self._keeper.wait()
            message = f"The server did not start. Its log ends with: {self.log[-_LOG_TAIL:].strip() or 'nothing'}"
            raise ExecutionError(message, reason="UNAVAILABLE", code=StatusCode.UNAVAILABLE)
        self.address = json.loads(announced)["address"]
        self.client = Client(self.address, token=self.token)

    def close(self) -> None:
        """Ends the server with its jobs, and removes its data."""
        if self not in _running:
            return
        if hasattr(self, "client"):
            self.client.close()
        self._keeper.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)
        _running.discard(self)

    def _tell(self, task: dict[str, Any]) -> bytes:
        """By the keeper's standard input, since other users of the machine can read command lines; its answer."""
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        self._keeper.stdin.write(json.dumps(task).encode() + b"\n")
        self._keeper.stdin.flush()
        return self._keeper.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _program() -> str:
    program = shutil.which("plugin-runner")
    if program is None:
        raise FileNotFoundError("There is no plugin-runner on PATH: install the npm package, or give a command.")
    return program


def _start_keeper(folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    program = f"import sys; sys.path[:] = {sys.path!r}; from plugin_runner.client.keeper import main; main()"
    with (folder / _LOG).open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=env,
            # Ctrl-C is for this process: the server ends with it, and only after its jobs.
            start_new_session=True,
        )
