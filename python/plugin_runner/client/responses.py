"""What the service's responses are to the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plugin_runner.client.failures import failed_job, violations_of
from plugin_runner.client.values import to_python
from plugin_runner.client.watch import is_final
from pluginrunner.v1.job_pb2 import Job

if TYPE_CHECKING:
    from plugin_runner.client.errors import Violation
    from plugin_runner.client.watch import JobUpdate
    from pluginrunner.v1.plugin_runner_pb2 import ValidateParamsResponse


@dataclass(frozen=True)
class Verdict:
    """What a validation found."""

    valid: bool
    """Whether the action would accept the params."""
    params: dict[str, Any]
    """The params as they were given, with defaults filled in, when it would."""
    violations: tuple[Violation, ...]
    """Every fault, when it would not."""
    warnings: tuple[Violation, ...]
    """What the action would not use of the params, such as a misspelt name."""


@dataclass(frozen=True)
class Outcome:
    """How a job ended well."""

    result: Any


def verdict_of(response: ValidateParamsResponse) -> Verdict:
    """The verdict that a response has."""
    params = to_python(response.params, response.non_finite)
    return Verdict(response.valid, params, violations_of(response.violations), violations_of(response.warnings))


def outcome_of_job(job: Job) -> Outcome | None:
    """The outcome that a job's record has, or None where it has none. Raises the error that ended the job."""
    if job.HasField("error"):
        raise failed_job(job.job_id, job.error)
    return Outcome(to_python(job.result, job.non_finite_result)) if job.HasField("result") else None


def outcome_of_update(job_id: str, update: JobUpdate) -> Outcome | None:
    """The same of what a watch of the job yields."""
    if isinstance(update, Job):
        return None
    if update.HasField("error"):
        raise failed_job(job_id, update.error)
    return Outcome(to_python(update.result)) if update.HasField("result") else None


def sequence_before_outcome(job: Job) -> int:
    """After which sequence a watch has the outcome: the record of a large job leaves the result out."""
    return job.last_sequence - 1 if is_final(job) else job.last_sequence
