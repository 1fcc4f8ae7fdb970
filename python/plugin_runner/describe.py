"""The actions of a plugin as its loaded code describes them."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from plugin_runner.authoring import BaseAction, Declaration
from plugin_runner.entrypoint import import_plugin_module
from plugin_runner.errors import RunnerError
from plugin_runner.failure import plugin_invalid
from plugin_runner.load import load_object
from plugin_runner.scan import modules_about, scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_runner.load import LoadedAction


def describe(
    entrypoints: dict[str, str], root: str, module: str, load: Callable[[str], LoadedAction]
) -> list[dict[str, Any]]:
    """Name, description, entrypoint and schemas of each action; `error` instead of schemas where one cannot be loaded.

    `issues` where there is something to say of one: each has a message, and the place in the plugin's files.

    With no `entrypoints`: all that the source text shows, and all that loaded modules declare where the text does not
    say what. Of two actions of one name, both are there.
    """
    if entrypoints:
        return [_described(name, entrypoint, root, load) for name, entrypoint in entrypoints.items()]
    found, broken = _all(root, module)
    return [*(_described(name, entrypoint, root, load) for name, entrypoint in found), *broken]


def _all(root: str, module: str) -> tuple[list[tuple[str, str]], list[dict[str, Any]]]:
    """Names and entry points of all actions, and what kept modules from being looked at."""
    scanned = scan(root, module) if root else []
    shown = [(each.name, each.entrypoint) for each in scanned if each.name]
    makers = [each.entrypoint.rstrip(":") for each in scanned if not each.name]
    modules = [module] if module else []
    if makers or not (shown or module):
        modules += modules_about(root, makers) if not module else makers
    known = {entrypoint for _, entrypoint in shown}
    seen: set[int] = set()
    made: list[tuple[str, str]] = []
    broken: list[dict[str, Any]] = []
    for each in dict.fromkeys(modules):
        try:
            made += [found for found in _declared(each, root, seen) if found[1] not in known]
        except RunnerError as error:
            if each == module:
                raise
            broken.append({"name": "", "description": "", "entrypoint": f"{each}:", "error": error.record()})
    return [*shown, *made], [{**each, "params_schema": None, "result_schema": None} for each in broken]


def _declared(module: str, root: str, seen: set[int]) -> list[tuple[str, str]]:
    """The actions that a module holds once it is loaded, each once: also those that a program made."""
    declared: list[tuple[str, str]] = []
    members = vars(import_plugin_module(module, root)).items()
    for key, value in sorted(members, key=lambda member: member[0] != getattr(member[1], "__qualname__", "")):
        if key.startswith("_"):
            continue
        for path, action in _actions_in(key, value, module):
            if id(action) not in seen:
                seen.add(id(action))
                declared.append((_name_of(action, key), f"{module}:{path}"))
    return declared


def _actions_in(key: str, value: object, module: str) -> list[tuple[str, object]]:
    """What a member of a module is, and what static methods it has."""
    if not _is_of(value, module):
        return []
    if _declares(value):
        return [(key, value)]
    members = vars(value).items() if isinstance(value, type) else ()
    static = [(name, each.__func__) for name, each in members if isinstance(each, staticmethod)]
    return [(f"{key}.{name}", function) for name, function in static if _declares(function)]


def _is_of(value: object, module: str) -> bool:
    """Whether a module is the place of what it holds: it may import it, but what a program made has no other place."""
    return getattr(value, "__module__", "") == module or "<locals>" in getattr(value, "__qualname__", "<locals>")


def _name_of(value: object, key: str) -> str:
    try:
        loaded = load_object(value, key)
    except Exception:  # a signature or a model that cannot be read: that is said where the action is described
        return key
    return loaded.name if loaded else key


def _declares(value: object) -> bool:
    if isinstance(value, type):
        return issubclass(value, BaseAction) and value.execute is not BaseAction.execute
    if isinstance(value, partial) and _declares(value.func):
        return True
    declaration = getattr(value, "__plugin_runner_action__", None)
    return isinstance(declaration, Declaration) or getattr(value, "_is_action", False) is True


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
