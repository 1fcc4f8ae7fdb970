"""The client for threads that wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from grpc import StatusCode

from plugin_runner.client import requests, responses
from plugin_runner.client.arguments import integer_of, seconds_of, text_of
from plugin_runner.client.channel import Channel, timed_out
from plugin_runner.client.errors import ExecutionError
from plugin_runner.client.failures import cut, violations_of
from plugin_runner.client.job_handle import JobHandle
from plugin_runner.client.options import plugin_of
from plugin_runner.client.resume import patience_of
from plugin_runner.client.target import find_target
from plugin_runner.client.tls import Tls
from plugin_runner.client.values import to_python
from plugin_runner.client.warned import tell
from plugin_runner.client.watch import JobsUpdate, JobsWatch, JobUpdate, JobWatch
from pluginrunner.v1.plugin_runner_pb2 import (
    CancelJobRequest,
    DeleteJobRequest,
    GetJobRequest,
    GetPluginRequest,
    GetServerInfoRequest,
    GetServerInfoResponse,
    ListPluginsRequest,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping
    from datetime import datetime
    from enum import Enum

    from typing_extensions import Self, Unpack

    from plugin_runner.client.arguments import Seconds, Text
    from plugin_runner.client.errors import RunnerError
    from plugin_runner.client.options import OtherNames
    from plugin_runner.client.requests import ActionClass, Environment, Mode, State
    from plugin_runner.client.responses import Verdict
    from plugin_runner.client.warned import ParamsWarning
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
        heartbeat_timeout: Seconds = 30,
        retry_for: Seconds = 600,
        on_warning: Callable[[ParamsWarning], None] | None = None,
    ) -> None:
        """
        address: `host:port`, `host` for port 50151, or another name of gRPC's; default: PLUGIN_RUNNER_ADDRESS, then
        `127.0.0.1:50151`.
        token: sent as bearer token; default: PLUGIN_RUNNER_TOKEN, then none.
        tls: True for TLS with the system's certificate authorities, or a `Tls`; default: plain text.
        heartbeat_timeout: a watch that hears nothing for so many seconds is opened again.
        retry_for: for how many seconds a watch looks for a server that it has lost.
        on_warning: told of what an action does not use of its params; default: a line of the logger `plugin_runner`.
        """
        self._channel = Channel(find_target(address, token, tls), patience_of(heartbeat_timeout, retry_for))
        self._stub = self._channel.stub
        self._on_warning = on_warning

    @property
    def address(self) -> str:
        """The address that calls go to."""
        return self._channel.address

    def run_plugin(
        self,
        plugin: Text | None = None,
        action: Text = "",
        params: object = None,
        *,
        mode: Mode | Enum = "local",
        entrypoint: str | None = None,
        action_cls: ActionClass | None = None,
        env: Environment | None = None,
        job_id: Text | None = None,
        timeout: Seconds | None = None,
        resources: Resources | Mapping[str, Any] | None = None,
        request_id: Text | None = None,
        **others: Unpack[OtherNames],
    ) -> Any:
        """
        Runs one action: its result, or in mode `job` the job's id as soon as the service has recorded it.

        mode: `local` in the service's own process, `task` on a warm worker, or `job`.
        entrypoint: names the code and skips discovery: `package.module:Class` or `./file.js#name`.
        action_cls: the same as a class, or another name for it.
        env: environment variables for the action.
        job_id: an id for tracking; a job gets one of its own when none is given.
        timeout: the longest time that the action may take: seconds, a timedelta or a text such as `"90s"`; default: as
        its configuration says.
        resources: what the action needs of the machine: `Resources`, or its fields in a dict; default: as its
        configuration says.
        request_id: runs with the same id are one run; default: a new id, so that the retries of this call are one.
        """
        plugin = plugin_of(plugin, dict(others), requests.RUN_OPTIONS)
        if requests.is_job(mode):
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
        response = self._channel.call(self._stub.RunPlugin, request, requests.deadline_of(timeout))
        tell(self._on_warning, request.plugin, request.action, response.warnings)
        return to_python(response.result, response.non_finite)

    def submit_job(
        self,
        plugin: Text | None = None,
        action: Text = "",
        params: object = None,
        *,
        entrypoint: str | None = None,
        action_cls: ActionClass | None = None,
        env: Environment | None = None,
        job_id: Text | None = None,
        labels: Mapping[str, Any] | None = None,
        timeout: Seconds | None = None,
        resources: Resources | Mapping[str, Any] | None = None,
        **others: Unpack[OtherNames],
    ) -> JobHandle:
        """
        Submits a job; returns once the service has recorded it. A second submission of the same id and content attaches
        to the first.

        labels: marks to filter jobs by. The other options are those of `run_plugin`.
        """
        plugin = plugin_of(plugin, dict(others), requests.SUBMIT_OPTIONS)
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
        job = self._channel.first(self._stub.SubmitJob, request).snapshot
        tell(self._on_warning, request.plugin, request.action, job.warnings)
        return JobHandle(self, job.job_id, violations_of(job.warnings))

    def job(self, job_id: Text) -> JobHandle:
        """A handle of a job whose id is known. Calls nothing."""
        return JobHandle(self, text_of("/job_id", job_id))

    def watch_job(
        self,
        job_id: Text,
        after_sequence: int = 0,
        *,
        on_retry: Callable[[RunnerError], None] | None = None,
    ) -> Generator[JobUpdate, None, None]:
        """
        Yields the job as it is, then every event after a position, each once and in order; ends after the last one.
        Goes on by itself when the stream is cut; `on_retry` is told of it. Leaving it ends the watch, not the job.
        """
        return self._follow(job_id, after_sequence, on_retry)

    def result(self, job_id: Text, timeout: Seconds | None = None) -> Any:
        """
        Waits for a job's end: its result, or the error that ended it. Raises TimeoutError when it has not ended after
        so many seconds; the job goes on.
        """
        seconds = seconds_of("/timeout", timeout)
        until = None if seconds is None else time.monotonic() + seconds
        job = self._get_within(job_id, seconds)
        outcome = responses.outcome_of_job(job)
        if outcome:
            return outcome.result
        for update in self._follow(job_id, responses.sequence_before_outcome(job), until=until):
            outcome = responses.outcome_of_update(job.job_id, update)
            if outcome:
                return outcome.result
        raise cut("The watch ended before the job did.")

    def get_job(self, job_id: Text) -> Job:
        """One job, its params and result included."""
        return self._channel.call(self._stub.GetJob, GetJobRequest(job_id=text_of("/job_id", job_id))).job

    def cancel_job(self, job_id: Text) -> Job:
        """Tells a job to stop; the job as it is then. One that has ended stays as it is."""
        return self._channel.call(self._stub.CancelJob, CancelJobRequest(job_id=text_of("/job_id", job_id))).job

    def delete_job(self, job_id: Text) -> None:
        """Deletes the record, the events and the files of a job that has ended."""
        self._channel.delete(self._stub.DeleteJob, DeleteJobRequest(job_id=text_of("/job_id", job_id)))

    def list_jobs(
        self,
        *,
        states: Iterable[State | str | int | Enum] = (),
        plugin: Text = "",
        action: Text = "",
        labels: Mapping[str, Any] | None = None,
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
        request = requests.list_request(job_filter, page_size)
        while True:
            page = self._channel.call(self._stub.ListJobs, request)
            yield from page.jobs
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch_jobs(
        self,
        *,
        states: Iterable[State | str | int | Enum] = (),
        plugin: Text = "",
        action: Text = "",
        labels: Mapping[str, Any] | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        on_retry: Callable[[RunnerError], None] | None = None,
    ) -> Generator[JobsUpdate, None, None]:
        """
        Yields the jobs that match, newest first, then each that changes, and a `JobRemoved` for each that no longer
        matches. Never ends by itself. Goes on as `watch_job` does. The filter is that of `list_jobs`.
        """
        watch = JobsWatch(requests.job_filter(states, plugin, action, labels, created_after, created_before))
        return self._channel.follow(lambda stub: stub.WatchJobs, watch, on_retry)

    def list_plugins(self) -> Generator[Plugin, None, None]:
        """Yields the plugins under the plugin roots, sorted by code."""
        request = ListPluginsRequest()
        while True:
            page = self._channel.call(self._stub.ListPlugins, request)
            yield from page.plugins
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def get_plugin(self, plugin: Text) -> Plugin:
        """One plugin, all its actions and their schemas."""
        return self._channel.call(self._stub.GetPlugin, GetPluginRequest(plugin=text_of("/plugin", plugin))).plugin

    def validate_params(
        self,
        plugin: Text | None = None,
        action: Text = "",
        params: object = None,
        *,
        entrypoint: str | None = None,
        action_cls: ActionClass | None = None,
        env: Environment | None = None,
        **others: Unpack[OtherNames],
    ) -> Verdict:
        """
        Validates params as a run would, in its environment, without running anything: violations are data here.

        The options are those of `run_plugin`.
        """
        plugin = plugin_of(plugin, dict(others), requests.VALIDATE_OPTIONS)
        request = requests.validate_request(plugin, action, params, entrypoint, action_cls, env)
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
        job_id: Text,
        after_sequence: int,
        on_retry: Callable[[RunnerError], None] | None = None,
        until: float | None = None,
    ) -> Generator[JobUpdate, None, None]:
        return self._channel.follow(
            lambda stub: stub.WatchJob,
            JobWatch(text_of("/job_id", job_id), integer_of("/after_sequence", after_sequence, 64)),
            on_retry,
            until,
        )

    def _get_within(self, job_id: Text, seconds: float | None) -> Job:
        try:
            return self._channel.call(self._stub.GetJob, GetJobRequest(job_id=text_of("/job_id", job_id)), seconds).job
        except ExecutionError as error:
            if seconds is not None and error.code is StatusCode.DEADLINE_EXCEEDED:
                raise timed_out() from error
            raise
