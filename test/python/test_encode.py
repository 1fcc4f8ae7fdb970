from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import ipaddress
import json
import pathlib
import re
import uuid
from array import array
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, v1

from plugin_runner.encode import lenient_fields
from plugin_runner.errors import RunnerError
from plugin_runner.result import encode_result


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


class Failing:
    def __str__(self) -> str:
        raise ValueError("no text")

    def tolist(self) -> object:
        raise ValueError("no list")


Pair = namedtuple("Pair", "a b")
DAY, HOUR, SECOND = (datetime.timedelta(**{unit: 1}) for unit in ("days", "hours", "seconds"))
LIMITS = json.loads((pathlib.Path(__file__).parents[2] / "contract/limits.json").read_text())
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
        (
            {NOON.date(): 1, uuid.UUID(int=1): 2, Colour.RED: 3, True: 4, None: 5, 1.5: 6, 2**70: 7, b"x": 8},
            {
                "2026-01-02": 1,
                "00000000-0000-0000-0000-000000000001": 2,
                "red": 3,
                "true": 4,
                "null": 5,
                "1.5": 6,
                str(2**70): 7,
                "eA==": 8,
            },
        ),
        (
            [deque([1]), range(2), {"a": 1}.keys(), {"a": 1}.items(), array("i", [1])],
            [[1], [0, 1], ["a"], [["a", 1]], [1]],
        ),
        ([MappingProxyType({"a": 1}), UserDict(a=1), SimpleNamespace(a=1)], [{"a": 1}] * 3),
        ([b"\x00\xff", bytearray(b"a"), memoryview(b"abc")], ["AP8=", "YQ==", "YWJj"]),
        ([DAY + 2 * HOUR, -5 * SECOND, 0 * DAY, 400 * DAY, SECOND / 2], ["P1DT2H", "-PT5S", "PT0S", "P400D", "PT0.5S"]),
        ([fractions.Fraction(1, 3), ipaddress.ip_address("::1"), re.compile("a+")], ["1/3", "::1", "a+"]),
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
    assert json.loads(encode_result(value).text) == expected


CYCLE: list[Any] = []
CYCLE.extend([CYCLE, CYCLE])


@pytest.mark.parametrize(
    ("value", "field", "kind", "partial"),
    [
        ({"a": [2**53, -(2**53), 2**53 - 1]}, "/a/0", "int", {"a": [None, None, 2**53 - 1]}),
        ([object()], "/0", "object", [None]),
        ([1j], "/0", "complex", [None]),
        (["\ud800", 1], "/0", "str", [None, 1]),
        ({"b\udcff": 1, "c": 2}, "/b\\udcff", "str", {"c": 2}),
        (Point(1, {"deep": object}), "/y/deep", "type", {"x": 1, "y": {"deep": None}}),
        ([(turn for turn in "ab")], "/0", "generator", [None]),
        ({1: "a", "1": "b", "c": 3}, "/1", "str", {"1": None, "c": 3}),
        ({(1, 2): 1, "a": 2}, "/(1, 2)", "tuple", {"a": 2}),
        ({"__proto__": 1, "a": 2}, "/__proto__", "str", {"a": 2}),
        ({"x": [Failing()], "y": 1}, "/x/0", "Failing", {"x": [None], "y": 1}),
        ([[CYCLE], 1], "/0/0/0", "list", [[[None, None]], 1]),
    ],
)
def test_a_result_without_json_is_refused_with_the_pointer_to_it_and_keeps_the_rest(
    value: object, field: str, kind: str, partial: object
) -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result(value)
    assert caught.value.reason == "RESULT_INVALID"
    metadata = caught.value.metadata
    assert (metadata["field"], metadata["type"]) == (field, kind)
    assert json.loads(metadata["fields"])[0] == field
    assert caught.value.record()["partial_result"] == partial
    assert repr(field)[1:-1] in caught.value.message or field in caught.value.message


def test_all_places_without_json_are_named_up_to_a_hundred() -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result({"a": object(), "b": [float("nan"), print], "c": 1})
    assert json.loads(caught.value.metadata["fields"]) == ["/a", "/b/1"]
    assert caught.value.record()["partial_result"] == {"a": None, "b": ["NaN", None], "c": 1}
    assert caught.value.record()["non_finite"] == ["/b/0"]
    with pytest.raises(RunnerError, match="; and 198 more") as caught:
        encode_result([object()] * 201)
    assert len(json.loads(caught.value.metadata["fields"])) == LIMITS["faults"]


def test_nothing_is_left_of_a_result_that_has_no_json_at_all() -> None:
    with pytest.raises(RunnerError, match=r"return list\(…\) of it") as caught:
        encode_result(turn for turn in "ab")
    assert "partial_result" not in caught.value.record()


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (print, "call it"),
        (dict, "the class dict itself"),
        (1j, "real and imag"),
        (object(), "return a dict, a dataclass or a text"),
        (2**60, "return it as a string"),
    ],
)
def test_what_has_no_json_is_told_with_a_way_out(value: object, hint: str) -> None:
    with pytest.raises(RunnerError, match=hint):
        encode_result(value)


def test_a_coroutine_is_told_to_be_awaited() -> None:
    async def later() -> None: ...

    coroutine = later()
    with pytest.raises(RunnerError, match="not awaited"):
        encode_result(coroutine)
    coroutine.close()


