"""Arrays of numpy and tables of pandas as lists and objects. Imported only when the plugin imported them."""

from __future__ import annotations

import sys
from typing import Any

from plugin_runner.encode import Unencodable
from plugin_runner.iso_duration import of_count


def of_numpy(value: Any) -> Any:
    """An array as lists in lists, a scalar as what it is in Python.

    Times are ISO 8601 text at their own unit, NaT is null, and records are objects.
    """
    numpy = sys.modules["numpy"]
    kind = value.dtype.kind
    if kind == "M":
        return _without_nat(numpy.datetime_as_string(value).tolist())
    if kind == "m":
        return _durations(numpy, value)
    if kind == "V":
        return _records(value)
    if kind == "c":
        what = "holds complex numbers: return their parts, real and imag"
        raise Unencodable(None, what, type(value).__name__)
    made = value.tolist()
    if isinstance(made, numpy.generic):  # a long double
        return _double(made)
    return list(value) if kind == "f" and value.dtype.itemsize > 8 else made


def of_pandas(value: Any) -> Any:
    """A table as a list of its rows, a series as a list, or as an object where it has labels."""
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        return _rows(_with_labels(value))
    if isinstance(value, pandas.Series):
        if not _has_labels(value.index):
            return list(value)
        if isinstance(value.index, pandas.MultiIndex):
            return _rows(value.reset_index())
        return _paired(value.index, value)
    if value is pandas.NA or value is pandas.NaT:
        return None
    if isinstance(value, pandas.Period):
        return str(value)
    if isinstance(value, pandas.MultiIndex):
        return [list(each) for each in value]
    if callable(getattr(type(value), "tolist", None)):
        return value.tolist()
    name = type(value).__name__
    raise Unencodable(None, f"is of type pandas.{name}, which has no JSON: return a dict or a text made of it", name)


def _rows(frame: Any) -> list[dict[Any, Any]]:
    names = list(frame.columns)
    if len(set(names)) < len(names):
        doubled = next(name for name in names if names.count(name) > 1)
        raise Unencodable(None, f"has two columns with the name {doubled!r}", type(frame).__name__)
    columns = [list(frame[name]) for name in names]
    return [dict(zip(names, row)) for row in zip(*columns)] if columns else [{} for _ in range(len(frame))]


def _with_labels(frame: Any) -> Any:
    """Row numbers are dropped. Labels are columns: they may be all that tells the rows apart."""
    return frame.reset_index() if _has_labels(frame.index) else frame


def _has_labels(index: Any) -> bool:
    return index.nlevels > 1 or index.name is not None or getattr(index.dtype, "kind", "O") not in "iu"


def _paired(index: Any, values: Any) -> dict[Any, Any]:
    paired: dict[Any, Any] = {}
    for label, value in zip(index, values):
        if label in paired:
            raise Unencodable(None, f"has two values with the label {label!r}: return a list of them", "Series")
        paired[label] = value
    return paired


def _records(value: Any) -> Any:
    if value.dtype.names is None:  # raw bytes
        return value.tolist()
    if value.shape:
        return list(value)
    return {name: value[name] for name in value.dtype.names}


def _durations(numpy: Any, value: Any) -> Any:
    unit, step = numpy.datetime_data(value.dtype)

    def each(count: Any, is_nat: Any) -> Any:
        if isinstance(count, list):
            return [each(*pair) for pair in zip(count, is_nat)]
        if is_nat or unit == "generic":
            return None if is_nat else count
        return of_count(count * step, unit)

    return each(value.astype("int64").tolist(), numpy.isnat(value).tolist())


def _without_nat(text: Any) -> Any:
    if isinstance(text, list):
        return [_without_nat(each) for each in text]
    return None if text == "NaT" else text


def _double(value: Any) -> float:
    if float(value) != value and value == value:
        raise Unencodable(None, "has more digits than a double: return it as a string", type(value).__name__)
    return float(value)
