"""Where a plugin that is a module finds modules."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


class OwnModuleFinder:
    """Finds one top module under a root, before all others of its name."""

    def __init__(self, root: str, name: str) -> None:
        self._root = root
        self._name = name

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """As the import system asks for it."""
        if path is not None or name != self._name:
            return None
        from importlib.machinery import PathFinder

        return PathFinder.find_spec(name, [self._root])


def put_behind(root: str, module: str) -> None:
    """Makes a module under a root importable, and its neighbours last of all.

    They are other plugins: none of them may stand before the standard library or an installed package of its name.
    """
    sys.meta_path.insert(0, OwnModuleFinder(root, module.partition(".")[0]))
    sys.path.append(root)
