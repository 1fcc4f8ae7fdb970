"""One job, for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pluginrunner.v1.job_event_pb2 import JobEvent

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from plugin_runner.client.async_client import AsyncClient
    from plugin_runner.client.errors import Violation
    from pluginrunner.v1.job_pb2 import Job


class AsyncJobHandle:
    """A job that was submitted. It goes on whatever becomes of this object."""

    warnings: tuple[Violation, ...]
    """What the action does not use of the params, where this handle submitted the job."""

    def __init__(self, client: AsyncClient, job_id: str, warnings: tuple[Violation, ...] = ()) -> None:
        self._client = client
        self.id = job_id
        self.warnings = warnings

    @property
    def job_id(self) -> str:
        """The same as `id`, as messages have it."""
        return self.id

    def __repr__(self) -> str:
        return f"AsyncJobHandle({self.id!r})"

    async def get(self) -> Job:
        """The job as it is now."""
        return await self._client.get_job(self.id)

    async def events(self, after_sequence: int = 0) -> AsyncGenerator[JobEvent, None]:
        """Every event of the job after a position, to the last; live once it has caught up."""
        updates = self._client.watch_job(self.id, after_sequence)
        try:
            async for update in updates:
                if isinstance(update, JobEvent):
                    yield update
        finally:
            await updates.aclose()

    async def result(self) -> Any:
        """Waits for the job's end: its result, or the error that ended it. As `AsyncClient.result`."""
        return await self._client.result(self.id)

    async def cancel(self) -> Job:
        """Tells the job to stop; the job as it is then."""
        return await self._client.cancel_job(self.id)

    async def delete(self) -> None:
        """Deletes the record, the events and the files of the job, which has to have ended."""
        await self._client.delete_job(self.id)