@pytest.mark.parametrize("kind", ["object", "list"])
def test_a_result_nests_as_deep_as_decoders_read(kind: str) -> None:
    deepest = LIMITS["message_levels"] // LIMITS[f"{kind}_levels"]

    def nested(levels: int) -> Any:
        value: Any = 1
        for _ in range(levels):
            value = {"a": value} if kind == "object" else [value]
        return value

    assert json.loads(encode_result(nested(deepest)).text) == nested(deepest)
    with pytest.raises(RunnerError, match="nested deeper than clients can read") as caught:
        encode_result({"deep": nested(deepest), "kept": 1})
    assert caught.value.record()["partial_result"]["kept"] == 1


def test_numbers_without_json_are_texts_whose_places_are_known() -> None:
    encoded = encode_result({"a/b": [float("nan"), "NaN", -0.0], "c": float("-inf")})
    assert encoded.text == b'{"a/b":["NaN","NaN",-0.0],"c":"-Infinity"}'
    assert encoded.non_finite == ["/a~1b/0", "/c"]
    assert encode_result(float("inf")).keys() == b'"value":"Infinity","non_finite":[""]'


def test_a_result_beyond_the_limit_is_refused_with_its_size() -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result("x" * 100, limit=100)
    assert caught.value.metadata["size_bytes"] == "102"


def test_an_array_larger_than_the_limit_is_refused_before_it_is_made_a_list() -> None:
    with pytest.raises(RunnerError, match=r"ctx\.artifact") as caught:
        encode_result({"all": range(10**12)})
    assert caught.value.metadata["type"] == "range"


def test_fields_of_a_log_always_have_json() -> None:
    given = {
        "nan": float("nan"),
        "all": [float("inf"), "NaN", b"x", 2**60, {1.5: (1,)}],
        "cycle": CYCLE,
        "when": NOON,
        7: Level.LOW,
        "\udcff": "\udcff",
        "__proto__": 1,
        "failing": Failing(),
        1: "number",
        "1": "text",
    }
    fields, non_finite = lenient_fields(given)
    assert fields == {
        "nan": "NaN",
        "all": ["Infinity", "NaN", "eA==", str(2**60), {"1.5": [1]}],
        "cycle": ["[[...], [...]]", "[[...], [...]]"],
        "when": "2026-01-02T12:00:00+00:00",
        "7": 1,
        "\\udcff": "\\udcff",
        "failing": "<Failing: ValueError>",
        "1": "number",
        "1 (str)": "text",
    }
    assert non_finite == ["/nan", "/all/0"]


class Tensor:
    """As those of torch, jax and others: it says itself as a list."""

    def __init__(self, items: object) -> None:
        self._items = items

    def tolist(self) -> object:
        return self._items


class Arrayed:
    """As those of tensorflow: there is an array of it."""

    def numpy(self) -> Tensor:
        return Tensor([1, 2])


def test_tensors_become_lists() -> None:
    assert json.loads(encode_result([Tensor([[1.0, 2]]), Arrayed()]).text) == [[[1.0, 2]], [1, 2]]
    with pytest.raises(RunnerError) as caught:
        encode_result({"x": Tensor([1j, 2])})
    assert caught.value.metadata["field"] == "/x/0"


class Serial(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    size: int = Field(1, alias="batchSize")
    rate: float = Field(0.5, serialization_alias="Rate")
    more: Any = None


class Old(v1.BaseModel):
    size: int = v1.Field(1, alias="batchSize")
    day: datetime.date = datetime.date(2026, 1, 2)


def test_a_model_is_what_its_schema_says() -> None:
    schema = Serial.model_json_schema(mode="serialization")
    made = json.loads(encode_result([Serial(more=Tensor([1])), Old()]).text)
    assert made == [{"batchSize": 1, "Rate": 0.5, "more": [1]}, {"batchSize": 1, "day": "2026-01-02"}]
    assert made[0].keys() == schema["properties"].keys()
    with pytest.raises(RunnerError) as caught:
        encode_result({"model": Serial(rate=float("nan"), more=object())})
    assert caught.value.metadata["field"] == "/model/more"
    assert caught.value.record()["partial_result"] == {"model": {"batchSize": 1, "Rate": "NaN", "more": None}}
    assert caught.value.record()["non_finite"] == ["/model/Rate"]


def test_numpy_values_become_numbers_and_lists() -> None:
    numpy = pytest.importorskip("numpy")
    value = {
        "scalar": numpy.float32(0.5),
        "array": numpy.arange(4).reshape(2, 2),
        "flag": numpy.bool_(True),
        "times": numpy.array(["2026-01-02", "NaT"], dtype="M8[ms]"),
        "month": numpy.datetime64("2026-01"),
        "spans": [numpy.timedelta64(90, "m"), numpy.timedelta64(3, "Y"), numpy.timedelta64("NaT")],
        "records": numpy.array([(1, 0.5)], dtype=[("a", "i4"), ("b", "f8")]),
    }
    assert json.loads(encode_result(value).text) == {
        "scalar": 0.5,
        "array": [[0, 1], [2, 3]],
        "flag": True,
        "times": ["2026-01-02T00:00:00.000", None],
        "month": "2026-01",
        "spans": ["PT1H30M", "P3Y", None],
        "records": [{"a": 1, "b": 0.5}],
    }


def test_tables_of_pandas_become_rows() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [1, 2], "t": pandas.to_datetime(["2026-01-02", None])})
    value = [frame, frame.a, frame.a.index, pandas.Series({"x": 1}), frame.groupby("a").count(), pandas.NA]
    assert json.loads(encode_result(value).text) == [
        [{"a": 1, "t": "2026-01-02T00:00:00"}, {"a": 2, "t": None}],
        [1, 2],
        [0, 1],
        {"x": 1},
        [{"a": 1, "t": 1}, {"a": 2, "t": 0}],
        None,
    ]
