"""One job, for threads that wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pluginrunner.v1.job_event_pb2 import JobEvent

if TYPE_CHECKING:
    from collections.abc import Generator

    from plugin_runner.client.arguments import Seconds
    from plugin_runner.client.client import Client
    from plugin_runner.client.errors import Violation
    from pluginrunner.v1.job_pb2 import Job


class JobHandle:
    """A job that was submitted. It goes on whatever becomes of this object."""

    warnings: tuple[Violation, ...]
    """What the action does not use of the params, where this handle submitted the job."""

    def __init__(self, client: Client, job_id: str, warnings: tuple[Violation, ...] = ()) -> None:
        self._client = client
        self.id = job_id
        self.warnings = warnings

    @property
    def job_id(self) -> str:
        """The same as `id`, as messages have it."""
        return self.id

    def __repr__(self) -> str:
        return f"JobHandle({self.id!r})"

    def get(self) -> Job:
        """The job as it is now."""
        return self._client.get_job(self.id)

    def events(self, after_sequence: int = 0) -> Generator[JobEvent, None, None]:
        """Every event of the job after a position, to the last; live once it has caught up."""
        for update in self._client.watch_job(self.id, after_sequence):
            if isinstance(update, JobEvent):
                yield update

    def result(self, timeout: Seconds | None = None) -> Any:
        """Waits for the job's end: its result, or the error that ended it. As `Client.result`."""
        return self._client.result(self.id, timeout)

    def cancel(self) -> Job:
        """Tells the job to stop; the job as it is then."""
        return self._client.cancel_job(self.id)

    def delete(self) -> None:
        """Deletes the record, the events and the files of the job, which has to have ended."""
        self._client.delete_job(self.id)
