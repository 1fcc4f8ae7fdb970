import enum
import math
import sys
from dataclasses import dataclass, field
from typing import Any, Literal, Optional, Union

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, RootModel, SecretStr, field_validator, model_validator

from plugin_runner import action


class Strange:
    def __repr__(self):
        return "<strange>"


STRANGE = Strange()


class Layer(BaseModel):
    size: int
    name: str = "dense"


class Layers(RootModel[list[Layer]]):
    pass


class Changing(BaseModel):
    n: int
    m: int = 1
    password: SecretStr
    token: SecretStr = SecretStr("hidden")
    raw: bytes = b"x"
    layers: list[Layer] = []
    more: Optional[Layers] = None
    rate: float = Field(0.5, validation_alias=AliasChoices("Rate", "r"), serialization_alias="emitted")

    @model_validator(mode="before")
    @classmethod
    def take_old_name(cls, given):
        if "old" in given:
            given["n"] = given.pop("old")
        return given

    @field_validator("n")
    @classmethod
    def double(cls, value):
        return value * 2

    @model_validator(mode="after")
    def double_again(self):
        self.m *= 2
        return self


@action
def changing(params: Changing):
    secrets = [params.password.get_secret_value(), params.token.get_secret_value()]
    return [params.n, params.m, params.raw.decode(), *secrets]


@dataclass
class Plain:
    n: int
    raw: bytes
    m: int = 1
    inner: Union["Inner", list["Inner"], None] = None
    start: bytes = b"abc"

    def __post_init__(self):
        self.n *= 2
        self.m *= 2


@dataclass
class Inner:
    a: int
    b: int = 2


@action
def plain(params: Plain):
    return [params.n, params.raw.decode(), params.m]


class Odd(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    seed: int = sys.maxsize
    budget: float = math.inf
    thing: Strange = Field(default_factory=Strange)


@action
def odd(params: Odd):
    return [type(params.seed).__name__, params.budget, repr(params.thing)]


@action
def odd_by_name(seed: int = sys.maxsize, budget: float = math.nan, thing: Any = STRANGE, many: tuple = (math.inf, 1)):
    return [str(seed), budget, repr(thing), many]


@dataclass
class OddRecord:
    best: float = field(default=-math.inf)


@action
def odd_record(params: OddRecord):
    return params.best


class Ratio(enum.Enum):
    HALF = 0.5
    WHOLE = 1.0


@action
def choices(ratio: Ratio, scale: Literal[0.5, 1.0]):
    return [str(ratio), type(scale).__name__]


@action
def by_number(weights: dict[int, float]):
    return len(weights)


class Weights(BaseModel):
    weights: dict[int, float]


@action
def by_number_in_a_model(params: Weights):
    return len(params.weights)


class Careless(BaseModel):
    n: int = None
    m: Optional[int] = None


@action
def careless(params: Careless):
    return params.n


@action
def careless_by_name(n: int = None, m: Optional[int] = None):  # noqa: RUF013
    return n


@action
def fine(n: int = 1):
    return n
