"""What the messages of a watch mean, whatever brings them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar, Union

from plugin_runner.client.failures import cut
from pluginrunner.v1.job_event_pb2 import JobEvent
from pluginrunner.v1.job_pb2 import Job, JobFilter, JobState
from pluginrunner.v1.plugin_runner_pb2 import WatchJobRequest, WatchJobResponse, WatchJobsRequest, WatchJobsResponse

if TYPE_CHECKING:
    from collections.abc import Iterator

RequestT_co = TypeVar("RequestT_co", covariant=True)
MessageT_contra = TypeVar("MessageT_contra", WatchJobResponse, WatchJobsResponse, contravariant=True)
UpdateT_co = TypeVar("UpdateT_co", covariant=True)


class Watch(Protocol[RequestT_co, MessageT_contra, UpdateT_co]):
    """What the watches of one job and of many have in common."""

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        ...

    @property
    def may_end(self) -> bool:
        """Whether an end of the stream is right."""
        ...

    def request(self) -> RequestT_co:
        """Opens the stream, or opens it again where it was cut."""
        ...

    def take(self, message: MessageT_contra) -> Iterator[UpdateT_co]:
        """What a message says that is new. Raises where something is missing from the stream."""
        ...


@dataclass(frozen=True)
class JobRemoved:
    """A job was deleted, or no longer matches the filter of a watch."""

    job_id: str


JobUpdate = Union[Job, JobEvent]
"""What a watch of one job yields: the job as it was first, then its events."""

JobsUpdate = Union[Job, JobRemoved]
"""What a watch of many jobs yields: jobs as they change, and those that are gone."""

_ENDED = (JobState.JOB_STATE_SUCCEEDED, JobState.JOB_STATE_FAILED, JobState.JOB_STATE_CANCELLED)


class JobWatch:
    """One snapshot, then every event after a position, each once and in order; ended by the job's last one."""

    def __init__(self, job_id: str, after_sequence: int) -> None:
        self._job_id = job_id
        self._last = after_sequence
        self._newest: Job | None = None
        self.ended = False

    def request(self) -> WatchJobRequest:
        """Opens the stream, or opens it again where it was cut."""
        return WatchJobRequest(job_id=self._job_id, after_sequence=self._last)

    def take(self, message: WatchJobResponse) -> Iterator[JobUpdate]:
        """What a message says that is new. Raises where events are missing from the stream."""
        if message.WhichOneof("update") == "snapshot":
            first = self._newest is None
            self._newest = message.snapshot
            if first:
                yield message.snapshot
        for event in message.events.events:
            if event.sequence > self._last + 1:
                raise cut(f"Events {self._last + 1} to {event.sequence - 1} are missing from the stream.")
            if event.sequence > self._last:
                self._last = event.sequence
                self.ended = event.WhichOneof("payload") in ("result", "error")
                yield event

    @property
    def may_end(self) -> bool:
        """Whether an end of the stream is right."""
        newest = self._newest
        return newest is not None and is_final(newest) and self._last >= newest.last_sequence


class JobsWatch:
    """The jobs that match a filter, each that changes, and the ids of those that are gone."""

    ended = False
    may_end = False

    def __init__(self, job_filter: JobFilter) -> None:
        self._filter = job_filter
        self._known: set[str] = set()
        self._unconfirmed: set[str] = set()

    def request(self) -> WatchJobsRequest:
        """Opens the stream, or opens it again after a cut: all jobs are sent again then."""
        self._unconfirmed = set(self._known)
        return WatchJobsRequest(filter=self._filter)

    def take(self, message: WatchJobsResponse) -> Iterator[JobsUpdate]:
        """What a message says that is new."""
        update = message.WhichOneof("update")
        if update == "snapshot":
            self._known.add(message.snapshot.job_id)
            self._unconfirmed.discard(message.snapshot.job_id)
            yield message.snapshot
        elif update == "removed_job_id":
            yield from self._forget({message.removed_job_id})
        elif update == "heartbeat":
            # Everything there is has been sent again: what is missing went away while nobody listened.
            yield from self._forget(self._unconfirmed)
            self._unconfirmed = set()

    def _forget(self, job_ids: set[str]) -> Iterator[JobRemoved]:
        gone = sorted(self._known & job_ids)
        self._known -= job_ids
        return map(JobRemoved, gone)


def is_final(job: Job) -> bool:
    """Whether a job has ended."""
    return job.state in _ENDED
