"""The library's own conversions beside pydantic's, hint by hint and value by value, and models beside themselves.

What differs is listed in contract/hint-differences.json, each with the reason.
"""

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import random
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import NotRequired, TypedDict

from plugin_runner.errors import RunnerError
from plugin_runner.hints import ShapeOf
from plugin_runner.load import load_object
from plugin_runner.shape import Faults

CONTRACT = pathlib.Path(__file__).parents[2] / "contract" / "hint-differences.json"


class Mixed(enum.Enum):
    A = "a"
    ONE = 1


class Number(enum.IntEnum):
    X = 1
    Y = 2


class Access(enum.Flag):
    R = 1
    W = 2


@dataclasses.dataclass
class Data:
    n: int
    s: str = "q"


class Typed(TypedDict):
    a: int
    b: NotRequired[str]


class Named(NamedTuple):
    x: int
    y: float = 2.0


HINTS: dict[str, Any] = {
    "int": int,
    "float": float,
    "str": str,
    "bool": bool,
    "None": type(None),
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "list[int]": list[int],
    "dict[str, int]": dict[str, int],
    "dict[int, str]": dict[int, str],
    "tuple[int, str]": tuple[int, str],
    "tuple[int, ...]": tuple[int, ...],
    "set[int]": set[int],
    "frozenset[str]": frozenset[str],
    "Optional[int]": Optional[int],
    "Union[int, str]": Union[int, str],
    "Union[str, int]": Union[str, int],
    "Union[bool, int]": Union[bool, int],
    "Union[int, float]": Union[int, float],
    "Union[float, int]": Union[float, int],
    "Union[list[int], int]": Union[list[int], int],
    "Union[int, list[str]]": Union[int, list[str]],
    "Literal['a', 1, True]": Literal["a", 1, True],
    "Literal[1]": Literal[1],
    "Mixed": Mixed,
    "Number": Number,
    "Access": Access,
    "datetime": dt.datetime,
    "date": dt.date,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "Decimal": decimal.Decimal,
    "Path": pathlib.Path,
    "UUID": uuid.UUID,
    "Data": Data,
    "Optional[Data]": Optional[Data],
    "list[Data]": list[Data],
    "Typed": Typed,
    "Named": Named,
    "Any": Any,
    "bytes": bytes,
    "Union[date, str]": Union[dt.date, str],
    "Union[datetime, int]": Union[dt.datetime, int],
    "dict[Mixed, int]": dict[Mixed, int],
    "Mapping[str, float]": Mapping[str, float],
    "Sequence[int]": Sequence[int],
}

VALUES: list[Any] = [
    *(0, 1, -1, 1.0, 1.5, True, False, None, 5, 1704164645, "", "a", "1", "1.5", "true", "yes", "nan", " 1 ", "+1"),
    *("1_0", "1e3", "0x10", "1,2", "2024-01-02", "2024-01-02T03:04:05", "2024-01-02T03:04:05Z", "2024-01-02 03:04"),
    *("03:04:05", "PT5S", "P1D", "1 day", "1704164645", "12345678-1234-5678-1234-567812345678"),
    *([], [1], ["1"], ["a"], [1, "a"], [1, 1], [[1]], [1, 2.5]),
    *({}, {"a": 1}, {"1": "x"}, {"n": 1}, {"n": "2", "s": "w"}, {"n": 1, "zz": 2}, {"a": "3", "b": "4"}, {"x": 1}),
]


def by_pydantic(adapter: "pydantic.TypeAdapter[Any]", value: Any) -> Any:
    try:
        return "taken", adapter.validate_python(value)
    except pydantic.ValidationError:
        return "refused", None


def by_own(shape: Any, value: Any) -> Any:
    faults = Faults()
    made = shape.convert(value, None, faults)
    return ("refused", None) if faults.violations else ("taken", made)


def alike(one: Any, other: Any) -> bool:
    return (one == other and type(one[1]) is type(other[1])) or repr(one) == repr(other)


def test_hints_mean_what_they_mean_to_pydantic_but_for_what_is_listed() -> None:
    listed = json.loads(CONTRACT.read_text())["differences"]
    assert all(each["reason"].endswith(".") for each in listed)
    found: dict[str, list[Any]] = {}
    assert (len(HINTS), len(VALUES)) == (48, 49)
    for name, hint in HINTS.items():
        adapter, shape = pydantic.TypeAdapter(hint), ShapeOf()(hint)
        differing = [value for value in VALUES if not alike(by_pydantic(adapter, value), by_own(shape, value))]
        if differing:
            found[name] = differing
    expected: dict[str, list[Any]] = {}
    for each in listed:
        expected.setdefault(each["hint"], []).extend(each["values"])
    assert {name: texts(values) for name, values in found.items()} == {
        name: texts(values) for name, values in expected.items()
    }


def texts(values: list[Any]) -> list[str]:
    return sorted(json.dumps(value) for value in values)


class Kind(enum.Enum):
    SGD = "sgd"
    ADAM = "adam"


class Annotations(BaseModel):
    audience: Optional[list[Literal["user", "assistant"]]] = None
    priority: Annotated[float, Field(ge=0, le=1)] = 0.5
    model_config = ConfigDict(extra="allow")


class Text(BaseModel):
    type: Literal["text"]
    text: str
    annotations: Optional[Annotations] = None


