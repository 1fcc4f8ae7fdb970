"""The actions of a plugin as its loaded code describes them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from plugin_runner.authoring import BaseAction
from plugin_runner.entrypoint import import_plugin_module
from plugin_runner.errors import RunnerError
from plugin_runner.failure import plugin_invalid
from plugin_runner.load import load_object
from plugin_runner.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_runner.load import LoadedAction


def describe(
    entrypoints: dict[str, str], root: str, module: str, load: Callable[[str], LoadedAction]
) -> list[dict[str, Any]]:
    """Name, description, entrypoint and schemas of each action; `error` instead of schemas where one cannot be loaded.

    `issues` where there is something to say of one: each has a message, and the place in the plugin's files.

    With no `entrypoints`: all that the source text shows, and all that the loaded module itself declares.
    """
    if not entrypoints:
        entrypoints = {each.name: each.entrypoint for each in scan(root, module)} if root else {}
        if module:
            entrypoints = {**_declared(module, root), **entrypoints}
    return [_described(name, entrypoint, root, load) for name, entrypoint in entrypoints.items()]


def _declared(module: str, root: str) -> dict[str, str]:
    """The actions that a module holds once it is loaded: also those that a program made."""
    declared: dict[str, str] = {}
    for key, value in vars(import_plugin_module(module, root)).items():
        if getattr(value, "__module__", "") == module and not key.startswith("_") and _declares(value):
            declared[_name_of(value, key)] = f"{module}:{key}"
    return declared


def _name_of(value: object, key: str) -> str:
    try:
        loaded = load_object(value, key)
    except Exception:  # a signature or a model that cannot be read: that is said where the action is described
        return key
    return loaded.name if loaded else key


def _declares(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, BaseAction) and value.execute is not BaseAction.execute
    return hasattr(value, "__plugin_runner_action__") or getattr(value, "_is_action", False) is True


def _described(name: str, entrypoint: str, root: str, load: Callable[[str], LoadedAction]) -> dict[str, Any]:
    described: dict[str, Any] = {"name": name, "description": "", "entrypoint": entrypoint}
    try:
        loaded = load(entrypoint)
        described["description"] = loaded.description
        schemas = {"params_schema": loaded.params_schema(), "result_schema": loaded.result_schema()}
        if loaded.notes:
            described["issues"] = [{"message": note, **_place(loaded.source, root)} for note in loaded.notes]
    except RunnerError as error:
        schemas = {"params_schema": None, "result_schema": None}
        described["error"] = error.record()
    except Exception as error:  # a model that pydantic has no schema for
        schemas = {"params_schema": None, "result_schema": None}
        described["error"] = plugin_invalid(error, entrypoint, root).record()
    return {**described, **schemas}


def _place(source: Any, root: str) -> dict[str, Any]:
    """The file, relative to the root, and the line of a function or class."""
    from inspect import getsourcelines

    code = getattr(source, "__code__", None)
    try:
        file = str(code.co_filename if code else sys.modules[source.__module__].__file__)
        line = code.co_firstlineno if code else getsourcelines(source)[1]
    except (OSError, TypeError, KeyError, AttributeError):
        return {"file": "", "line": 0}
    return {"file": os.path.relpath(file, root) if root else file, "line": line}
