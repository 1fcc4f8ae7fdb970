"""Hints and marks of other libraries: honoured, or told to the author."""

import collections
import dataclasses
import datetime
import enum
import functools
import ipaddress
import sys
import typing
import uuid
from dataclasses import dataclass
from typing import Annotated, Any, Callable, Generic, Literal, NamedTuple, Optional, TypeVar, Union

import annotated_types
import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, v1
from typing_extensions import TypedDict, Unpack

from plugin_runner import Context
from plugin_runner.errors import RunnerError
from plugin_runner.load import LoadedAction, load_object
from plugin_runner.sink import PlainRunSink


def loaded(function: Any) -> LoadedAction:
    action = load_object(function, getattr(function, "__name__", "made"))
    assert action is not None
    return action


def result(function: Any, **params: Any) -> Any:
    return loaded(function).run(params, Context(PlainRunSink()))


def refused(function: Any, **params: Any) -> list[str]:
    with pytest.raises(RunnerError) as caught:
        result(function, **params)
    assert caught.value.reason == "PARAMS_INVALID"
    return [each["field"] for each in caught.value.violations]


def warned(function: Any, **params: Any) -> dict[str, str]:
    warnings: list[Any] = []
    loaded(function).run(params, Context(PlainRunSink()), warnings)
    assert {each["rule"] for each in warnings} <= {"ignored"}
    return {each["field"]: each["description"] for each in warnings}


def schema(function: Any) -> Any:
    return loaded(function).params_schema()


def properties(function: Any) -> Any:
    return schema(function)["properties"]


def notes(function: Any) -> list[str]:
    action = loaded(function)
    action.params_schema()
    return action.notes


def test_a_field_as_a_default_gives_its_value_and_its_limits() -> None:
    def scaled(scale: float = Field(1.5, ge=0), mode: Literal["a", "b"] = Field(default="a", description="how")) -> Any:
        return scale, mode

    assert result(scaled) == (1.5, "a")
    assert result(scaled, scale="2", mode="b") == (2.0, "b")
    assert refused(scaled, scale=-1, mode="c") == ["/params/scale", "/params/mode"]
    assert properties(scaled)["scale"] == {"type": "number", "minimum": 0, "default": 1.5}
    assert properties(scaled)["mode"]["description"] == "how"


def test_a_field_of_pydantic_v1_counts_as_well() -> None:
    rate, many, needed = v1.Field(1.5, ge=0), v1.Field(default_factory=list), v1.Field(...)

    def scaled(scale: float = rate, tags: list = many, n: int = needed) -> Any:
        return scale, tags, n

    assert result(scaled, n=1) == (1.5, [], 1)
    assert refused(scaled, scale=-1) == ["/params/scale", "/params/n"]
    assert notes(scaled) == []


def test_a_field_without_a_default_is_required() -> None:
    def needed(scale: float = Field(ge=0), other: int = Field(...)) -> Any:
        return scale, other

    assert refused(needed) == ["/params/scale", "/params/other"]
    assert schema(needed)["required"] == ["scale", "other"]


def test_a_field_within_annotated_gives_default_factory_and_alias() -> None:
    def made(
        tags: Annotated[list, Field(default_factory=list)],
        n: Annotated[int, Field(default=7)],
        size: Annotated[int, Field(alias="batchSize", ge=1)] = 1,
    ) -> Any:
        return tags, n, size

    assert result(made) == ([], 7, 1)
    assert result(made, tags=[1], n="3", batchSize=2) == ([1], 3, 2)
    assert result(made, size=4) == ([], 7, 4), "its own name is taken as well"
    assert refused(made, batchSize=0) == ["/params/batchSize"]
    assert refused(made, batchSize=1, size=2) == ["/params/batchSize"]
    assert list(properties(made)) == ["tags", "n", "batchSize"]
    assert notes(made) == []