class Image(BaseModel):
    type: Literal["image"]
    data: str
    mime_type: str = Field(alias="mimeType")


class Optimizer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Kind = Kind.SGD
    rate: float = Field(0.1, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)


class Training(BaseModel):
    epochs: int = Field(ge=1)
    optimizer: Optimizer = Optimizer()
    layers: list[Data] = []
    until: Optional[dt.datetime] = None
    tags: set[str] = set()
    extra: dict[str, Union[int, list[str], None]] = {}

    @pydantic.field_validator("epochs")
    @classmethod
    def even(cls, value: int) -> int:
        if value % 7 == 0:
            raise ValueError("must not be a multiple of 7")
        return value


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []
    content: list[Annotated[Union[Text, Image], Field(discriminator="type")]] = []


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)
    kind: Kind
    day: dt.date
    ids: set[int]
    pair: tuple[int, str]
    key: uuid.UUID
    rate: float = 1.0
    by_id: dict[int, str] = {}


class Point(BaseModel):
    type: Literal["Point"]
    coordinates: tuple[float, float]


class Polygon(BaseModel):
    type: Literal["Polygon"]
    coordinates: list[list[tuple[float, float]]]


class Feature(BaseModel):
    geometry: Union[Point, Polygon, None]
    properties: Optional[dict[str, Any]] = None
    bbox: Optional[Union[tuple[float, float, float, float], tuple[float, float]]] = None
    identity: Union[int, str, None] = Field(None, validation_alias=pydantic.AliasChoices("id", "identity"))


SEEDS: list[tuple[type[BaseModel], dict[str, Any]]] = [
    (
        Training,
        {
            "epochs": 3,
            "optimizer": {"kind": "adam", "rate": 0.5, "betas": [0.1, 0.2]},
            "layers": [{"n": 1}, {"n": 2, "s": "w"}],
            "until": "2024-01-02T03:04:05Z",
            "tags": ["a", "b"],
            "extra": {"x": 1, "y": ["z"]},
        },
    ),
    (
        Tree,
        {
            "name": "a",
            "children": [{"name": "b", "children": [{"name": "c"}]}],
            "content": [
                {"type": "text", "text": "x", "annotations": {"audience": ["user"], "priority": 0.5}},
                {"type": "image", "data": "QUJD", "mimeType": "image/png"},
            ],
        },
    ),
    (
        Strict,
        {
            "kind": "sgd",
            "day": "2024-01-02",
            "ids": [1, 2],
            "pair": [1, "a"],
            "key": "12345678-1234-5678-1234-567812345678",
            "by_id": {"1": "x"},
        },
    ),
    (
        Feature,
        {
            "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [0, 0]]]},
            "properties": {"a": {"b": 1}},
            "bbox": [0, 1, 2, 3],
            "id": "x",
        },
    ),
]

OTHERS: list[Any] = [None, 0, 1, -1, 2.5, True, "", "a", "sgd", "text", [], {}, [1, 2], {"type": "text"}, ["a"], "é"]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, item in inner:
        yield from places(item, (*path, key))


def mutated(value: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    value = copy.deepcopy(value)
    for _ in range(chance.choice([1, 1, 2, 3])):
        path = chance.choice([path for path in places(value) if path] or [("epochs",)])
        holder: Any = value
        for key in path[:-1]:
            holder = holder[key]
        what = chance.random()
        if what < 0.35 and isinstance(holder, dict):
            holder.pop(path[-1], None)
        elif what < 0.45 and isinstance(holder, dict):
            holder["extra~/key"] = chance.choice(OTHERS)
        else:
            holder[path[-1]] = copy.deepcopy(chance.choice(OTHERS))
    return value


def leads_somewhere(value: Any, pointer: str) -> bool:
    for step in pointer.split("/")[2:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False
    return True


@pytest.mark.parametrize(("model", "seed"), SEEDS, ids=[model.__name__ for model, _ in SEEDS])
def test_models_have_the_last_word_whatever_they_are_given(model: type[BaseModel], seed: dict[str, Any]) -> None:
    def run(params: Any) -> Any:
        return params

    run.__annotations__ = {"params": model}
    action = load_object(run, "run")
    assert action is not None
    chance = random.Random(model.__name__)
    taken = 0
    for _ in range(250):
        params = mutated(seed, chance)
        # Params are JSON: its rules are those that count where a model is strict.
        by_json = model.model_config.get("strict", False)
        try:
            expected = model.model_validate_json(json.dumps(params)) if by_json else model.model_validate(params)
            errors: list[Any] = []
        except pydantic.ValidationError as refused:
            errors = refused.errors(include_url=False)
        if errors:
            with pytest.raises(RunnerError) as caught:
                action.run(params, None)  # type: ignore[arg-type]
            violations = caught.value.violations
            assert [each["rule"] for each in violations] == [each["type"] for each in errors], params
            for each in violations:
                assert leads_somewhere(params, each["field"]) or each["rule"] == "missing", (params, each)
            continue
        made = action.run(params, None)  # type: ignore[arg-type]
        assert made == expected, params
        shown = action.validated(params)
        assert model.model_validate_json(json.dumps(shown)) == made, (params, shown)
        taken += 1
    assert 25 < taken < 225, "both verdicts are tried"
