"""Which Python Ray runs on, seen from a process that Ray has started with another one."""

from __future__ import annotations

import os
import re
import sys

_LOADED = re.compile(r"(/.*)/lib[^/]*/python[^/]*/site-packages/ray/_raylet\.so$", re.MULTILINE)


def cannot_start(error: Exception) -> str:
    """Says in one line why the gateway cannot start with this interpreter."""
    version = ".".join(map(str, sys.version_info[:3]))
    said = " ".join(str(error).split())
    own = rays_python(os.getppid())
    rays = f"Ray runs on {own}" if own else "Ray runs on another one"
    return (
        f"The gateway cannot start: {sys.executable} (Python {version}) ran its entrypoint and cannot use Ray: {said}. "
        f"{rays}: name that with --ray-python."
    )


def rays_python(pid: int) -> str:
    """The interpreter of a process of Ray's: of the environment whose library it has loaded. Empty for none."""
    try:
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            found = _LOADED.search(maps.read())
        path = f"{found[1]}/bin/python" if found else ""
        return path if os.access(path, os.X_OK) else os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