def test_a_context_of_another_type_is_a_param() -> None:
    def answer(question: str, context: str, *, ctx: Context) -> str:
        return f"{question}: {context} {type(ctx).__name__}"

    def alone(context: str) -> str:
        return context

    def plain(a: int, context) -> str:  # type: ignore[no-untyped-def]
        return type(context).__name__

    def optional(a: int, context: Optional[Context] = None) -> str:
        return type(context).__name__

    def two(ctx, context: "Context") -> bool:  # type: ignore[no-untyped-def]
        return isinstance(context, Context) and ctx == 1

    assert result(answer, question="where", context="Paris") == "where: Paris Context"
    assert refused(answer, question="where") == ["/params/context"]
    assert result(alone, context="x") == "x"
    assert result(plain, a=1) == result(optional, a=1) == "Context"
    assert result(two, ctx=1) is True


class Options(BaseModel):
    n: int = 1


def test_a_single_model_is_given_directly_or_by_its_name() -> None:
    def run(cfg: Options) -> int:
        return cfg.n

    assert result(run, n=2) == result(run, cfg={"n": 2}) == 2
    assert refused(run, cfg={"n": "x"}) == ["/params/cfg/n"]
    assert refused(run, cfg={"n": 2}, n=3) == ["/params/cfg"]
    assert schema(run)["properties"]["n"]["type"] == "integer"


def test_a_model_with_a_default_is_that_when_nothing_is_given() -> None:
    def run(cfg: Options = Options(n=5)) -> int:  # noqa: B008
        return cfg.n

    assert result(run) == 5
    assert result(run, n=2) == 2
    assert loaded(run).validated({}) == {"n": 5}


def test_a_model_that_has_a_field_of_its_parameters_name_takes_it_as_that() -> None:
    class Node(BaseModel):
        node: Optional[dict[str, int]] = None

    def run(node: Node) -> Any:
        return node.node

    assert result(run, node={"n": 1}) == {"n": 1}


def test_durations_are_seconds_or_iso_8601() -> None:
    def wait(span: datetime.timedelta = datetime.timedelta(seconds=5)) -> float:
        return span.total_seconds()

    given = [30, 1.5, "PT5M", "P1DT2H", "-PT0.5S", "01:00:01"]
    assert [result(wait, span=span) for span in given] == [30, 1.5, 300, 93_600, -0.5, 3601]
    assert result(wait) == 5
    for span in ("x", "P", "PT", 1e300, None, []):
        assert refused(wait, span=span) == ["/params/span"], span
    assert properties(wait)["span"]["format"] == "duration"


def test_a_named_tuple_is_a_list_or_an_object() -> None:
    class Box(NamedTuple):
        x: int
        y: float = 2.0

    def run(box: Box) -> Any:
        return box, type(box) is Box

    assert result(run, box=["1"]) == ((1, 2.0), True)
    assert result(run, box={"x": 1, "y": 3}) == ((1, 3.0), True)
    assert refused(run, box=[]) == ["/params/box/0"]
    assert refused(run, box=["q", 1, 2]) == ["/params/box"]
    assert refused(run, box={"x": 1, "z": 1}) == ["/params/box/z"]
    assert properties(run)["box"]["prefixItems"][1] == {"type": "number", "title": "y", "default": 2.0}


def test_flags_are_given_in_any_combination() -> None:
    class Access(enum.Flag):
        READ = 1
        WRITE = 2

    def run(access: Access = Access.READ) -> Any:
        return access

    assert result(run, access=3) == Access.READ | Access.WRITE
    assert result(run) == Access.READ
    assert refused(run, access=8) == refused(run, access=True) == ["/params/access"]


def test_keywords_are_checked_by_their_hint() -> None:
    class More(TypedDict, total=False):
        a: int

    def typed(x: int, **more: Unpack[More]) -> Any:
        return x, more

    def same(**more: int) -> Any:
        return more

    assert result(typed, x=1, a="2") == (1, {"a": 2})
    assert refused(typed, x=1, b=1) == ["/params/b"]
    assert properties(typed)["a"] == {"type": "integer"}
    assert result(same, k="3") == {"k": 3}
    assert refused(same, k="x") == ["/params/k"]


def test_a_partial_keeps_the_hints_of_its_function() -> None:
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    bound = functools.partial(add, b=5)
    assert result(bound, a="1") == 6
    assert refused(bound, a="x") == ["/params/a"]
    assert loaded(bound).description == "Adds."


