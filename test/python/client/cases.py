"""The cases that every client passes: see test/clients/README.md."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CASES = Path(__file__).parents[2] / "clients/cases.json"


@dataclass(frozen=True)
class Case:
    name: str
    do: str
    request: dict[str, Any]
    expect: dict[str, Any]
    target: str = "plain"
    again: dict[str, Any] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)
    silent_after: int = 0
    after_sequence: int = 0
    count: int = 0


def read_cases() -> list[Case]:
    return [Case(**case) for case in json.loads(CASES.read_text(), object_hook=expand)]


def expand(value: dict[str, Any]) -> Any:
    return value["$repeat"] * value["times"] if value.keys() == {"$repeat", "times"} else value


def holds(actual: object, expected: object) -> bool:
    """Whether a JSON value is equal to another, but that its objects may have further names."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            name in actual and holds(actual[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(holds(one, other) for one, other in zip(actual, expected))
        )
    return isinstance(actual, bool) is isinstance(expected, bool) and actual == expected
