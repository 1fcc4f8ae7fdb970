"""The client for threads that wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from grpc import StatusCode

from plugin_runner.client import requests, responses
from plugin_runner.client.channel import Channel, timed_out
from plugin_runner.client.errors import ExecutionError
from plugin_runner.client.failures import cut
from plugin_runner.client.job_handle import JobHandle
from plugin_runner.client.resume import Patience
from plugin_runner.client.target import Tls, find_target
from plugin_runner.client.values import to_python
from plugin_runner.client.watch import JobsUpdate, JobsWatch, JobUpdate, JobWatch
from pluginrunner.v1.plugin_runner_pb2 import (
    CancelJobRequest,
    DeleteJobRequest,
    GetJobRequest,
    GetPluginRequest,
    GetServerInfoRequest,
    GetServerInfoResponse,
    ListJobsRequest,
    ListPluginsRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from datetime import datetime

    from typing_extensions import Self

    from plugin_runner.client.errors import RunnerError
    from plugin_runner.client.requests import ActionClass, Environment, Mode, Seconds
    from plugin_runner.client.responses import Verdict
    from pluginrunner.v1.job_pb2 import Job
    from pluginrunner.v1.plugin_pb2 import Plugin, Resources


class Client:
    """
    A connection to a service, made by the first call. May be used by many threads; use it in a `with`, or close it.

    Every method raises ActionNotFoundError, ValidationError or ExecutionError.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        tls: bool | Tls | None = None,
        heartbeat_timeout: float = 30,
        retry_for: float = 600,
    ) -> None:
        """
        address: `host:port` or another name of gRPC's; default: PLUGIN_RUNNER_ADDRESS, then `127.0.0.1:50151`.
        token: sent as bearer token; default: PLUGIN_RUNNER_TOKEN, then none.
        tls: True for TLS with the system's certificate authorities, or a `Tls`; default: plain text.
        heartbeat_timeout: a watch that hears nothing for so many seconds is opened again.
        retry_for: for how many seconds a watch looks for a server that it has lost.
        """
        self._channel = Channel(find_target(address, token, tls), Patience(heartbeat_timeout, retry_for))
        self._stub = self._channel.stub

    @property
    def address(self) -> str:
        """The address that calls go to."""
        return self._channel.address

    def run_plugin(
        self,
        plugin: str,
        action: str,
        params: object = None,
        *,
        mode: Mode = "local",
        entrypoint: str | None = None,
        action_cls: ActionClass | None = None,
        env: Environment | None = None,
        job_id: str | None = None,
        timeout: Seconds | None = None,
        resources: Resources | None = None,
        request_id: str | None = None,
    ) -> Any:
        """
        Runs one action: its result, or in mode `job` the job's id as soon as the service has recorded it.

        mode: `local` in the service's own process, `task` on a warm worker, or `job`.
        entrypoint: names the code and skips discovery: `package.module:Class` or `./file.js#name`.
        action_cls: the same as a class, or another name for it.
        env: environment variables for the action.
        job_id: an id for tracking; a job gets one of its own when none is given.
        timeout: the longest time that the action may take, in seconds; default: as its configuration says.
        resources: what the action needs of the machine; default: as its configuration says.
        request_id: runs with the same id are one run; default: a new id, so that the retries of this call are one.
        """
        if mode == "job":
            return self.submit_job(
                plugin,
                action,
                params,
                entrypoint=entrypoint,
                action_cls=action_cls,
                env=env,
                job_id=job_id,
                timeout=timeout,
                resources=resources,
            ).id
        request = requests.run_request(
            plugin,
            action,
            params,
            mode=mode,
            entrypoint=entrypoint,
            action_cls=action_cls,
            env=env,
            job_id=job_id,
            timeout=timeout,
            resources=resources,
            request_id=request_id,
        )
        return to_python(self._channel.call(self._stub.RunPlugin, request, requests.deadline_of(timeout)).result)

    def submit_job(
        self,
        plugin: str,
        action: str,
        params: object = None,
        *,
        entrypoint: str | None = None,
        action_cls: ActionClass | None = None,
        env: Environment | None = None,
        job_id: str | None = None,
        labels: Mapping[str, str] | None = None,
        timeout: Seconds | None = None,
        resources: Resources | None = None,
    ) -> JobHandle:
        """
        Submits a job; returns once the service has recorded it. A second submission of the same id and content attaches
        to the first.

        labels: marks to filter jobs by. The other options are those of `run_plugin`.
        """
        request = requests.submit_request(
            plugin,
            action,
            params,
            entrypoint=entrypoint,
            action_cls=action_cls,
            env=env,
            job_id=job_id,
            labels=labels,
            timeout=timeout,
            resources=resources,
        )
        return JobHandle(self, self._channel.first(self._stub.SubmitJob, request).snapshot.job_id)

    def job(self, job_id: str) -> JobHandle:
        """A handle of a job whose id is known. Calls nothing."""
        return JobHandle(self, job_id)

    def watch_job(
        self,
        job_id: str,
        after_sequence: int = 0,
        *,
        on_retry: Callable[[RunnerError], None] | None = None,
    ) -> Generator[JobUpdate, None, None]:
        """
        Yields the job as it is, then every event after a position, each once and in order; ends after the last one.
        Goes on by itself when the stream is cut; `on_retry` is told of it. Leaving it ends the watch, not the job.
        """
        return self._follow(job_id, after_sequence, on_retry)

    def result(self, job_id: str, timeout: Seconds | None = None) -> Any:
        """
        Waits for a job's end: its result, or the error that ended it. Raises TimeoutError when it has not ended after
        so many seconds; the job goes on.
        """
        seconds = requests.seconds_of(timeout)
        until = None if seconds is None else time.monotonic() + seconds
        job = self._get_within(job_id, seconds)
        outcome = responses.outcome_of_job(job)
        if outcome:
            return outcome.result
        for update in self._follow(job_id, responses.sequence_before_outcome(job), until=until):
            outcome = responses.outcome_of_update(job_id, update)
            if outcome:
                return outcome.result
        raise cut("The watch ended before the job did.")

    def get_job(self, job_id: str) -> Job:
        """One job, its params and result included."""
        return self._channel.call(self._stub.GetJob, GetJobRequest(job_id=job_id)).job

    def cancel_job(self, job_id: str) -> Job:
        """Tells a job to stop; the job as it is then. One that has ended stays as it is."""
        return self._channel.call(self._stub.CancelJob, CancelJobRequest(job_id=job_id)).job

    def delete_job(self, job_id: str) -> None:
        """Deletes the record, the events and the files of a job that has ended."""
        self._channel.call(self._stub.DeleteJob, DeleteJobRequest(job_id=job_id))

    def list_jobs(
        self,
        *,
        states: Iterable[str] = (),
        plugin: str = "",
        action: str = "",
        labels: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int = 0,
    ) -> Generator[Job, None, None]:
        """
        Yields the jobs that match, newest first, a page at a time as they are asked for; without params and results.

        states: any of these, for example `["RUNNING", "PENDING"]`.
        page_size: how many jobs a call brings; default: as the service likes.
        """
        job_filter = requests.job_filter(states, plugin, action, labels, created_after, created_before)
        request = ListJobsRequest(filter=job_filter, page_size=page_size)
        while True:
            page = self._channel.call(self._stub.ListJobs, request)
            yield from page.jobs
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch_jobs(
        self,
        *,
        states: Iterable[str] = (),
        plugin: str = "",
        action: str = "",
        labels: Mapping[str, str] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        on_retry: Callable[[RunnerError], None] | None = None,
    ) -> Generator[JobsUpdate, None, None]:
        """
        Yields the jobs that match, newest first, then each that changes, and a `JobRemoved` for each that no longer
        matches. Never ends by itself. Goes on as `watch_job` does. The filter is that of `list_jobs`.
        """
        watch = JobsWatch(requests.job_filter(states, plugin, action, labels, created_after, created_before))
        return self._channel.follow(self._stub.WatchJobs, watch, on_retry)

    def list_plugins(self) -> Generator[Plugin, None, None]:
        """Yields the plugins under the plugin roots, sorted by code."""
        request = ListPluginsRequest()
        while True:
            page = self._channel.call(self._stub.ListPlugins, request)
            yield from page.plugins
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get_plugin(self, plugin: str) -> Plugin:
        """One plugin, all its actions and their schemas."""
        return self._channel.call(self._stub.GetPlugin, GetPluginRequest(plugin=plugin)).plugin

    def validate_params(
        self,
        plugin: str,
        action: str,
        params: object = None,
        *,
        entrypoint: str | None = None,
        action_cls: ActionClass | None = None,
    ) -> Verdict:
        """Validates params as a run would, without running anything: violations are data here."""
        request = requests.validate_request(plugin, action, params, entrypoint, action_cls)
        return responses.verdict_of(self._channel.call(self._stub.ValidateParams, request))

    def server_info(self) -> GetServerInfoResponse:
        """What this server is and what it offers."""
        return self._channel.call(self._stub.GetServerInfo, GetServerInfoRequest())

    def close(self) -> None:
        """Ends the connection; calls under way fail."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _follow(
        self,
        job_id: str,
        after_sequence: int,
        on_retry: Callable[[RunnerError], None] | None = None,
        until: float | None = None,
    ) -> Generator[JobUpdate, None, None]:
        return self._channel.follow(self._stub.WatchJob, JobWatch(job_id, after_sequence), on_retry, until)

    def _get_within(self, job_id: str, seconds: float | None) -> Job:
        try:
            return self._channel.call(self._stub.GetJob, GetJobRequest(job_id=job_id), seconds).job
        except ExecutionError as error:
            if seconds is not None and error.code is StatusCode.DEADLINE_EXCEEDED:
                raise timed_out() from error
            raise
