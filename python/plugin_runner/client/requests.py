"""The requests of the service, made of what the caller gives."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol, Union

from plugin_runner.client.arguments import (
    Seconds,
    Text,
    duration_of,
    integer_of,
    resources_of,
    seconds_of,
    states_of,
    text_of,
    texts_of,
    timestamp_of,
)
from plugin_runner.client.failures import invalid_request
from plugin_runner.client.values import encode_params
from pluginrunner.v1.job_pb2 import JobFilter
from pluginrunner.v1.plugin_runner_pb2 import (
    ListJobsRequest,
    RunMode,
    RunPluginRequest,
    SubmitJobRequest,
    ValidateParamsRequest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pluginrunner.v1.plugin_pb2 import Resources


class SupportsToDict(Protocol):
    """What a PluginEnvironment is to this client."""

    def to_dict(self) -> Mapping[str, Any]:
        """The variables by name."""
        ...


Environment = Union[Mapping[str, Any], SupportsToDict]
"""Environment variables: a mapping, or an object with the method `to_dict`, such as a PluginEnvironment."""

ActionClass = Union[type, str]
"""The code of an action: its class, or `package.module:Class`."""

Mode = Literal["local", "task", "job"]
"""In the service's own process, on a warm worker, or as a job."""

State = Literal["PENDING", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"]
"""The states of a job, as filters take them; `JobState.Name(job.state)` is `JOB_STATE_` and one of these."""

RUN_OPTIONS = ("mode", "entrypoint", "action_cls", "env", "job_id", "timeout", "resources", "request_id")
SUBMIT_OPTIONS = ("entrypoint", "action_cls", "env", "job_id", "labels", "timeout", "resources")
VALIDATE_OPTIONS = ("entrypoint", "action_cls", "env")

_MODES = {"local": RunMode.RUN_MODE_LOCAL, "task": RunMode.RUN_MODE_TASK}

# The library of the service takes a longer deadline for one that has passed.
_MAX_DEADLINE = 2_147_483.0

# How much longer a call may take than its run, so that the service's own word about the timeout arrives.
_DEADLINE_GRACE = 5.0


def is_job(mode: Mode | Enum) -> bool:
    """Whether a mode submits a job."""
    return text_of("/mode", mode) == "job"


def run_request(
    plugin: Text,
    action: Text,
    params: object,
    *,
    mode: Mode | Enum,
    entrypoint: str | None,
    action_cls: ActionClass | None,
    env: Environment | None,
    job_id: Text | None,
    timeout: Seconds | None,
    resources: Resources | Mapping[str, Any] | None,
    request_id: Text | None,
) -> RunPluginRequest:
    """Runs an action. A request id of its own makes its retries one run."""
    mode_name = text_of("/mode", mode)
    if mode_name not in _MODES:
        raise invalid_request("/mode", f"is {mode_name!r}, not one of local, task, job")
    struct, non_finite = encode_params(params)
    return RunPluginRequest(
        plugin=text_of("/plugin", plugin),
        action=text_of("/action", action),
        params=struct,
        non_finite=non_finite,
        mode=_MODES[mode_name],
        entrypoint=_entrypoint(entrypoint, action_cls),
        env=texts_of("/env", env),
        request_id=text_of("/request_id", request_id) or str(uuid.uuid4()),
        job_id=text_of("/job_id", job_id),
        timeout=duration_of("/timeout", timeout),
        resources=resources_of(resources),
    )


def submit_request(
    plugin: Text,
    action: Text,
    params: object,
    *,
    entrypoint: str | None,
    action_cls: ActionClass | None,
    env: Environment | None,
    job_id: Text | None,
    labels: Mapping[str, Any] | None,
    timeout: Seconds | None,
    resources: Resources | Mapping[str, Any] | None,
) -> SubmitJobRequest:
    """Submits a job. An id of its own makes its retries one job."""
    struct, non_finite = encode_params(params)
    return SubmitJobRequest(
        plugin=text_of("/plugin", plugin),
        action=text_of("/action", action),
        params=struct,
        non_finite=non_finite,
        entrypoint=_entrypoint(entrypoint, action_cls),
        env=texts_of("/env", env),
        job_id=text_of("/job_id", job_id) or str(uuid.uuid4()),
        labels=texts_of("/labels", labels),
        timeout=duration_of("/timeout", timeout),
        resources=resources_of(resources),
    )


def validate_request(
    plugin: Text,
    action: Text,
    params: object,
    entrypoint: str | None,
    action_cls: ActionClass | None,
    env: Environment | None,
) -> ValidateParamsRequest:
    """Validates params."""
    struct, non_finite = encode_params(params)
    return ValidateParamsRequest(
        plugin=text_of("/plugin", plugin),
        action=text_of("/action", action),
        params=struct,
        non_finite=non_finite,
        entrypoint=_entrypoint(entrypoint, action_cls),
        env=texts_of("/env", env),
    )


def list_request(job_filter: JobFilter, page_size: int) -> ListJobsRequest:
    """Lists jobs."""
    return ListJobsRequest(filter=job_filter, page_size=integer_of("/page_size", page_size, 32))


def job_filter(
    states: Iterable[Any],
    plugin: Text,
    action: Text,
    labels: Mapping[str, Any] | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> JobFilter:
    """Which jobs are meant: everything that is given has to match."""
    return JobFilter(
        states=states_of("/filter/states", states),
        plugin=text_of("/filter/plugin", plugin),
        action=text_of("/filter/action", action),
        labels=texts_of("/filter/labels", labels),
        created_after=timestamp_of("/filter/created_after", created_after),
        created_before=timestamp_of("/filter/created_before", created_before),
    )


def deadline_of(timeout: Seconds | None) -> float | None:
    """How long the call of a run with this timeout may take."""
    seconds = seconds_of("/timeout", timeout)
    if seconds is None:
        return None
    seconds += _DEADLINE_GRACE
    return seconds if seconds < _MAX_DEADLINE else None


def _entrypoint(entrypoint: str | None, action_cls: ActionClass | None) -> str:
    if entrypoint:
        return text_of("/entrypoint", entrypoint)
    if not isinstance(action_cls, type):
        return text_of("/entrypoint", action_cls)
    if action_cls.__module__ == "__main__":
        raise invalid_request("/entrypoint", f"is {action_cls.__name__} of the program itself, not of a plugin")
    return f"{action_cls.__module__}:{action_cls.__qualname__}"
