"""The connections of workers to the gateway: each is file descriptor 3 of a worker, see docs/protocol.md."""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import socket
from typing import Any

from plugin_runner.errors import RunnerError
from plugin_runner.protocol import check_worker

MAX_FRAME_BYTES = 64 * 1024 * 1024
_HELLO_BYTES = 1024
# The beginning of a word that is no answer: see docs/protocol.md.
_WITHIN = b'{"type":"within"'


class LinkLost(Exception):
    """The worker's end of the connection is gone."""


class WorkerLink(asyncio.Protocol):
    """One worker's connection. Carries one request at a time."""

    def __init__(self, links: WorkerLinks) -> None:
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._chunks: list[bytes] = []
        self._held = 0
        self._next_id = 0
        self._answer: asyncio.Future[bytes] | None = None
        self._take = self._hello
        self._within: asyncio.TimerHandle | None = None
        self.lost = False
        self.refused: RunnerError | None = None
        """Why the connection was ended: what the worker says cannot be read, or it says nothing in time."""

    def send(self, message: dict[str, Any]) -> None:
        self._write(json.dumps(message).encode() + b"\n")

    def request(self, line: bytes) -> asyncio.Future[bytes]:
        """The answer to a request, whose JSON object has no id yet. Raises LinkLost when the worker goes meanwhile."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(_seen)
        if self.lost:
            answer.set_exception(LinkLost())
            return answer
        self._next_id += 1
        self._answer = answer
        self._write(b'{"id":%d,%b\n' % (self._next_id, line[1:]))
        return answer

    def cancel(self, grace_seconds: float) -> None:
        """Tells the worker that the answer to the last request is not wanted any more."""
        self._expect_nothing()
        self.send({"type": "cancel", "id": self._next_id, "grace_seconds": grace_seconds})

    def close(self) -> None:
        """Ends the connection, and so the worker."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        while True:
            end, newline, data = data.partition(b"\n")
            self._chunks.append(end)
            if not newline:
                self._held += len(end)
                if self._held > MAX_FRAME_BYTES or (self._take == self._hello and self._held > _HELLO_BYTES):
                    self.close()
                return
            line = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
            self._chunks.clear()
            self._held = 0
            self._take(line)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._expect_nothing()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(LinkLost())

    def _hello(self, line: bytes) -> None:
        """The first line comes from the worker's host; all further ones from the worker."""
        self._take = self._ready
        if not self._links.accept(line, self):
            self.close()

    def _ready(self, line: bytes) -> None:
        self._take = self._answered
        try:
            check_worker(json.loads(line))
        except RunnerError as error:
            self.refused = error
            self.close()

    def _answered(self, line: bytes) -> None:
        self._expect_nothing()
        if line.startswith(_WITHIN):
            self._expect(json.loads(line))
            return
        answer, self._answer = self._answer, None
        if answer is None:
            self.close()  # an answer that nobody asked for: the worker is broken
        elif not answer.done():
            answer.set_result(line)

    def _expect(self, within: dict[str, Any]) -> None:
        """A worker that is at loading code says another word in time, or is done with."""
        if "error" in within and self._answer is not None and not self._answer.done():
            self._within = asyncio.get_running_loop().call_later(within["seconds"], self._late, within["error"])

    def _expect_nothing(self) -> None:
        if self._within is not None:
            self._within.cancel()
            self._within = None

    def _late(self, error: dict[str, Any]) -> None:
        self.refused = RunnerError(error["reason"], error["message"], error["metadata"])
        self.close()

    def _write(self, line: bytes) -> None:
        if self._transport is not None and not self.lost:
            self._transport.write(line)


def _seen(answer: asyncio.Future[bytes]) -> None:
    """A failure that comes after its caller has left is nobody's."""
    if not answer.cancelled():
        answer.exception()


class WorkerLinks:
    """Listens for the workers' connections, inside the cluster."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._secret = secrets.token_urlsafe(32)
        self._expected: dict[str, asyncio.Future[WorkerLink]] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> WorkerLinks:
        self._server = await asyncio.get_running_loop().create_server(lambda: WorkerLink(self), self._host, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    @property
    def address(self) -> tuple[str, int]:
        assert self._server is not None
        return self._host, self._server.sockets[0].getsockname()[1]

    @property
    def secret(self) -> str:
        """What a connection has to begin with."""
        return self._secret

    def expect(self, worker_id: str) -> asyncio.Future[WorkerLink]:
        """The connection of the worker that will say this id."""
        found: asyncio.Future[WorkerLink] = asyncio.get_running_loop().create_future()
        self._expected[worker_id] = found
        found.add_done_callback(lambda _: self._expected.pop(worker_id, None))
        return found

    def accept(self, line: bytes, link: WorkerLink) -> bool:
        secret, _, worker_id = line.decode("utf-8", "replace").partition(" ")
        found = self._expected.get(worker_id)
        if not hmac.compare_digest(secret.encode(), self._secret.encode()) or found is None or found.done():
            return False
        found.set_result(link)
        return True
