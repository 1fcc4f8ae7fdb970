from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Dict,
    List,
    Literal,
    Optional,
    Tuple,
    TypedDict,
    Union,
)

from plugin_runner import BaseAction, Context, action

if TYPE_CHECKING:
    from somewhere import Unknown


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Layer:
    size: int
    name: str = "dense"


@dataclass
class TrainParams:
    """How to train."""

    epochs: Annotated[int, "Passes over the data"] = 10
    rate: float = 0.1
    layers: List[Layer] = field(default_factory=list)
    colour: Colour = Colour.RED
    kind: Literal["sgd", "adam"] = "sgd"

    def __post_init__(self) -> None:
        if self.rate > 1:
            raise ValueError("the rate must not be above 1")


class TrainAction(BaseAction[TrainParams]):
    """Trains a model.

    At length.
    """

    def execute(self):
        return {
            "epochs": self.params.epochs,
            "layers": self.params.layers,
            "colour": self.params.colour,
        }


class Box(TypedDict, total=False):
    width: int


@action
def typed(
    day: date,
    where: Path,
    pair: Tuple[int, str],
    counts: Dict[str, int],
    either: Union[int, str, None],
    box: Box,
    unknown: Unknown = None,
    flag: bool = False,
    maybe: Optional[float] = None,
) -> Dict[str, str]:
    return {name: repr(value) for name, value in locals().items()}


@action
def tree(node: Node, ctx: Context):
    return node


@dataclass
class Node:
    value: int = 0
    children: List[Node] = field(default_factory=list)


@action
def open_ended(first: int, /, *, second: str = "b", **rest):
    return [first, second, rest]


class Custom(BaseAction[dict]):
    """Has a dispatch of its own."""

    action_name = "special"

    @classmethod
    def dispatch(cls, params, ctx):
        return ["dispatched", super().dispatch({**params, "more": 1}, ctx)]

    def execute(self):
        return self.params


made = action(name="made")(lambda: "made by a program")
