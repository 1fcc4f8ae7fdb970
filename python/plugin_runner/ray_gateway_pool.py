"""Pools of workers on actors: one for each version of a plugin, its resources and limits."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import Any, Callable

from plugin_runner.errors import RunnerError
from plugin_runner.ray_gateway_links import LinkLost, WorkerLinks
from plugin_runner.ray_gateway_waiting import why_waiting
from plugin_runner.ray_gateway_worker import HostedWorker, PackageMissing, Reserve, Spec, start_bound

__all__ = ["PackageMissing", "Pool"]

# A start costs much more than a short wait: a pool grows only when requests wait this long.
_GROW_AFTER_SECONDS = 0.05
# How long requests of other groups may be preferred to the oldest one, to save starting a worker for it.
_PATIENCE_SECONDS = 1.0
# A start that nobody waits for any more is given up after this time.
_ABANDONED_SECONDS = 60.0
_SWEEP_SECONDS = 1.0
_KILL_SECONDS = 5.0
# How long a run waits before it is said what for, and how often that is looked at.
_TELL_SECONDS = 1.0


class Group:
    """The workers of one specification, and the requests that wait for one."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.workers: set[HostedWorker] = set()
        self.idle: list[HostedWorker] = []
        self.waiting: deque[tuple[float, asyncio.Future[HostedWorker]]] = deque()
        self.starts: dict[asyncio.Task[None], float] = {}
        self.growing: asyncio.TimerHandle | None = None


