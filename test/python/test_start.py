"""What a start costs: modules that are not loaded need no time and no memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_an_idle_worker_has_loaded_no_more_than_it_needs(
    run_python: Callable[[str], Any],
) -> None:
    program = """
import sys
before = set(sys.modules)
import plugin_runner.worker
import json
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    loaded = run_python(program)
    for heavy in (
        "asyncio",
        "ast",
        "dataclasses",
        "inspect",
        "logging",
        "socket",
        "subprocess",
        "tempfile",
    ):
        assert heavy not in loaded


def test_the_library_loads_grpc_for_callers_alone(run_python: Callable[[str], Any]) -> None:
    program = """
import json, sys
import plugin_runner
before = "grpc" in sys.modules or "plugin_runner.client" in sys.modules
plugin_runner.run_plugin
print(json.dumps([before, "grpc" in sys.modules]))
"""
    assert run_python(program) == [False, True]


def test_the_library_never_imports_what_the_plugin_did_not(
    run_python: Callable[[str], Any],
) -> None:
    program = """
import json, sys
from plugin_runner import BaseAction, Context, action
from plugin_runner.load import load_object
loaded = load_object(action(lambda a=1: a))
loaded.params_schema()
print(json.dumps([name in sys.modules for name in ("pydantic", "numpy", "synapse_sdk")]))
"""
    assert run_python(program) == [False, False, False]
