"""Runs one of the cases with a client of either kind."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from cases import Case, holds
from google.protobuf.json_format import MessageToDict
from targets import Targets, tell

from plugin_runner.client import (
    ActionNotFoundError,
    ExecutionError,
    JobEvent,
    JobState,
    RunnerError,
    ValidationError,
    to_python,
)

CLASSES = {one.__name__: one for one in (ActionNotFoundError, ValidationError, ExecutionError)}


@dataclass(frozen=True)
class Subject:
    """What a case runs against."""

    client: Any
    proxied: Any
    """A client whose connections the targets' proxy cuts."""
    targets: Targets
    abort: Callable[[dict[str, Any]], None]
    """Runs an action, leaves the call in the way of the language, and sees the language's own word for that."""


def run_case(case: Case, subject: Subject) -> None:
    assert case.do in VERBS, f"the case does what this suite does not know: {case.do}"
    VERBS[case.do](case, subject)


def run(case: Case, subject: Subject) -> None:
    settles(lambda: subject.client.run_plugin(**case.request), case.expect)


def submit(case: Case, subject: Subject) -> None:
    settles(lambda: subject.client.submit_job(**case.request), case.expect)


def job(case: Case, subject: Subject) -> None:
    job = subject.client.submit_job(**case.request)
    events = list(job.events())
    check_order(events)
    check_events(events, case.expect)
    settles(job.result, case.expect)
    assert state_of(job) == case.expect["state"]


def run_job(case: Case, subject: Subject) -> None:
    job_id = str(uuid.uuid4())
    assert subject.client.run_plugin(**case.request, mode="job", job_id=job_id) == job_id
    assert not subject.client.get_job(job_id).HasField("end_time")
    subject.client.cancel_job(job_id)


def validate(case: Case, subject: Subject) -> None:
    verdict = subject.client.validate_params(**case.request)
    assert verdict.valid is case.expect["valid"]
    assert holds(verdict.params, case.expect.get("params", {}))
    check_violations(verdict.violations, case.expect.get("violations", []))


def get(case: Case, subject: Subject) -> None:
    settles(lambda: subject.client.get_job(case.request["job_id"]), case.expect)


def watch(case: Case, subject: Subject) -> None:
    settles(lambda: list(subject.client.watch_job(case.request["job_id"])), case.expect)


def abort(case: Case, subject: Subject) -> None:
    subject.abort(case.request)


def cancel(case: Case, subject: Subject) -> None:
    job = subject.client.submit_job(**case.request)
    progressed(job)
    job.cancel()
    settles(job.result, case.expect)
    assert state_of(job) == case.expect["state"]


def delete(case: Case, subject: Subject) -> None:
    job = subject.client.submit_job(**case.request)
    progressed(job)
    settles(job.delete, case.expect)
    job.cancel()
    assert list(job.events())
    job.delete()
    with pytest.raises(ExecutionError) as caught:
        job.get()
    assert caught.value.reason == "JOB_NOT_FOUND"


def attach(case: Case, subject: Subject) -> None:
    job_id = str(uuid.uuid4())
    first = subject.client.submit_job(**case.request, job_id=job_id)
    if "error" in case.expect:
        settles(lambda: subject.client.submit_job(**case.again, job_id=job_id), case.expect)
    else:
        assert subject.client.submit_job(**case.again, job_id=job_id).id == first.id


def resume(case: Case, subject: Subject) -> None:
    job = subject.client.submit_job(**case.request)
    events = []
    cuts: list[RunnerError] = []
    for update in subject.proxied.watch_job(job.id, on_retry=cuts.append):
        if not isinstance(update, JobEvent):
            continue
        events.append(update)
        if update.sequence in case.cut_after:
            tell(subject.targets.all["proxy"]["cut"])
    check_order(events)
    # Not of each: a job that has ended meanwhile comes as one message, in which nothing can be cut.
    assert cuts
    settles(job.result, case.expect)


def silence(case: Case, subject: Subject) -> None:
    job = subject.client.submit_job(**case.request)
    events = []
    cuts: list[RunnerError] = []
    for update in subject.client.watch_job(job.id, on_retry=cuts.append):
        if not isinstance(update, JobEvent):
            continue
        events.append(update)
        if update.sequence == case.silent_after:
            tell(subject.targets.all["silent"]["silence"])
    check_order(events)
    check_events(events, case.expect)
    assert cuts


