"""The files of modules under a directory, as far as they are the plugin's own."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from plugin_runner.errors import RunnerError

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE_BYTES_LIMIT = 1024 * 1024

_FILES_LIMIT = 2_000
_DEPTH_LIMIT = 8
_SKIPPED_FOLDERS = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_CODE = re.compile(rb"""^(\{.*[{, \t])?["']?code["']?[ \t]*:""", re.MULTILINE)


def module_files(root: str, module: str = "") -> Iterator[tuple[str, str]]:
    """The files of a module or package under `root`, or with no `module` of every module there, with their names.

    Raises PLUGIN_INVALID when `module` does not exist.
    """
    if not module:
        yield from _walk(root, "")
        return
    path = os.path.join(root, *module.split("."))
    if os.path.isfile(path + ".py"):
        yield path + ".py", module
    elif os.path.isdir(path):
        yield from _walk(path, module)
    else:
        raise RunnerError("PLUGIN_INVALID", f"There is no module {module} under {root}.", {"module": module})


def _walk(top: str, package: str) -> Iterator[tuple[str, str]]:
    count = 0
    for folder, folders, files in os.walk(top):
        relative = os.path.relpath(folder, top)
        parts = [] if relative == "." else relative.split(os.sep)
        folders[:] = sorted(each for each in folders if _is_searched(folder, each)) if len(parts) < _DEPTH_LIMIT else []
        for file in sorted(files):
            stem, extension = os.path.splitext(file)
            if extension != ".py" or not stem.isidentifier():
                continue
            names = ([package] if package else []) + parts + ([] if stem == "__init__" else [stem])
            if not names:
                continue
            count += 1
            if count > _FILES_LIMIT:
                return
            yield os.path.join(folder, file), ".".join(names)


def _is_searched(folder: str, name: str) -> bool:
    if not name.isidentifier() or name in _SKIPPED_FOLDERS:
        return False
    inner = os.path.join(folder, name)
    return not os.path.exists(os.path.join(inner, "pyvenv.cfg")) and not _is_plugin(inner)


def _is_plugin(folder: str) -> bool:
    """Whether a folder is a plugin of its own: programs call files of other kinds `config.yaml`, too."""
    for name in ("config.yaml", "config.yml"):
        try:
            with open(os.path.join(folder, name), "rb") as file:
                text = file.read(FILE_BYTES_LIMIT)
        except OSError:
            continue
        return _CODE.search(text) is not None
    return False
