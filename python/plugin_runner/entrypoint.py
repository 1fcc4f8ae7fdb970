"""From `package.module:Name` to what it names."""

from __future__ import annotations

import os
import sys

from plugin_runner.compiled import keep_by_content
from plugin_runner.errors import RunnerError, nearest
from plugin_runner.failure import plugin_invalid
from plugin_runner.own_module import put_behind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from plugin_runner.load import LoadedAction


def prepare_imports(root: str, module: str = "") -> None:
    """Makes the modules under a plugin's folder importable, and the folder the working directory.

    Under the root of a plugin that is a `module` stand other plugins too: they come last.
    """
    if not getattr(sys.flags, "safe_path", False):
        del sys.path[0]  # the directory that the service was started in
    if root:
        if module:
            put_behind(root, module)
        else:
            sys.path.insert(0, root)
        os.chdir(root)
        keep_by_content(root)


def split_entrypoint(entrypoint: str) -> tuple[str, str]:
    """`a.b:C` and `a.b.C` are both `("a.b", "C")`."""
    module, colon, name = entrypoint.partition(":")
    if not colon:
        module, _, name = entrypoint.rpartition(".")
    if not module or not name:
        raise RunnerError(
            "PLUGIN_INVALID",
            f"The entrypoint {entrypoint!r} names no module and attribute: write it as package.module:Name.",
            {"entrypoint": entrypoint},
        )
    return module, name


def load_entrypoint(entrypoint: str, root: str) -> LoadedAction:
    """Imports the module and loads the action. Raises PLUGIN_INVALID or ACTION_NOT_FOUND."""
    module_name, name = split_entrypoint(entrypoint)
    module = import_plugin_module(module_name, root)
    thing: object = module
    for part in name.split("."):
        if not hasattr(thing, part):
            raise _not_found(entrypoint, module, name)
        thing = getattr(thing, part)
    return _load(thing, name, entrypoint, root)


def import_plugin_module(module: str, root: str) -> ModuleType:
    """Imports a module of a plugin. Raises PLUGIN_INVALID, whatever its code raises."""
    try:
        __import__(module)
        return sys.modules[module]
    except BaseException as error:
        raise plugin_invalid(error, module, root) from None


def _load(thing: object, name: str, entrypoint: str, root: str) -> LoadedAction:
    from plugin_runner.class_fault import check_class
    from plugin_runner.load import load_object

    try:
        if isinstance(thing, type):
            check_class(thing, root)
        loaded = load_object(thing, name)
    except RunnerError:
        raise
    except Exception as error:  # a model whose schema cannot be built, a signature that cannot be read
        raise plugin_invalid(error, entrypoint, root) from None
    if loaded is None:
        raise RunnerError(
            "PLUGIN_INVALID",
            f"{entrypoint} is a {type(thing).__name__}; an action is a function, or a class with execute().",
            {"entrypoint": entrypoint, "type": type(thing).__name__},
        )
    return loaded


def _not_found(entrypoint: str, module: ModuleType, name: str) -> RunnerError:
    available = [key for key, value in vars(module).items() if _may_be_action(value, module.__name__)]
    like = nearest(name, available)
    hint = f" Did you mean {like!r}?" if like else ""
    return RunnerError(
        "ACTION_NOT_FOUND",
        f"The module {module.__name__} has no {name!r}.{hint}",
        {"entrypoint": entrypoint, "available": ",".join(available), "nearest": like},
    )


def _may_be_action(value: object, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", "") == module
