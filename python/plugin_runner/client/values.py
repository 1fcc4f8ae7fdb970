"""JSON as protobuf has it, and as Python has it."""

from __future__ import annotations

import re
from contextlib import suppress
from math import copysign
from typing import TYPE_CHECKING, Union

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from plugin_runner.client.failures import invalid_request
from plugin_runner.encode import LARGEST_INTEGER, MESSAGE_LEVELS, Walk, pointer
from plugin_runner.non_finite import with_number
from pluginrunner.v1.job_event_pb2 import JobLog, JobResult
from pluginrunner.v1.job_pb2 import JobArtifact, JobMetrics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

Json = Union[Value, Struct, JobMetrics, JobLog, JobArtifact, JobResult]
"""Messages that are a value of JSON, or have one."""


def encode_params(params: object) -> tuple[Struct | None, list[str]]:
    """
    Params as a message, and the pointers to the texts in it that stand for a number. What actions may return may be
    given as well: models, dataclasses, dates, paths, arrays. Raises ValidationError for what cannot be sent exactly.
    """
    if params is None:
        return None, []
    walk = Walk()
    fields = walk.value(params, None, MESSAGE_LEVELS)
    if walk.faults:
        fault = walk.faults[0]
        # The words are for who returns it: here it is sent.
        raise invalid_request(f"/params{pointer(fault.path)}", re.sub(r"\breturn\b", "send", fault.what))
    if not isinstance(fields, dict):
        raise invalid_request("/params", f"is of type {type(params).__name__}, not a mapping")
    return _struct(fields), walk.non_finite


def to_python(message: Json, non_finite: Iterable[str] = ()) -> Any:
    """
    What a message has of JSON, as plain Python: the values of `event.metrics`, the fields of `event.log`, the metadata
    of `event.artifact`, the value of `event.result`. Whole numbers within ±(2^53-1) are integers, and NaN and the
    infinities are floats. Of a value or fields alone, such as `job.params`, they are where `non_finite` says:
    `to_python(job.params, job.non_finite_params)`.
    """
    if isinstance(message, JobMetrics):
        return to_python(message.values, message.non_finite)
    if isinstance(message, JobLog):
        return to_python(message.fields, message.non_finite)
    if isinstance(message, JobArtifact):
        return to_python(message.metadata, message.non_finite)
    if isinstance(message, JobResult):
        return to_python(message.value, message.non_finite)
    plain = _object(message) if isinstance(message, Struct) else _python(message)
    for place in non_finite:
        with suppress(LookupError):  # what it does not lead to stays as it is
            plain = with_number(plain, place)
    return plain


def _struct(fields: dict[str, Any]) -> Struct:
    struct = Struct()
    _fill_struct(struct, fields)
    return struct


def _fill_struct(struct: Struct, fields: dict[str, Any]) -> None:
    for name, item in fields.items():
        _fill(struct.fields[name], item)


def _fill(value: Value, item: Any) -> None:
    if item is None:
        value.null_value = NULL_VALUE
    elif isinstance(item, bool):
        value.bool_value = item
    elif isinstance(item, str):
        value.string_value = item
    elif isinstance(item, dict):
        value.struct_value.SetInParent()
        _fill_struct(value.struct_value, item)
    elif isinstance(item, list):
        value.list_value.SetInParent()
        for one in item:
            _fill(value.list_value.values.add(), one)
    else:
        value.number_value = item


def _python(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        return _number(value.number_value)
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        return _object(value.struct_value)
    if kind == "list_value":
        return [_python(item) for item in value.list_value.values]
    return value.bool_value if kind == "bool_value" else None


def _object(struct: Struct) -> dict[str, Any]:
    return {name: _python(value) for name, value in struct.fields.items()}


def _number(number: float) -> int | float:
    is_whole = number.is_integer() and abs(number) <= LARGEST_INTEGER
    return number if not is_whole or (number == 0 and copysign(1, number) < 0) else int(number)
