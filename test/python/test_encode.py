from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import uuid
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from plugin_runner.encode import encode_result, lenient_object
from plugin_runner.errors import RunnerError


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Model(BaseModel):
    day: datetime.date


@dataclass
class Point:
    x: int
    y: Any = None


Pair = namedtuple("Pair", "a b")
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({"a": [1, 2.5, True, "é\u2028"]}, {"a": [1, 2.5, True, "é\u2028"]}),
        ((1, (2,)), [1, [2]]),
        (Pair(1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a", 1}), ["a", "b", 1]),
        ({1: "a", Level.LOW: "b"}, {"1": "b"}),
        (OrderedDict(a=1), {"a": 1}),
        (NOON, "2026-01-02T12:00:00+00:00"),
        (NOON.date(), "2026-01-02"),
        (NOON.time(), "12:00:00"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        ([Level.LOW], [1]),
        (Point(1, Point(2)), {"x": 1, "y": {"x": 2, "y": None}}),
        ([Model(day=NOON.date())], [{"day": "2026-01-02"}]),
    ],
)
def test_a_result_of_a_common_type_has_its_documented_json(value: object, expected: object) -> None:
    assert json.loads(encode_result(value)) == expected


CYCLE: list[Any] = []
CYCLE.extend([CYCLE, CYCLE])


@pytest.mark.parametrize(
    ("value", "field", "kind"),
    [
        (float("nan"), "", "float"),
        ({"a/b": [0, float("-inf")]}, "/a~1b/1", "float"),
        ({"x": {"y": b"bytes"}}, "/x/y", "bytes"),
        ([2**53 + 1], "/0", "int"),
        ({"x": {None: 1}}, "/x/None", "NoneType"),
        ({True: 1}, "/True", "bool"),
        ([object()], "/0", "object"),
        ([1j], "/0", "complex"),
        (["\ud800"], "/0", "str"),
        (Point(1, {"deep": object}), "/y/deep", "type"),
        ((turn for turn in "ab"), "", "generator"),
    ],
)
def test_a_result_without_json_is_refused_with_the_pointer_to_it(value: object, field: str, kind: str) -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result(value)
    assert caught.value.reason == "RESULT_INVALID"
    assert caught.value.metadata == {"field": field, "type": kind}


def test_a_result_that_contains_itself_is_refused() -> None:
    with pytest.raises(RunnerError, match="contains itself"):
        encode_result(CYCLE)


def test_a_result_beyond_the_limit_is_refused_with_its_size() -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result("x" * 100, limit=100)
    assert caught.value.metadata["size_bytes"] == "102"


def test_fields_of_a_log_always_have_json() -> None:
    given = {
        "nan": float("nan"),
        "all": [float("inf"), float("-inf"), b"x", 2**60, {1.5: (1,)}],
        "cycle": CYCLE,
        "when": NOON,
        7: Level.LOW,
    }
    assert lenient_object(given) == {
        "nan": "NaN",
        "all": ["Infinity", "-Infinity", "b'x'", str(2**60), {"1.5": [1]}],
        "cycle": "[[...], [...]]",
        "when": "2026-01-02T12:00:00+00:00",
        "7": 1,
    }


def test_numpy_values_become_numbers_and_lists() -> None:
    numpy = pytest.importorskip("numpy")
    value = {
        "scalar": numpy.float32(0.5),
        "array": numpy.arange(4).reshape(2, 2),
        "flag": numpy.bool_(True),
    }
    assert json.loads(encode_result(value)) == {
        "scalar": 0.5,
        "array": [[0, 1], [2, 3]],
        "flag": True,
    }
