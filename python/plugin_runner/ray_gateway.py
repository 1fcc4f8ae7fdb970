"""`python -m plugin_runner.ray_gateway`: runs tasks on actors of a Ray cluster, asked over HTTP. See docs/ray.md.

A Ray job of its own, shared by all services of one version that use the cluster. It writes where it listens, and the
token that it asks for, to a file beside its log, which only those read who may use the dashboard.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import secrets
import signal
import sys
from argparse import ArgumentParser
from time import monotonic

from plugin_runner.errors import RunnerError
from plugin_runner.ray_python import cannot_start

try:
    import ray
    from aiohttp import web
except ImportError as error:
    sys.exit(cannot_start(error))

from plugin_runner.ray_gateway_links import WorkerLinks
from plugin_runner.ray_gateway_pool import PackageMissing, Pool

MAX_REQUEST_BYTES = 64 * 1024 * 1024
_IDLE_CHECK_SECONDS = 1.0


class Told:
    """The answer to one request, which is a stream where something is said before it."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._writing: asyncio.Future[None] | None = None

    def waits(self, detail: str) -> None:
        before, line = self._writing, json.dumps({"waiting": detail}).encode() + b"\n"
        self._writing = asyncio.ensure_future(self._write(before, line))

    async def end(self, answer: bytes, status: int = 200) -> web.StreamResponse:
        if self._writing is None:
            return web.Response(body=answer, status=status, content_type="application/json")
        await self._write(self._writing, answer + b"\n")
        assert self._stream is not None
        return self._stream

    async def _write(self, before: asyncio.Future[None] | None, data: bytes) -> None:
        if before is not None:
            await before
        if self._stream is None:
            self._stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        try:
            if not self._stream.prepared:
                await self._stream.prepare(self._request)
            await self._stream.write(data)
        except ConnectionError:  # the caller has left
            pass


class Gateway:
    """Answers requests until nobody has sent one for a while."""

    def __init__(self, pool: Pool, token: str, idle_seconds: float) -> None:
        self._pool = pool
        self._authorization = f"Bearer {token}".encode()
        self._idle_seconds = idle_seconds
        self._last_used = monotonic()
        self._under_way = 0
        self.leaving = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_REQUEST_BYTES)
        app.router.add_post("/run", self._run)
        app.router.add_get("/healthz", self._health)
        return app

    async def watch(self) -> None:
        """Returns when it is time to end: nobody has used this gateway, or it was told to."""
        while not self.leaving.is_set():
            if self._under_way == 0 and monotonic() - self._last_used > self._idle_seconds:
                self.leaving.set()
            try:
                await asyncio.wait_for(self.leaving.wait(), _IDLE_CHECK_SECONDS)
            except asyncio.TimeoutError:
                pass

    async def _health(self, request: web.Request) -> web.Response:
        self._check(request)
        ok = not self.leaving.is_set()
        resources = ray.cluster_resources()
        python = f"{sys.executable} (Python {'.'.join(map(str, sys.version_info[:3]))})"
        about = {"ok": ok, "ray": ray.__version__, "python": python, "resources": resources}
        return web.json_response({**about, **self._pool.counts()})

    async def _run(self, request: web.Request) -> web.StreamResponse:
        """The body is a line with the plugin and its limits, and a line for the worker; so is the answer the worker's.

        Before the answer of a run that waits come lines that say what for.

        A caller that leaves cancels its run.
        """
        self._check(request)
        self._under_way += 1
        told = Told(request)
        try:
            spec, _, line = (await request.read()).partition(b"\n")
            if self.leaving.is_set():
                raise web.HTTPServiceUnavailable(text="The gateway is ending.")
            return await told.end(await self._pool.run(spec, line, told.waits))
        except PackageMissing as missing:
            return await told.end(json.dumps({"missing": str(missing)}).encode(), 424)
        except RunnerError as error:
            return await told.end(json.dumps({"id": 0, "ok": False, "error": error.record()}).encode())
        finally:
            self._under_way -= 1
            self._last_used = monotonic()

    def _check(self, request: web.Request) -> None:
        sent = request.headers.get("Authorization", "").encode("utf-8", "replace")
        if not hmac.compare_digest(sent, self._authorization):
            raise web.HTTPUnauthorized(text="The gateway's token is needed.")


async def serve(job_id: str, port: int, idle_seconds: float) -> None:
    """Serves until the gateway is no longer used, or SIGTERM."""
    host = _node_address()
    token = secrets.token_urlsafe(32)
    async with WorkerLinks(host) as links:
        pool = Pool(links)
        gateway = Gateway(pool, token, idle_seconds)
        runner = web.AppRunner(gateway.app(), access_log=None, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, gateway.leaving.set)
            pool.open()
            _publish(job_id, {"origin": f"http://{_bracketed(host)}:{runner.addresses[0][1]}", "token": token})
            await gateway.watch()
        finally:
            await pool.close()
            await runner.cleanup()


def _node_address() -> str:
    """The address that the cluster knows this node by."""
    own = ray.get_runtime_context().get_node_id()
    return next(str(node["NodeManagerAddress"]) for node in ray.nodes() if node["NodeID"] == own)


async def _serve_and_exit(job_id: str, port: int, idle_seconds: float) -> None:
    """Exits without the usual ceremony, which may wait for a cluster that is gone; Ray ends a driver's actors."""
    await serve(job_id, port, idle_seconds)
    sys.stdout.write("The gateway ended.\n")
    sys.stdout.flush()
    os._exit(0)


def _publish(job_id: str, where: dict[str, str]) -> None:
    """Writes the file that services read through the dashboard: whole, or not at all."""
    path = os.path.join(_log_folder(), f"{job_id}.json")
    unfinished = f"{path}.{os.getpid()}"
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(json.dumps(where) + "\n")
    os.replace(unfinished, path)


def _log_folder() -> str:
    """Where this job's own log is, or the one of the session."""
    output = os.path.realpath("/proc/self/fd/1")
    if os.path.isfile(output):
        return os.path.dirname(output)
    return "/tmp/ray/session_latest/logs"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def main() -> None:
    parser = ArgumentParser(prog="plugin_runner.ray_gateway")
    parser.add_argument("--job-id", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--idle-seconds", type=float, default=900.0)
    arguments = parser.parse_args()
    # What plugins print stays in the logs of their actors.
    try:
        ray.init(address="auto", log_to_driver=False, logging_level="warning")
    except RuntimeError as error:  # of another version than the cluster's, say
        sys.exit(cannot_start(error))
    asyncio.run(_serve_and_exit(arguments.job_id, arguments.port, arguments.idle_seconds))


if __name__ == "__main__":
    main()