class Colour(enum.Enum):
    RED = "red"


def test_strict_models_take_what_json_has_for_their_types() -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        colour: Colour
        day: datetime.date
        ids: set[int]
        pair: tuple[int, str]
        key: uuid.UUID
        by_id: dict[int, str] = {}

    def run(strict: Strict) -> Any:
        return strict

    key = "12345678-1234-5678-1234-567812345678"
    given = {"colour": "red", "day": "2024-01-02", "ids": [1], "pair": [1, "a"], "key": key, "by_id": {"1": "x"}}
    made = result(run, **given)
    assert (made.colour, made.day, made.ids, made.pair) == (Colour.RED, datetime.date(2024, 1, 2), {1}, (1, "a"))
    assert (made.key, made.by_id) == (uuid.UUID(key), {1: "x"})
    wrong = {**given, "colour": "blue", "ids": ["1"], "key": 5}
    assert refused(run, **wrong) == ["/params/colour", "/params/ids/0", "/params/key"]


class Old(v1.BaseModel):
    n: int = v1.Field(1, ge=1)
    pair: tuple[int, str] = (1, "a")


def test_models_of_pydantic_v1_validate_themselves() -> None:
    def run(cfg: Old, k: int = 1) -> Any:
        return cfg.n

    def whole(params: Old) -> Any:
        return params.n

    assert result(run, cfg={"n": "3"}) == result(whole, n="3") == 3
    assert refused(run, cfg={"n": -5}) == ["/params/cfg/n"]
    assert list(warned(whole, m=2)) == ["/params/m"]
    assert properties(whole)["pair"]["prefixItems"] == [{"type": "integer"}, {"type": "string"}]


def test_classes_of_attrs_are_read_as_dataclasses_are() -> None:
    attrs = pytest.importorskip("attrs")

    @attrs.define
    class Layer:
        size: int
        name: str = attrs.field(default="dense", validator=attrs.validators.max_len(6))
        _seed: int = 3
        tags: list = attrs.Factory(list)

    def run(layer: Layer) -> Any:
        return layer.size, layer.name, layer._seed, layer.tags

    assert result(run, size="4", seed=1) == (4, "dense", 1, [])
    assert refused(run, size="x", extra=1) == ["/params/size", "/params/extra"]
    assert refused(run, size=1, name="too long") == ["/params"]
    assert list(properties(run)) == ["size", "name", "seed", "tags"]


def test_structs_of_msgspec_validate_themselves() -> None:
    msgspec = pytest.importorskip("msgspec")
    inner = msgspec.defstruct("Inner", [("q", int, 1)])
    outer = msgspec.defstruct("Outer", [("my_n", int), ("inner", list[inner], [])], rename="camel")

    def run(cfg: Any) -> Any:
        return cfg.my_n

    run.__annotations__ = {"cfg": outer}
    assert result(run, myN="3") == 3
    assert refused(run) == ["/params/myN"]
    assert refused(run, myN=1, inner=[{"q": "z"}]) == ["/params/inner/0/q"]
    assert list(warned(run, myN=1, inner=[{"p": 1}])) == ["/params/inner/0/p"]
    assert properties(run)["myN"] == {"type": "integer"}


class Opaque:
    pass


def test_a_hint_that_means_nothing_is_told_and_takes_anything() -> None:
    def run(k: list[Opaque], f: "Absent", x: object = None) -> Any:  # type: ignore[name-defined]  # noqa: F821
        return k

    assert result(run, k=[5], f=1) == [5]
    assert notes(run) == [
        f"/params/k has the hint {Opaque.__module__}.Opaque, which is not known: the value comes as it is, unchecked.",
        "/params/f has the hint Absent, which is not known: the value comes as it is, unchecked.",
    ]


def test_a_default_that_is_a_mark_of_another_framework_is_told() -> None:
    mark: Any = dataclasses.field(default_factory=list)

    def marked(tags: list = mark) -> Any:
        return tags

    def run(x: int = Opaque()) -> Any:  # type: ignore[assignment]
        return x

    assert notes(marked) == ["/params/tags has a dataclasses.Field as default, which the action gets as it is."]
    assert notes(run) == [f"/params/x has a {Opaque.__module__}.Opaque as default, which the action gets as it is."]


