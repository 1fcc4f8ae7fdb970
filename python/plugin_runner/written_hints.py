"""The type hints of a class or function, as far as they can be resolved, and as their author wrote them."""

from __future__ import annotations

import sys
import typing
from importlib import import_module
from typing import Any


def resolved_hints(thing: Any) -> dict[str, Any]:
    """The type hints of a class or function. A hint that cannot be resolved is left out and takes anything."""
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except Exception:  # names of `if TYPE_CHECKING:`, or newer syntax than the interpreter's
        return _resolved_one_by_one(thing)


def _resolved_one_by_one(thing: Any) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for owner in reversed(thing.__mro__) if isinstance(thing, type) else [thing]:
        module = sys.modules.get(owner.__module__)
        for name, hint in _annotations(owner).items():
            try:
                hints[name] = eval(hint, vars(module) if module else {}) if isinstance(hint, str) else hint
            except Exception:
                hints.pop(name, None)
    return hints


def _annotations(owner: Any) -> dict[str, Any]:
    own: dict[str, Any] = getattr(owner, "__dict__", {})
    if "__annotations__" in own:
        return dict(own.get("__annotations__", {}))
    try:
        library: Any = import_module("annotationlib")
    except ImportError:  # Python before 3.14, whose annotations are values already
        return {} if isinstance(owner, type) else getattr(owner, "__annotations__", {})
    found: dict[str, Any] = library.get_annotations(owner, format=library.Format.FORWARDREF)
    return found


def hint_text(hint: Any) -> str:
    """A hint as its author wrote it, as far as that can be told."""
    if isinstance(hint, type):
        return (
            hint.__qualname__
            if hint.__module__ in ("builtins", "__main__")
            else f"{hint.__module__}.{hint.__qualname__}"
        )
    return str(getattr(hint, "__forward_arg__", hint)).replace("typing.", "")


def written_hint(owner: Any, name: str) -> Any:
    """The hint of one attribute of a class, unresolved."""
    return next((hints[name] for hints in map(_annotations, owner.__mro__) if name in hints), Any)
