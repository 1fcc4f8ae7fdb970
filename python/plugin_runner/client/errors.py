"""The errors of the client: every one is an ActionNotFoundError, a ValidationError or an ExecutionError."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from grpc import StatusCode


@dataclass(frozen=True)
class Violation:
    """One fault of the params or of the request."""

    field: str
    """A JSON pointer, for example `/params/epochs`; empty for the whole."""
    description: str
    """What is wrong."""
    rule: str
    """The rule that is broken: a keyword of JSON Schema, or the code's own word."""


class RunnerError(Exception):
    """What every error of the client carries. `str(error)` is its message."""

    reason: str
    """The stable word for what went wrong, as docs/errors.md lists them; UNAVAILABLE where no service answered."""
    message: str
    """What happened, for a person."""
    code: StatusCode
    """The status of gRPC; UNKNOWN for what ended a job."""
    metadata: dict[str, str]
    """Every variable of the message."""
    violations: tuple[Violation, ...]
    """Every fault of the params or of the request."""
    exception_type: str
    """The type of the exception that the action raised; empty for other reasons."""
    stack: str
    """The plugin's own stack; empty when the action raised nothing."""
    retry_after: float | None
    """When a retry may succeed, in seconds from the error on; None when the service does not say."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        code: StatusCode,
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[Violation] = (),
        exception_type: str = "",
        stack: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.exception_type = exception_type
        self.stack = stack
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Any, ...]:
        # Errors cross processes: those of multiprocessing, Ray and the like.
        return _restored, (type(self), self.message, dict(self.__dict__))


class ActionNotFoundError(RunnerError):
    """There is no such plugin, or it has no such action. `metadata` names what there is."""


class ValidationError(RunnerError):
    """The params do not satisfy the action's schema, or the request is malformed; `violations` has every fault."""


class ExecutionError(RunnerError):
    """Everything else: the action failed, was cancelled or could not be loaded, or no service answered."""


def _restored(kind: type[RunnerError], message: str, state: dict[str, Any]) -> RunnerError:
    error = kind.__new__(kind, message)
    error.__dict__.update(state)
    return error