def test_a_part_that_json_cannot_say_leaves_the_rest_of_its_model() -> None:
    class Arbitrary(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        opaque: Opaque = Opaque()
        n: int = 1

    def run(arbitrary: Arbitrary) -> int:
        return arbitrary.n

    assert result(run, n=2) == 2
    assert properties(run)["n"]["type"] == "integer"
    said = "/params has a part of the type Opaque, which the model alone checks: JSON Schema says nothing of it."
    assert notes(run) == [said]


class First:
    class Options(BaseModel):
        x: int = 1


class Second:
    class Options(BaseModel):
        y: str


class OfFirst(BaseModel):
    options: First.Options


class OfSecond(BaseModel):
    options: Second.Options


def test_two_models_of_one_name_have_definitions_of_their_own() -> None:
    def run(a: OfFirst, b: OfSecond, c: OfSecond, d: OfFirst) -> None:
        pass

    whole = schema(run)
    used = [whole["properties"][name]["properties"]["options"]["$ref"] for name in "abcd"]
    assert used == ["#/$defs/Options", "#/$defs/Options_2", "#/$defs/Options_2", "#/$defs/Options"]
    assert list(whole["$defs"]["Options"]["properties"]) == ["x"]
    assert list(whole["$defs"]["Options_2"]["properties"]) == ["y"]


def test_a_method_is_no_action_and_the_error_says_so() -> None:
    class Tools:
        def six(self, a: int) -> int:
            return a

    Tools.six.__qualname__ = "Tools.six"
    with pytest.raises(RunnerError, match=r"Tools\.six is a method of the class Tools") as caught:
        load_object(Tools.six, "six")
    assert caught.value.reason == "PLUGIN_INVALID"


def test_a_name_that_a_model_ignores_is_told_at_every_level() -> None:
    class Whole(BaseModel):
        epochs: int = 1
        layers: list[Options] = []
        by_name: dict[str, Options] = {}
        either: Union[Options, int] = 1
        size: int = Field(1, alias="batchSize")

    def run(whole: Whole) -> None:
        pass

    found = warned(run, epoch=50, layers=[{"n": 1}, {"N": 1}], by_name={"a/b": {"m": 1}}, either={"k": 1}, size=2)
    assert found["/params/epoch"] == 'is not known to the action and was ignored. Did you mean "epochs"?'
    assert found["/params/layers/1/N"].endswith('Did you mean "n"?')
    assert list(found) == [
        "/params/epoch",
        "/params/layers/1/N",
        "/params/by_name/a~1b/m",
        "/params/either/k",
        "/params/size",
    ]
    assert warned(run, batchSize=2, layers=[{"n": 1}]) == {}


def test_a_model_that_reads_what_was_given_itself_is_not_warned_of() -> None:
    class Renaming(BaseModel):
        epochs: int = 1

        @pydantic.model_validator(mode="before")
        @classmethod
        def rename(cls, given: dict[str, Any]) -> dict[str, Any]:
            return {"epochs": given.get("epoch", 1)}

    class Open(BaseModel):
        model_config = ConfigDict(extra="allow")

    def run(renaming: Renaming) -> int:
        return renaming.epochs

    def free(more: Open) -> None:
        pass

    assert result(run, epoch=3) == 3
    assert warned(run, epoch=3) == {}
    assert warned(free, anything=3) == {}


def test_dataclasses_within_models_are_compared_as_well() -> None:
    @dataclass
    class Part:
        n: int = 1

    class Whole(BaseModel):
        part: Part = Part()

    def run(whole: Whole) -> None:
        pass

    assert list(warned(run, part={"n": 1, "m": 2})) == ["/params/part/m"]


def test_callables_are_noted_in_words() -> None:
    def run(f: Callable[[int], int], g: Optional[int] = None) -> None:
        pass

    assert len(notes(run)) == 1


def test_what_pydantic_knows_is_left_to_it_where_the_plugin_has_it() -> None:
    def run(c: complex, d: collections.deque[int], a: ipaddress.IPv4Address) -> Any:
        return c, d, a

    assert result(run, c="1j", d=["1"], a="127.0.0.1") == (
        1j,
        collections.deque([1]),
        ipaddress.ip_address("127.0.0.1"),
    )
    assert refused(run, c="x", d=["x"], a="x") == ["/params/c", "/params/d/0", "/params/a"]
    assert notes(run) == []


def test_without_pydantic_such_hints_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(c: complex, n: Annotated[int, annotated_types.Ge(1)]) -> Any:
        return c, n

    monkeypatch.delitem(sys.modules, "pydantic")
    assert result(run, c="1j", n="0") == ("1j", 0)
    assert notes(run) == [
        "/params/c has the hint complex, which is not known: the value comes as it is, unchecked.",
        "/params/n has the mark Ge(ge=1), which only pydantic reads: import it.",
    ]


T = TypeVar("T")
N = TypeVar("N", int, str)


@dataclass
class Pair(Generic[T]):
    first: T
    others: "Optional[Pair[T]]" = None


def test_type_variables_are_what_they_stand_for() -> None:
    def run(pair: Pair[int], same: N) -> Any:
        return pair.first, pair.others.first if pair.others else None, same

    assert result(run, pair={"first": "1", "others": {"first": "2"}}, same=[1][0]) == (1, 2, 1)
    assert refused(run, pair={"first": "x", "others": {"first": "y"}}, same=[]) == [
        "/params/pair/first",
        "/params/pair/others/first",
        "/params/same",
    ]


def test_a_field_counts_in_dataclasses_and_named_tuples_as_well() -> None:
    @dataclass
    class Params:
        rate: float = Field(0.5, gt=0)
        tags: list = Field(default_factory=list)  # noqa: RUF009
        size: Annotated[int, Field(alias="batchSize")] = 1

    class Box(NamedTuple):
        x: int = Field(3, ge=1)

    def run(params: Params, box: Box) -> Any:
        return params.rate, params.tags, params.size, box

    assert result(run, params={}, box=[]) == (0.5, [], 1, (3,))
    assert result(run, params={"batchSize": 2}, box={"x": 4}) == (0.5, [], 2, (4,))
    assert refused(run, params={"rate": 0}, box=[0]) == ["/params/params/rate", "/params/box/0"]


def test_a_hint_within_a_class_that_cannot_be_resolved_is_told() -> None:
    @dataclass
    class Loose:
        a: "Absent"  # type: ignore[name-defined]  # noqa: F821

    class Typed(TypedDict):
        b: "Absent"  # type: ignore[name-defined]  # noqa: F821

    def run(loose: Loose, typed: Typed) -> Any:
        return loose.a, typed

    assert result(run, loose={"a": 1}, typed={"b": 2}) == (1, {"b": 2})
    assert [note.partition(",")[0] for note in notes(run)] == [
        "/params/loose/a has the hint Absent",
        "/params/typed/b has the hint Absent",
    ]


def test_params_is_a_name_like_others_when_it_has_a_type() -> None:
    def number(params: int) -> int:
        return params

    def anything(params: dict) -> Any:
        return params

    def untyped(params) -> Any:  # type: ignore[no-untyped-def]
        return params

    assert result(number, params="3") == 3
    assert result(anything, a=1) == result(untyped, a=1) == {"a": 1}
    assert result(anything, params={"a": 1}) == {"params": {"a": 1}}


class Chain(NamedTuple):
    n: int
    rest: "Optional[Chain]" = None


@dataclass
class Growing(Generic[T]):
    inner: "Optional[Growing[list[T]]]" = None


def test_types_that_contain_themselves_end() -> None:
    def run(chain: Chain, pair: Pair, growing: Growing[int], plain: typing.Dict) -> Any:
        return chain, pair.first, growing.inner, plain

    given = {"chain": [1, {"n": "2"}], "pair": {"first": 1}, "growing": {"inner": {}}, "plain": {"a": 1}}
    assert result(run, **given) == ((1, (2, None)), 1, Growing(), {"a": 1})
    whole = schema(run)
    assert whole["properties"]["chain"] == {"$ref": "#/$defs/Chain"}
    assert whole["properties"]["plain"] == {"type": "object"}
