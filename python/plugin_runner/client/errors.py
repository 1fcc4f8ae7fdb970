"""The errors of the client: every one is an ActionNotFoundError, a ValidationError or an ExecutionError."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Union

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


Reason = Literal[
    "PLUGIN_NOT_FOUND",
    "ACTION_NOT_FOUND",
    "PARAMS_INVALID",
    "REQUEST_INVALID",
    "PLUGIN_INVALID",
    "PLUGIN_CHANGED",
    "ACTION_FAILED",
    "WORKER_LOST",
    "RESULT_INVALID",
    "PATH_FORBIDDEN",
    "MODULE_FORBIDDEN",
    "OVERLOADED",
    "ENGINE_UNAVAILABLE",
    "STORAGE_UNAVAILABLE",
    "RUN_NOT_FOUND",
    "JOB_NOT_FOUND",
    "JOB_ID_CONFLICT",
    "JOB_NOT_FINISHED",
    "EVENTS_EXPIRED",
    "DATA_LOSS",
    "UNAUTHENTICATED",
    "FORBIDDEN",
    "DEADLINE",
    "CANCELLED",
    "INTERNAL",
    "UNAVAILABLE",
]
"""The stable words for what goes wrong, as docs/errors.md lists them; UNAVAILABLE where no service answered."""

Finality = Literal["", "unless_heard", "certain"]
"""Whether another try would end as this one did; `unless_heard`: not where the server has answered before."""


class PluginStack(Exception):
    """The plugin's own stack, as the cause of the error that it made: Python prints it above the caller's."""

    def __init__(self, stack: str) -> None:
        super().__init__("\n" + stack.rstrip("\n"))


class RunnerError(Exception):
    """What every error of the client carries. `str(error)` is its reason and its message."""

    reason: Union[Reason, str]
    """The stable word for what went wrong. It may be one that is newer than this client."""
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
    partial_result: Any
    """What could be kept of a result that is RESULT_INVALID: None stands at the places that `metadata` lists."""
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
        partial_result: Any = None,
        retry_after: float | None = None,
        final: Finality = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.code = code
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.exception_type = exception_type
        self.stack = stack
        self.partial_result = partial_result
        self.retry_after = retry_after
        self._final = final
        self._show_stack()

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"

    def _show_stack(self) -> None:
        self.__cause__ = PluginStack(self.stack) if self.stack else None

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
    error._show_stack()
    return error
