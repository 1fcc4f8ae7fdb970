"""Mistakes in a class of an action that would show only when it runs, and then without its author's line."""

from __future__ import annotations

import os
import sys

from plugin_runner.authoring import BaseAction
from plugin_runner.errors import RunnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HAS_VARARGS = 0x04  # https://docs.python.org/3/library/inspect.html#inspect.CO_VARARGS


def check_class(kind: type, root: str) -> None:
    """Raises PLUGIN_INVALID, with file and line, for a subclass of `BaseAction` that could never run."""
    if not issubclass(kind, BaseAction) or kind.__dict__.get("dispatch") is not None:
        return
    if kind.execute is BaseAction.execute and kind.run is BaseAction.run:
        raise _fault(kind, root, _line_of_class(kind), f"{kind.__name__} has no execute(): write `def execute(self)`.")
    code = getattr(kind.__init__, "__code__", None)
    if code is not None and not _takes_two(kind.__init__, code):
        said = f"{kind.__name__}.__init__() cannot be called with (params, ctx): take both, or leave it out."
        raise _fault(kind, root, code.co_firstlineno, said)


def _takes_two(function: Any, code: Any) -> bool:
    """Whether a method can be called with two positional arguments beside `self`."""
    most = code.co_argcount
    least = most - len(function.__defaults__ or ())
    keywords = code.co_varnames[most : most + code.co_kwonlyargcount]
    unset = set(keywords) - set(function.__kwdefaults__ or ())
    return least <= 3 and (most >= 3 or bool(code.co_flags & _HAS_VARARGS)) and not unset


def _line_of_class(kind: type) -> int:
    from inspect import getsourcelines

    try:
        return getsourcelines(kind)[1]
    except (OSError, TypeError):
        return 0


def _fault(kind: type, root: str, line: int, said: str) -> RunnerError:
    path = getattr(sys.modules.get(kind.__module__), "__file__", None) or kind.__module__
    file = os.path.relpath(path, root) if root and path.startswith(root + os.sep) else path
    metadata = {"file": file, "line": str(line), "column": "0", "class": kind.__qualname__}
    return RunnerError("PLUGIN_INVALID", f"{file}:{line}: {said}", metadata)
