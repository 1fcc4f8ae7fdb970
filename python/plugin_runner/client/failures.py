"""What a failed call, a failed job or a fault of the caller means: an error of one of the three classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from google.rpc.error_details_pb2 import BadRequest, DebugInfo, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import RpcError, StatusCode

from plugin_runner.client.errors import ActionNotFoundError, ExecutionError, RunnerError, ValidationError, Violation
from pluginrunner.v1.job_pb2 import JobError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    from google.protobuf.message import Message

    from plugin_runner.client.diagnosis import Finding
    from pluginrunner.v1.job_pb2 import FieldViolation

    M = TypeVar("M", bound=Message)

_DOMAIN = "pluginrunner.v1.PluginRunner"
_DETAILS_KEY = "grpc-status-details-bin"

_CLASSES: dict[str, type[RunnerError]] = {
    "PLUGIN_NOT_FOUND": ActionNotFoundError,
    "ACTION_NOT_FOUND": ActionNotFoundError,
    "PARAMS_INVALID": ValidationError,
    "REQUEST_INVALID": ValidationError,
}

# What a status means that the service did not send: the connection, a proxy or this process's own gRPC did.
_TRANSPORT_REASONS = {
    StatusCode.UNAVAILABLE: "UNAVAILABLE",
    StatusCode.CANCELLED: "UNAVAILABLE",
    StatusCode.UNKNOWN: "UNAVAILABLE",
    StatusCode.INTERNAL: "UNAVAILABLE",
    StatusCode.DEADLINE_EXCEEDED: "DEADLINE",
    StatusCode.UNAUTHENTICATED: "UNAUTHENTICATED",
    StatusCode.PERMISSION_DENIED: "FORBIDDEN",
}


def failed_call(call: RpcError) -> RunnerError | None:
    """The error of the service that a failed call means; None where somebody else ended it."""
    status = _status(call)
    info = status and _detail(status, ErrorInfo)
    if not status or not info or info.domain != _DOMAIN:
        return None
    metadata = dict(info.metadata)
    debug, retry, request = _detail(status, DebugInfo), _detail(status, RetryInfo), _detail(status, BadRequest)
    partial = _detail(status, JobError)
    return _class_of(info.reason)(
        call.details() or "",
        reason=info.reason,
        code=call.code(),
        exception_type=metadata.pop("exception_type", ""),
        metadata=metadata,
        violations=[Violation(one.field, one.description, one.reason) for one in request.field_violations]
        if request
        else (),
        stack="\n".join(debug.stack_entries) if debug else "",
        partial_result=_partial_result(partial) if partial else None,
        retry_after=retry.retry_delay.ToTimedelta().total_seconds() if retry else None,
    )


def failed_job(job_id: str, error: JobError) -> RunnerError:
    """The error that ended a job, of the same classes as those of a failed call."""
    metadata = {"job_id": job_id, **error.metadata}
    metadata.pop("exception_type", None)
    return _class_of(error.reason)(
        error.message,
        reason=error.reason,
        code=StatusCode.UNKNOWN,
        metadata=metadata,
        violations=violations_of(error.violations),
        exception_type=error.exception_type,
        stack=error.stack,
        partial_result=_partial_result(error),
    )


def _partial_result(error: JobError) -> Any:
    from plugin_runner.client.values import to_python  # which raises the errors of this file

    return to_python(error.partial_result, error.non_finite) if error.HasField("partial_result") else None


def invalid_request(field: str, description: str) -> ValidationError:
    """What the caller asked for cannot be sent."""
    violation = Violation(field, description, "request")
    message = f"The request is invalid: {field} {description}."
    return ValidationError(message, reason="REQUEST_INVALID", code=StatusCode.INVALID_ARGUMENT, violations=[violation])


def misuse(field: str, message: str) -> ValidationError:
    """A mistake in the use of this client; the field names the setting."""
    violation = Violation(field, message, "request")
    return ValidationError(message, reason="REQUEST_INVALID", code=StatusCode.INVALID_ARGUMENT, violations=[violation])


def cut(message: str) -> ExecutionError:
    """A stream that was cut, by the connection, a proxy or this client: worth another try."""
    return ExecutionError(message, reason="UNAVAILABLE", code=StatusCode.UNAVAILABLE)


class Silence(ExecutionError):
    """Nothing came for too long: the connection may be dead, and the next try is made over another one."""


def silent(seconds: float) -> Silence:
    """A stream on which nothing came for so many seconds."""
    return Silence(f"Nothing came from the server for {seconds} s.", reason="UNAVAILABLE", code=StatusCode.UNAVAILABLE)


def closed() -> ValidationError:
    """A call of a client that was closed."""
    return misuse("/client", "This client is closed: make another.")


def undecodable(address: str, cause: Exception) -> ExecutionError:
    """An answer that came and that this client cannot read."""
    return ExecutionError(
        f"The answer of {address} cannot be read by this client: it is nested too deep or damaged ({cause}).",
        reason="INTERNAL",
        code=StatusCode.INTERNAL,
        metadata={"address": address},
        final="certain",
    )


def violations_of(violations: Iterable[FieldViolation]) -> tuple[Violation, ...]:
    """The faults that a message of the service lists."""
    return tuple(Violation(one.field, one.description, one.rule) for one in violations)


def failed_transport(call: RpcError, address: str, finding: Finding | None) -> RunnerError:
    """The error of a call that the connection, a proxy or this process's own gRPC ended."""
    code = call.code()
    reason = finding.reason if finding else transport_reason(code)
    what = "No answer from" if reason == "UNAVAILABLE" else "The call failed at"
    message = finding.message if finding else f"{what} {address}: {call.details() or code.name}"
    return _class_of(reason)(
        message,
        reason=reason,
        code=StatusCode[finding.code] if finding and finding.code else code,
        metadata={"address": address, "status": code.name},
        violations=[Violation("", message, "request")] if reason == "REQUEST_INVALID" else (),
        final=finding.final if finding else "",
    )


def transport_reason(code: StatusCode) -> str:
    """What a status means that the service did not send."""
    return _TRANSPORT_REASONS.get(code, "INTERNAL")


def _status(call: RpcError) -> Status | None:
    for key, value in cast("Iterable[tuple[str, object]]", call.trailing_metadata() or ()):
        if key == _DETAILS_KEY and isinstance(value, bytes):
            return Status.FromString(value)
    return None


def _detail(status: Status, kind: type[M]) -> M | None:
    detail = kind()
    return next((detail for packed in status.details if packed.Unpack(detail)), None)


def _class_of(reason: str) -> type[RunnerError]:
    return _CLASSES.get(reason, ExecutionError)
