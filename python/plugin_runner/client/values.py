"""JSON as protobuf has it, and as Python has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from plugin_runner.client.failures import invalid_request
from plugin_runner.encode import LARGEST_INTEGER, Unencodable, plain, pointer

if TYPE_CHECKING:
    from typing import Any


def to_struct(params: object) -> Struct:
    """
    Params as a message. What actions may return may be given as well: models, dataclasses, dates, paths, arrays.
    Raises ValidationError for what has no JSON.
    """
    try:
        fields = plain(params)
    except Unencodable as fault:
        raise invalid_request(f"/params{pointer(fault.path)}", fault.what) from None
    if not isinstance(fields, dict):
        raise invalid_request("/params", f"is of type {type(params).__name__}, not a mapping")
    struct = Struct()
    _fill_struct(struct, fields)
    return struct


def to_python(message: Value | Struct) -> Any:
    """
    A value or the fields of a message, such as `job.params` or `event.metrics.values`, as plain Python. Numbers
    without a fraction are integers.
    """
    return _object(message) if isinstance(message, Struct) else _python(message)


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
    return int(number) if number.is_integer() and abs(number) <= LARGEST_INTEGER else number