def leave(case: Case, subject: Subject) -> None:
    params = {"mark": str(uuid.uuid4())}
    with ThreadPoolExecutor(1) as threads:
        left = threads.submit(tell, subject.targets.all["leaving"]["leave"])
        settles(lambda: subject.client.run_plugin(**case.request, params=params), case.expect)
        left.result()
    assert subject.client.run_plugin(**{**case.request, "action": "starts"}, params=params) == 1


def watch_from(case: Case, subject: Subject) -> None:
    job = subject.client.submit_job(**case.request)
    job.result()
    if "error" in case.expect:
        return settles(lambda: list(job.events(case.after_sequence)), case.expect)
    assert next(iter(job.events(case.after_sequence))).sequence == case.expect["first_sequence"]


def list_jobs(case: Case, subject: Subject) -> None:
    labels = {"case": str(uuid.uuid4())}
    ids = [subject.client.submit_job(**case.request, labels=labels).id for _ in range(case.count)]
    found = [job.job_id for job in subject.client.list_jobs(labels=labels, page_size=2)]
    assert found == ids[::-1]


VERBS: dict[str, Callable[[Case, Subject], None]] = {
    "run": run,
    "submit": submit,
    "job": job,
    "run_job": run_job,
    "validate": validate,
    "get": get,
    "watch": watch,
    "abort": abort,
    "cancel": cancel,
    "delete": delete,
    "attach": attach,
    "resume": resume,
    "silence": silence,
    "leave": leave,
    "watch_from": watch_from,
    "list": list_jobs,
}


def settles(call: Callable[[], Any], expect: dict[str, Any]) -> None:
    if "error" in expect:
        with pytest.raises(CLASSES[expect["error"]["class"]]) as caught:
            call()
        return check_error(caught.value, expect["error"])
    result = call()
    if "contains" in expect:
        assert holds(result, expect["contains"])
    else:
        assert holds(result, expect["result"])
        assert holds(expect["result"], result)


def check_error(error: RunnerError, expected: dict[str, Any]) -> None:
    assert (error.reason, error.code.name) == (expected["reason"], expected["code"])
    assert expected.get("message", "") in error.message
    assert str(error) == f"{error.reason}: {error.message}"
    assert expected.get("exception_type", "") in error.exception_type
    assert expected.get("stack", "") in error.stack
    assert holds(error.metadata, expected.get("metadata", {}))
    assert "exception_type" not in error.metadata
    assert error.retry_after == expected.get("retry_after")
    if "violations" in expected:
        check_violations(error.violations, expected["violations"])


def check_violations(violations: Any, expected: list[dict[str, Any]]) -> None:
    assert holds([vars(one) for one in violations], expected)


def check_order(events: list[JobEvent]) -> None:
    """Every event once, in order; the last one, and only it, is a result or an error."""
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    last = [event.WhichOneof("payload") in ("result", "error") for event in events]
    assert last == [False] * (len(events) - 1) + [True]


def check_events(events: list[JobEvent], expect: dict[str, Any]) -> None:
    found = iter([as_json(event) for event in events])
    for expected in expect.get("events", []):
        assert any(holds(one, expected) for one in found), f"{expected} is missing"
    logs = [as_json(event).get("log") for event in events]
    for expected in expect.get("logs", []):
        line = {**expected, "source": f"LOG_SOURCE_{expected['source']}"}
        assert any(holds(one, line) for one in logs), f"{line} is missing"


def as_json(event: JobEvent) -> Any:
    """With 64-bit integers as numbers, not as the texts of protobuf's JSON."""
    fields = MessageToDict(event, preserving_proto_field_name=True)
    if "artifact" in fields:
        fields["artifact"]["size_bytes"] = event.artifact.size_bytes
    if "metrics" in fields:
        fields["metrics"]["values"] = to_python(event.metrics)
    return fields


def progressed(job: Any) -> None:
    assert any(event.HasField("progress") for event in job.events())


def state_of(job: Any) -> str:
    return JobState.Name(job.get().state).replace("JOB_STATE_", "")
