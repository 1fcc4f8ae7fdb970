"""Workers on actors: how they are asked for, started, kept in reserve, and how they end."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Coroutine
from functools import lru_cache
from time import monotonic
from typing import Any, NamedTuple

import ray
from ray.exceptions import RayError, RuntimeEnvSetupError

from plugin_runner.errors import RunnerError
from plugin_runner.ray_gateway_host import WorkerHost
from plugin_runner.ray_gateway_links import WorkerLink, WorkerLinks
from plugin_runner.ray_gateway_package import is_stored

_CONNECT_SECONDS = 60.0
_END_SECONDS = 5.0
# A worker that was just given away leaves the processor to its first request before the next one is started.
_REFILL_AFTER_SECONDS = 0.5
_RESERVE = 1
_RESERVE_RETRY_SECONDS = 10.0
_SAID_CHARACTERS = 700


class PackageMissing(Exception):
    """The cluster does not have the plugin's package (any more)."""


class Spec(NamedTuple):
    """What a service says of a plugin, with the limits that it was given."""

    binding: dict[str, Any]
    package: str
    options: dict[str, Any]
    """Of the actor, as `ray.remote` takes them: a `runtime_env`, resources."""
    grace_seconds: float
    idle_seconds: float
    max_workers: int
    start_env: dict[str, str] = {}
    """Variables that the process has to be started with."""
    artifact_seconds: float = 86_400.0
    """How long what runs make known is kept on its node; 0: with the run."""
    load_timeout_seconds: float | None = None
    """How long loading code may take."""

    @staticmethod
    def parse(line: bytes) -> Spec:
        try:
            return Spec(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise RunnerError("INTERNAL", f"The gateway was sent a plugin that it cannot read: {error}") from None


class HostedWorker:
    """One worker, its connection, and the actor that has it."""

    def __init__(self, host: Any, link: WorkerLink) -> None:
        self.link = link
        self.idle_since = monotonic()
        self.used = False
        self._host = host
        self._released = False
        self._end: asyncio.Future[dict[str, Any] | str] = asyncio.ensure_future(_end_of(host))

    async def watch(self) -> None:
        """Returns when the worker has ended. One whose actor is gone is told so by the end of its connection."""
        await asyncio.wait((self._end,))
        self.link.close()
        if not self._released:
            ray.kill(self._host)

    async def end(self, reserve: Reserve | None = None) -> None:
        """Ends the worker with all that it started, and its actor unless the reserve takes that."""
        self._released = True
        self.link.close()
        if reserve is not None and not self._end.done() and await reserve.give_back(self._host):
            return
        try:
            await asyncio.wait_for(_as_future(self._host.kill.remote()), _END_SECONDS)
        except (RayError, asyncio.TimeoutError):
            pass
        ray.kill(self._host)

    async def how_it_ended(self) -> RunnerError:
        if self.link.refused is not None:
            return self.link.refused
        await asyncio.wait((self._end,), timeout=_END_SECONDS)
        end = self._end.result() if self._end.done() else "its connection was lost"
        if isinstance(end, str):
            said = f"The worker was lost while it ran the action: {end}"
            return RunnerError("WORKER_LOST", said, {"started": "true", "cause": end})
        if end["signal"] is not None:
            how, metadata = f"was ended by {end['signal']}", {"signal": end["signal"]}
        else:
            how, metadata = f"exited with code {end['code']}", {"exit_code": str(end["code"])}
        metadata |= {"started": "true", "stderr_tail": end["stderr_tail"]}
        return RunnerError("WORKER_LOST", f"The worker {how} while it ran the action.", metadata)


class Reserve:
    """Started workers that are not bound to a plugin, on actors that need nothing of their own."""

    def __init__(self, links: WorkerLinks) -> None:
        self._links = links
        self._ready: asyncio.Queue[tuple[Any, WorkerLink] | None] = asyncio.Queue()
        self._coming = 0
        self._wanted = 0
        self._keeper: asyncio.Task[None] | None = None
        self._taken = asyncio.Event()

    @property
    def ready(self) -> int:
        return self._ready.qsize()

    def open(self) -> None:
        self._keeper = asyncio.ensure_future(self._keep())

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
        while not self._ready.empty():
            worker = self._ready.get_nowait()
            if worker is not None:
                worker[1].close()

    async def take(self, spec: Spec) -> tuple[Any, WorkerLink]:
        """An actor with a worker as the plugin needs it."""
        language = spec.binding["language"]
        self._taken.set()
        while self._ready.qsize() + self._coming > self._wanted:
            self._wanted += 1
            try:
                worker = await self._ready.get()
            finally:
                self._wanted -= 1
            if worker is not None and not worker[1].lost:
                # An actor that is there is quicker than a new one, whatever it hosts.
                host, link = worker
                as_it_is = language == "python" and not spec.start_env
                return host, link if as_it_is else await start_on(host, language, self._links, spec)
        return await start_new({}, language, self._links, spec)

    async def give_back(self, host: Any) -> bool:
        """Takes an actor whose worker is not needed any more; False when there are enough."""
        if self._ready.qsize() + self._coming - self._wanted >= _RESERVE:
            return False
        await self._add(start_again(host, "python", self._links))
        return True

    async def _keep(self) -> None:
        while True:
            self._taken.clear()
            while self._ready.qsize() + self._coming - self._wanted < _RESERVE:
                if not await self._add(start_new({}, "python", self._links)):
                    await asyncio.sleep(_RESERVE_RETRY_SECONDS)
            await self._taken.wait()
            await asyncio.sleep(_REFILL_AFTER_SECONDS)

    async def _add(self, start: Coroutine[Any, Any, tuple[Any, WorkerLink]]) -> bool:
        """Whoever waits for a start that fails is woken, too."""
        self._coming += 1
        worker = None
        try:
            worker = await start
        except RunnerError as error:
            print(f"No worker could be started in reserve: {error}", flush=True)
        finally:
            self._coming -= 1
            if worker is not None or self._wanted > self._ready.qsize():
                self._ready.put_nowait(worker)
        return worker is not None


async def start_bound(spec: Spec, links: WorkerLinks, reserve: Reserve) -> HostedWorker:
    """A worker that is bound to a plugin. Raises PackageMissing, or what else keeps it from starting."""
    language = spec.binding["language"]
    await asyncio.get_running_loop().run_in_executor(None, _check_packages, spec)
    host = None
    try:
        if spec.options:
            host, link = await start_new(spec.options, language, links, spec)
        else:
            host, link = await reserve.take(spec)
        folders = await _as_future(host.prepare.remote(spec.package, spec.artifact_seconds))
        if folders is None:
            raise PackageMissing(spec.package)
        binding = {**spec.binding, "root": folders["root"], "packages": folders["packages"]}
        places = {key: folders[key] for key in ("work_dir", "artifacts_dir")}
        limit = {} if spec.load_timeout_seconds is None else {"load_timeout_seconds": spec.load_timeout_seconds}
        link.send({"type": "bind", "binding": binding, **places, **limit})
        return HostedWorker(host, link)
    except BaseException as error:
        if host is not None:
            ray.kill(host)
        raise _start_error(error) from None


def _check_packages(spec: Spec) -> None:
    """Before anything is started: the cluster forgets packages that no job has used for a while."""
    modules = spec.options.get("runtime_env", {}).get("py_modules", [])
    for package in filter(None, (spec.package, *modules)):
        if not is_stored(package):
            raise PackageMissing(package)


async def start_new(
    options: dict[str, Any], language: str, links: WorkerLinks, spec: Spec | None = None
) -> tuple[Any, WorkerLink]:
    host = _actor().options(**{"num_cpus": 0, "max_concurrency": 16, **options}).remote(links.address, links.secret)
    return host, await start_on(host, language, links, spec)


@lru_cache(None)
def _actor() -> Any:
    return ray.remote(WorkerHost)


async def start_again(host: Any, language: str, links: WorkerLinks) -> tuple[Any, WorkerLink]:
    return host, await start_on(host, language, links)


async def start_on(host: Any, language: str, links: WorkerLinks, spec: Spec | None = None) -> WorkerLink:
    """Starts a worker on an actor, which does not outlive a failure of that."""
    started_with = (spec.start_env, spec.package) if spec is not None and spec.start_env else ()
    worker_id = str(uuid.uuid4())
    connected = links.expect(worker_id)
    try:
        await _as_future(host.start.remote(worker_id, language, *started_with))
        return await asyncio.wait_for(connected, _CONNECT_SECONDS)
    except BaseException as error:
        ray.kill(host)
        raise _start_error(error) from None
    finally:
        connected.cancel()


def _start_error(error: BaseException) -> BaseException:
    if isinstance(error, asyncio.TimeoutError):
        return RunnerError("ENGINE_UNAVAILABLE", "A worker was started on Ray but did not reach the gateway.")
    if isinstance(error, RuntimeEnvSetupError):
        said = _installer_said(str(error))
        message = f"The plugin's requirements could not be installed on Ray: {said}"
        return RunnerError("PLUGIN_INVALID", message, {"installer_output": said})
    if isinstance(error, RayError):
        said = str(error)[:_SAID_CHARACTERS]
        return RunnerError("ENGINE_UNAVAILABLE", f"Ray could not start a worker: {said}", {"cause": said})
    return error


def _installer_said(error: str) -> str:
    """Ray gives a traceback of its own, with the installer's output at its end."""
    said = error.rpartition(" lines of stdout:")[2].strip()
    return said if len(said) <= _SAID_CHARACTERS else f"…{said[-_SAID_CHARACTERS:]}"


async def _end_of(host: Any) -> dict[str, Any] | str:
    try:
        end: dict[str, Any] = await _as_future(host.ended.remote())
        return end
    except RayError as error:
        return str(error).partition("\n")[0] or type(error).__name__


async def _as_future(reference: Any) -> Any:
    """Ray's references can be awaited, and are no coroutines."""
    return await reference
