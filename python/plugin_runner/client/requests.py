"""The requests of the service, made of what the caller gives."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta, timezone
from typing import TYPE_CHECKING, Any, Literal, Protocol, Union

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from plugin_runner.client.failures import invalid_request
from plugin_runner.client.values import to_struct
from pluginrunner.v1.job_pb2 import JobFilter, JobState
from pluginrunner.v1.plugin_runner_pb2 import (
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

Seconds = Union[float, timedelta]
"""A span of time: a number of seconds, or a timedelta."""

ActionClass = Union[type, str]
"""The code of an action: its class, or `package.module:Class`."""

Mode = Literal["local", "task", "job"]
"""In the service's own process, on a warm worker, or as a job."""

_MODES = {"local": RunMode.RUN_MODE_LOCAL, "task": RunMode.RUN_MODE_TASK}

# The library of the service takes a longer deadline for one that has passed.
_MAX_DEADLINE = 2_147_483.0

# How much longer a call may take than its run, so that the service's own word about the timeout arrives.
_DEADLINE_GRACE = 5.0


def run_request(
    plugin: str,
    action: str,
    params: object,
    *,
    mode: str,
    entrypoint: str | None,
    action_cls: ActionClass | None,
    env: Environment | None,
    job_id: str | None,
    timeout: Seconds | None,
    resources: Resources | None,
    request_id: str | None,
) -> RunPluginRequest:
    """Runs an action. A request id of its own makes its retries one run."""
    if mode not in _MODES:
        raise invalid_request("/mode", f"is {mode!r}, not one of local, task, job")
    return RunPluginRequest(
        plugin=plugin,
        action=action,
        params=_params(params),
        mode=_MODES[mode],
        entrypoint=_entrypoint(entrypoint, action_cls),
        env=_variables(env),
        request_id=request_id or str(uuid.uuid4()),
        job_id=job_id or "",
        timeout=_duration(timeout),
        resources=resources,
    )


def submit_request(
    plugin: str,
    action: str,
    params: object,
    *,
    entrypoint: str | None,
    action_cls: ActionClass | None,
    env: Environment | None,
    job_id: str | None,
    labels: Mapping[str, str] | None,
    timeout: Seconds | None,
    resources: Resources | None,
) -> SubmitJobRequest:
    """Submits a job. An id of its own makes its retries one job."""
    return SubmitJobRequest(
        plugin=plugin,
        action=action,
        params=_params(params),
        entrypoint=_entrypoint(entrypoint, action_cls),
        env=_variables(env),
        job_id=job_id or str(uuid.uuid4()),
        labels=labels,
        timeout=_duration(timeout),
        resources=resources,
    )


def validate_request(
    plugin: str, action: str, params: object, entrypoint: str | None, action_cls: ActionClass | None
) -> ValidateParamsRequest:
    """Validates params."""
    return ValidateParamsRequest(
        plugin=plugin,
        action=action,
        params=_params(params),
        entrypoint=_entrypoint(entrypoint, action_cls),
    )


def job_filter(
    states: Iterable[str],
    plugin: str,
    action: str,
    labels: Mapping[str, str] | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> JobFilter:
    """Which jobs are meant: everything that is given has to match."""
    return JobFilter(
        states=[_state(name) for name in states],
        plugin=plugin,
        action=action,
        labels=labels,
        created_after=_timestamp(created_after),
        created_before=_timestamp(created_before),
    )


def deadline_of(timeout: Seconds | None) -> float | None:
    """How long the call of a run with this timeout may take."""
    if timeout is None:
        return None
    seconds = _seconds(timeout) + _DEADLINE_GRACE
    return seconds if seconds < _MAX_DEADLINE else None


def seconds_of(span: Seconds | None) -> float | None:
    """A span of time in seconds."""
    return None if span is None else _seconds(span)


def _params(params: object) -> Any:
    return None if params is None else to_struct(params)


def _entrypoint(entrypoint: str | None, action_cls: ActionClass | None) -> str:
    if entrypoint:
        return entrypoint
    if not isinstance(action_cls, type):
        return action_cls or ""
    if action_cls.__module__ == "__main__":
        raise invalid_request("/entrypoint", f"is {action_cls.__name__} of the program itself, not of a plugin")
    return f"{action_cls.__module__}:{action_cls.__qualname__}"


def _variables(env: Environment | None) -> dict[str, str]:
    if env is None:
        return {}
    found = env if isinstance(env, Mapping) else env.to_dict()
    return {str(name): _text(value) for name, value in found.items() if value is not None}


def _text(value: Any) -> str:
    """As configurations have it: a boolean is a lower-case word, and a list has commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(_text, value)) if isinstance(value, (list, tuple)) else str(value)


def _state(name: str) -> JobState.ValueType:
    if f"JOB_STATE_{name}" not in JobState.keys():  # noqa: SIM118 an enum of protobuf is no mapping
        known = ", ".join(one.replace("JOB_STATE_", "") for one in JobState.keys()[1:])
        raise invalid_request("/filter/states", f"has {name!r}, not one of {known}")
    return JobState.Value(f"JOB_STATE_{name}")


def _seconds(span: Seconds) -> float:
    return span.total_seconds() if isinstance(span, timedelta) else span


def _duration(span: Seconds | None) -> Duration | None:
    if span is None:
        return None
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=_seconds(span)))
    return duration


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time.astimezone(timezone.utc))
    return timestamp
