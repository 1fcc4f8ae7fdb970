"""What an author can do about the most usual failures, as a text to add to a message."""

from __future__ import annotations

import os
import sys

_CONFIGS = ("config.yaml", "config.yml")


def hint(error: BaseException, root: str, module: str = "", file: str = "") -> str:
    """A text that begins with a full stop, a colon or a blank; empty where there is nothing to add.

    Args:
        root: The plugin's directory.
        module: What was imported, if the failure came of loading it.
        file: Where it failed, relative to the root.
    """
    kind = type(error)
    if kind.__name__ == "BdbQuit" and kind.__module__ == "bdb":
        return (
            ": breakpoint() has no terminal here, since an action has no stdin. Call the action's function in a test,"
            " or listen for a debugger in it: debugpy.listen(5678); debugpy.wait_for_client()"
        )
    hiding = _hiding_module(error)
    if hiding:
        file, hidden = hiding
        return f". {file} hides the standard library's module {hidden}: rename it."
    if isinstance(error, ModuleNotFoundError) and error.name:
        return _of_missing_module(error.name, root, module, file)
    return ""


def _hiding_module(error: BaseException) -> tuple[str, str] | None:
    """The file that stands before the module of the standard library that a failure names."""
    if not isinstance(error, (ImportError, AttributeError)):
        return None
    standard = os.path.dirname(os.__file__) + os.sep
    quoted = [text for text in error.args if isinstance(text, str)]
    for name in (part.partition(".")[0] for text in quoted for part in text.split("'")[1::2]):
        file = getattr(sys.modules.get(name), "__file__", None)
        known = getattr(sys, "stdlib_module_names", ())
        is_standard = name in known if known else os.path.exists(f"{standard}{name}.py")
        if file and is_standard and not file.startswith(standard):
            parts = file.split(os.sep)
            return "/".join(parts[-2:] if parts[-1] == "__init__.py" else parts[-1:]), name
    return None


def _of_missing_module(name: str, root: str, module: str, file: str) -> str:
    missing = name.partition(".")[0]
    if module.endswith(".py"):
        return f". An entrypoint names a module and not its file: write {module[:-3]}."
    if module and (module == name or module.startswith(name + ".")):
        return f" (looked for under {root or 'the interpreter'})"
    beside = os.path.dirname(file)
    if beside and _is_module(os.path.join(root, beside), missing):
        return f". {missing}.py stands beside the file that imports it: write `from . import {missing}`."
    if _is_module(root, missing):
        return ""
    if not any(os.path.exists(os.path.join(root, config)) for config in _CONFIGS):
        return (
            f". If {missing!r} is a package: a plugin that is a module alone has no requirements. Install it for the"
            " Python of the service, or make the plugin a directory with a config.yaml and a requirements.txt."
        )
    return f". If {missing!r} is a package, add it to the plugin's requirements.txt."


def _is_module(directory: str, name: str) -> bool:
    return any(os.path.exists(os.path.join(directory, each)) for each in (name, name + ".py"))
