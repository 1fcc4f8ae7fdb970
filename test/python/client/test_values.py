"""Both kinds of client pass the table of values: see test/clients/README.md."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from targets import Targets

from plugin_runner.client import Client, ValidationError

TABLE = json.loads(Path(__file__, "../../../../contract/values.json").resolve().read_text())


def unmarked(value: Any) -> Any:
    """A value of the table as Python has it."""
    if isinstance(value, list):
        return [unmarked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "$number" in value:
        digits = value["$number"]
        return (
            int(digits) if digits.lstrip("-").isdigit() and digits != "-0" else float(digits.replace("Infinity", "inf"))
        )
    if "$utf16" in value:
        units = b"".join(int(unit, 16).to_bytes(2, "big") for unit in value["$utf16"])
        return units.decode("utf-16-be", "surrogatepass")
    if "$nest" in value:
        nested: Any = 1
        for _ in range(value["levels"]):
            nested = {"a": nested} if value["$nest"] == "object" else [nested]
        return nested
    return {name: unmarked(item) for name, item in value.items()}


def same(actual: Any, expected: Any) -> bool:
    """Whether two values are equal, of the same types and with the same signs."""
    if type(actual) is not type(expected):
        return False
    if isinstance(expected, float):
        signs = math.copysign(1, actual) == math.copysign(1, expected)
        return (math.isnan(actual) and math.isnan(expected)) or (actual == expected and signs)
    if isinstance(expected, list):
        return len(actual) == len(expected) and all(map(same, actual, expected))
    if isinstance(expected, dict):
        return bool(actual.keys() == expected.keys()) and all(same(actual[name], expected[name]) for name in expected)
    return bool(actual == expected)


def rows(kind: str) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in TABLE[kind]]


@pytest.mark.parametrize("plugin", ["python-values", "javascript-values"])
@pytest.mark.parametrize("row", rows("echoed"))
def test_what_is_sent_arrives_and_comes_back(row: dict[str, Any], plugin: str, targets: Targets) -> None:
    value = unmarked(row["value"])
    with targets.client("plain") as client:
        result = client.run_plugin(plugin, "echo", {"value": value})
    assert same(result, value)


@pytest.mark.parametrize("row", rows("refused"))
def test_what_cannot_be_sent_is_refused_before_anything_is(row: dict[str, Any]) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(ValidationError) as caught:
        client.run_plugin("p", "echo", {"value": unmarked(row["value"])})
    assert caught.value.reason == row["reason"]
    if "field" in row:
        assert caught.value.violations[0].field == row["field"]
