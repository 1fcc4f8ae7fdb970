"""What a failed call, a failed job or a fault of the caller means: an error of one of the three classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from google.rpc.error_details_pb2 import BadRequest, DebugInfo, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import RpcError, StatusCode

from plugin_runner.client.errors import ActionNotFoundError, ExecutionError, RunnerError, ValidationError, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeVar

    from google.protobuf.message import Message

    from pluginrunner.v1.job_pb2 import FieldViolation, JobError

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


def failed_call(call: RpcError, address: str) -> RunnerError:
    """The error that a failed call means. `address` is named when nothing answered there."""
    status = _status(call)
    info = status and _detail(status, ErrorInfo)
    if not status or not info or info.domain != _DOMAIN:
        return _failed_transport(call, address)
    metadata = dict(info.metadata)
    debug, retry, request = _detail(status, DebugInfo), _detail(status, RetryInfo), _detail(status, BadRequest)
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
    )


def invalid_request(field: str, description: str) -> ValidationError:
    """What the caller asked for cannot be sent."""
    violation = Violation(field, description, "request")
    message = f"The request is invalid: {field} {description}."
    return ValidationError(message, reason="REQUEST_INVALID", code=StatusCode.INVALID_ARGUMENT, violations=[violation])


def cut(message: str) -> ExecutionError:
    """A stream that was cut, by the connection, a proxy or this client: worth another try."""
    return ExecutionError(message, reason="UNAVAILABLE", code=StatusCode.UNAVAILABLE)


def closed() -> ExecutionError:
    """A call of a client that was closed."""
    return ExecutionError("This client is closed.", reason="INTERNAL", code=StatusCode.INTERNAL)


def violations_of(violations: Iterable[FieldViolation]) -> tuple[Violation, ...]:
    """The faults that a message of the service lists."""
    return tuple(Violation(one.field, one.description, one.rule) for one in violations)


def _failed_transport(call: RpcError, address: str) -> RunnerError:
    code = call.code()
    reason = _TRANSPORT_REASONS.get(code, "INTERNAL")
    what = "No answer from" if reason == "UNAVAILABLE" else "The call failed at"
    return ExecutionError(
        f"{what} {address}: {call.details() or code.name}",
        reason=reason,
        code=code,
        metadata={"address": address, "status": code.name},
    )


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