class Pool:
    """Requests wait in order. A group grows while its own wait, at the expense of idle ones, and shrinks when idle."""

    def __init__(self, links: WorkerLinks) -> None:
        self._reserve = Reserve(links)
        self._links = links
        self._groups: dict[bytes, Group] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        self._reserve.open()
        self._spawn(self._sweep())

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        workers = [worker for group in self._groups.values() for worker in group.workers]
        ends = [asyncio.ensure_future(end) for end in (self._reserve.close(), *(worker.end() for worker in workers))]
        await asyncio.wait(ends, timeout=_KILL_SECONDS)

    def counts(self) -> dict[str, int]:
        groups = self._groups.values()
        return {
            "workers": sum(len(group.workers) for group in groups),
            "waiting": sum(len(group.waiting) for group in groups),
            "reserve": self._reserve.ready,
        }

    async def run(self, spec: bytes, line: bytes, waits: Callable[[str], None]) -> bytes:
        """The worker's answer. A cancelled run tells the worker, which is killed when it does not end in its grace.

        `waits` is told what the run waits for, and "" when it does no more.
        """
        group = self._groups.get(spec)
        if group is None:
            group = self._groups[spec] = Group(Spec.parse(spec))
        worker = group.idle.pop() if group.idle else await self._turn(group, waits)
        while worker.link.lost:  # it ended while it was idle: nothing has started
            self._forget(group, worker)
            worker = group.idle.pop() if group.idle else await self._turn(group, waits)
        worker.used = True
        answer = worker.link.request(line)
        try:
            # Cancelling this must leave the answer to come: the worker is free only then.
            await asyncio.wait((answer,))
        except asyncio.CancelledError:
            self._spawn(self._wind_down(group, worker, answer))
            raise
        try:
            line = answer.result()
        except LinkLost:
            raise await self._lost(group, worker) from None
        self._answered(group, worker, line)
        return line

    async def _turn(self, group: Group, waits: Callable[[str], None]) -> HostedWorker:
        turn: asyncio.Future[HostedWorker] = asyncio.get_running_loop().create_future()
        group.waiting.append((monotonic(), turn))
        if not group.workers and not group.starts:
            self._grow(group)
        self._grow_later(group)  # also where there was no room: it may come without a word
        telling = self._spawn(self._tell(group, waits))
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._free(group, turn.result())
            group.waiting = deque(entry for entry in group.waiting if entry[1] is not turn)
            raise
        finally:
            telling.cancel()

    async def _tell(self, group: Group, waits: Callable[[str], None]) -> None:
        said = ""
        options, limit = group.spec.options, group.spec.max_workers
        try:
            while True:
                await asyncio.sleep(_TELL_SECONDS)
                full = self._full(group) and not group.starts
                detail = await asyncio.get_running_loop().run_in_executor(None, why_waiting, options, limit, full)
                if detail != said:
                    waits(detail)
                said = detail
        finally:
            if said:
                waits("")

    def _free(self, group: Group, worker: HostedWorker) -> None:
        """Gives a worker its next request, or lets it rest."""
        if worker.link.lost or worker not in group.workers:
            return
        worker.idle_since = monotonic()
        # One that was just started has to serve who it was started for.
        hungry = self._hungry(group) if worker.used or not group.waiting else None
        if hungry is not None and self._full(hungry):
            self._retire(group, worker)
            self._grow(hungry)
            return
        while group.waiting:
            _, turn = group.waiting.popleft()
            if not turn.done():
                turn.set_result(worker)
                return
        group.idle.append(worker)
        for other in list(self._groups.values()):
            if other.waiting:
                self._grow_later(other)

    def _hungry(self, own: Group) -> Group | None:
        """A group without any worker, whose oldest request has waited too long."""
        if len(self._groups) == 1:
            return None
        before = monotonic() - _PATIENCE_SECONDS
        for group in self._groups.values():
            starved = group is not own and group.waiting and not group.workers and not group.starts
            if starved and group.waiting[0][0] < before:
                return group
        return None

    def _grow_later(self, group: Group) -> None:
        if group.growing is None:
            group.growing = asyncio.get_running_loop().call_later(_GROW_AFTER_SECONDS, self._grow_due, group)

    def _grow_due(self, group: Group) -> None:
        group.growing = None
        if not group.waiting:
            return
        if monotonic() - group.waiting[0][0] >= _GROW_AFTER_SECONDS:
            self._grow(group)
        self._grow_later(group)

    def _grow(self, group: Group) -> None:
        if len(group.starts) >= len(group.waiting) or (self._full(group) and not self._evict(group)):
            return
        task = self._spawn(self._start(group))
        group.starts[task] = monotonic()
        task.add_done_callback(lambda _: group.starts.pop(task, None))

    def _full(self, group: Group) -> bool:
        # A start that nobody waits for any more may never end, where the cluster lacks what it asks for.
        used = sum(len(each.workers) + (len(each.starts) if each.waiting else 0) for each in self._groups.values())
        return used >= group.spec.max_workers

    def _evict(self, group: Group) -> bool:
        """Ends the longest idle worker of another group; False when there is none."""
        idle = [(worker.idle_since, each, worker) for each in self._groups.values() for worker in each.idle]
        others = [entry for entry in idle if entry[1] is not group]
        if not others:
            return False
        _, other, worker = min(others, key=lambda entry: entry[0])
        self._retire(other, worker)
        return True

    async def _start(self, group: Group) -> None:
        try:
            worker = await start_bound(group.spec, self._links, self._reserve)
        except Exception as error:
            # What could not be started for one will not start for those that wait beside it; with the package missing,
            # the service brings it and asks again.
            if not group.workers or isinstance(error, PackageMissing):
                for _, turn in group.waiting:
                    if not turn.done():
                        turn.set_exception(error)
                group.waiting.clear()
            return
        group.workers.add(worker)
        self._spawn(self._watch(group, worker))
        self._free(group, worker)

    async def _watch(self, group: Group, worker: HostedWorker) -> None:
        """Notices the end of a worker or of its actor, also while it is idle."""
        await worker.watch()
        self._forget(group, worker)
        if group.waiting:
            self._grow(group)

    async def _lost(self, group: Group, worker: HostedWorker) -> RunnerError:
        end = await worker.how_it_ended()
        if worker.link.refused is None:
            self._forget(group, worker)
        else:
            self._retire(group, worker)  # it may be in a loop that hears nothing
        return end

    async def _wind_down(self, group: Group, worker: HostedWorker, answer: asyncio.Future[bytes]) -> None:
        worker.link.cancel(group.spec.grace_seconds)
        await asyncio.wait((answer,), timeout=group.spec.grace_seconds)
        if answer.done() and answer.exception() is None:
            self._answered(group, worker, answer.result())
        else:
            self._retire(group, worker)

    def _answered(self, group: Group, worker: HostedWorker, line: bytes) -> None:
        """A worker that says that it is spent takes no more requests."""
        if line.endswith(b',"spent":true}'):
            self._retire(group, worker)
        else:
            self._free(group, worker)

    def _retire(self, group: Group, worker: HostedWorker) -> None:
        self._forget(group, worker)
        self._spawn(worker.end(None if group.spec.options else self._reserve))

    def _forget(self, group: Group, worker: HostedWorker) -> None:
        group.workers.discard(worker)
        if worker in group.idle:
            group.idle.remove(worker)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = monotonic()
            for key, group in list(self._groups.items()):
                for worker in [each for each in group.idle if now - each.idle_since > group.spec.idle_seconds]:
                    self._retire(group, worker)
                for task, since in list(group.starts.items()):
                    if not group.waiting and now - since > _ABANDONED_SECONDS:
                        task.cancel()
                if not (group.workers or group.waiting or group.starts):
                    del self._groups[key]

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
