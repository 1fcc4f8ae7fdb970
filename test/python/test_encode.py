from __future__ import annotations

import json
import math
import re
from array import array
from collections import ChainMap, OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag
from fractions import Fraction
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field, v1
from pydantic.dataclasses import dataclass as model_dataclass

from plugin_runner.decode import decode, params_of
from plugin_runner.encode import lenient_fields
from plugin_runner.errors import RunnerError
from plugin_runner.result import encode_result

CONTRACT = Path(__file__).parents[2] / "contract"
LIMITS = json.loads((CONTRACT / "limits.json").read_text(encoding="utf-8"))
VALUES = json.loads((CONTRACT / "values.json").read_text(encoding="utf-8"))


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Flags(IntFlag):
    A = 1
    B = 2


Pair = namedtuple("Pair", "a b")


@dataclass
class Point:
    kind: ClassVar[str] = "point"
    x: int
    y: Any = None


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    size: int = Field(1, alias="batchSize")
    rate: float = Field(0.5, serialization_alias="Rate")


class OldModel(v1.BaseModel):
    size: int = v1.Field(1, alias="batchSize")


@model_dataclass
class ModelDataclass:
    n: int = Field(1, serialization_alias="N")


class AttrsClass:
    """As `attrs` makes them."""

    __attrs_attrs__ = (SimpleNamespace(name="x"),)
    x = 1


class MsgspecStruct:
    """As `msgspec` makes them, with `rename="camel"`."""

    __struct_fields__ = ("my_x",)
    __struct_encode_fields__ = ("myX",)
    __struct_config__ = SimpleNamespace(tag_field="type", tag="Struct", array_like=False)
    my_x = 1


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


class Failing:
    def __str__(self) -> str:
        raise ValueError("no text")

    def tolist(self) -> object:
        raise ValueError("no list")


CYCLE: list[Any] = []
CYCLE.extend([CYCLE, CYCLE])

# What the expressions of contract/values.json may name.
NAMES = {
    **{each.__name__: each for each in (ChainMap, OrderedDict, UserDict, deque, date, datetime, time, timedelta)},
    **{each.__name__: each for each in (Decimal, Fraction, ip_address, PurePosixPath, UUID, array, timezone)},
    **{each.__name__: each for each in (SimpleNamespace, Colour, Level, Flags, Pair, Point)},
    **{each.__name__: each for each in (Model, OldModel, Tensor, Arrayed, Failing)},
    "MappingProxyType": MappingProxyType,
    "math": math,
    "re": re,
    "CYCLE": CYCLE,
    "pydantic_dataclass": ModelDataclass(),
    "attrs_instance": AttrsClass(),
    "msgspec_struct": MsgspecStruct(),
}
RESULTS = [row for row in VALUES["results"] if "python" in row]


def named(rows: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in rows]


@pytest.mark.parametrize("row", named([row for row in RESULTS if "refused" not in row]))
def test_a_result_has_the_json_of_the_table(row: dict[str, Any]) -> None:
    encoded = encode_result(eval(row["python"], dict(NAMES)))
    assert repr(json.loads(encoded.text)) == repr(row["json"])
    assert encoded.non_finite == row.get("non_finite", [])


@pytest.mark.parametrize("row", named([row for row in RESULTS if "refused" in row]))
def test_a_result_without_json_is_refused_with_its_places_and_keeps_the_rest(row: dict[str, Any]) -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result(eval(row["python"], dict(NAMES)))
    refused = row["refused"]
    fields = refused.get("fields", [refused["field"]])
    assert caught.value.reason == "RESULT_INVALID"
    assert caught.value.metadata == {"field": fields[0], "fields": compact(fields), "type": refused["type"]}
    record = caught.value.record()
    assert (record["partial_result"], record.get("non_finite", [])) == (row["json"], row.get("non_finite", []))


@pytest.mark.parametrize("row", named(VALUES["echoed"]))
def test_a_value_arrives_as_the_type_of_the_table_and_goes_back_as_it_came(row: dict[str, Any]) -> None:
    sent, non_finite = on_the_wire(row["value"])
    value = decode(json.dumps({"params": {"value": sent}}))["params"]
    value = params_of({"params": value, "non_finite": [f"/value{each}" for each in non_finite]})["value"]
    assert type(value).__name__ == row["python"]
    encoded = encode_result(value)
    assert repr(json.loads(encoded.text)) == repr(sent)
    assert encoded.non_finite == non_finite


def on_the_wire(value: Any, at: str = "") -> tuple[Any, list[str]]:
    """A value of the table as the service sends it."""
    if isinstance(value, dict) and "$nest" in value:
        made: Any = 1
        for _ in range(value["levels"]):
            made = {"a": made} if value["$nest"] == "object" else [made]
        return made, []
    if isinstance(value, dict) and "$number" in value:
        return (-0.0, []) if value["$number"] == "-0" else (value["$number"], [at])
    if not isinstance(value, (dict, list)):
        return value, []
    keyed = value.items() if isinstance(value, dict) else enumerate(value)
    parts = {key: on_the_wire(item, f"{at}/{escaped(key)}") for key, item in keyed}
    items = {key: item for key, (item, _) in parts.items()}
    pointers = [pointer for _, found in parts.values() for pointer in found]
    return items if isinstance(value, dict) else list(items.values()), pointers


def escaped(key: object) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


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


def test_the_places_of_numbers_without_json_stand_beside_the_value() -> None:
    assert encode_result(math.inf).keys() == b'"value":"Infinity","non_finite":[""]'
    assert encode_result("NaN").keys() == b'"value":"NaN"'


def test_a_result_beyond_the_limit_is_refused_with_its_size() -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result("x" * 100, limit=100)
    assert caught.value.metadata["size_bytes"] == "102"


def test_long_names_make_no_long_error() -> None:
    with pytest.raises(RunnerError) as caught:
        encode_result({f"{number}{'k' * 1_000_000}": object() for number in range(10)})
    assert len(caught.value.message) + len(caught.value.metadata["fields"]) < 50_000


def test_an_array_larger_than_the_limit_is_refused_before_it_is_made_a_list() -> None:
    with pytest.raises(RunnerError, match=r"ctx\.artifact") as caught:
        encode_result({"all": range(10**12)})
    assert caught.value.metadata["type"] == "range"


def test_fields_of_a_log_always_have_json() -> None:
    given = {
        "nan": float("nan"),
        "all": [float("inf"), "NaN", b"x", 2**60, {1.5: (1,)}],
        "cycle": CYCLE,
        "when": datetime(2026, 1, 2, 12, tzinfo=timezone.utc),
        7: Level.LOW,
        "\udcff": "\udcff",
        "__proto__": 1,
        "failing": Failing(),
        "huge": range(10**12),
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
        "huge": "range(0, 1000000000000)",
        "1": "number",
        "1 (str)": "text",
    }
    assert non_finite == ["/nan", "/all/0"]


class Holder(Model):
    more: Any = None


def test_a_model_is_what_its_schema_says() -> None:
    schema = Holder.model_json_schema(mode="serialization")
    made = json.loads(encode_result(Holder(more=Tensor([1]))).text)
    assert made == {"batchSize": 1, "Rate": 0.5, "more": [1]}
    assert made.keys() == schema["properties"].keys()
    with pytest.raises(RunnerError) as caught:
        encode_result({"model": Holder(rate=float("nan"), more=object())})
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
