"""Keeps Python from leaving compiled code that a full disk cut short: every later import of it would fail.

Keeps it also from making the service's data directory anew where that was moved away.
"""

from __future__ import annotations

import importlib._bootstrap_external as importing
import os
import sys


def write_whole_bytecode() -> None:
    """Makes Python write a compiled file whole or not at all, which versions up to 3.13 do not: cpython#126606.

    What the replaced function raises is taken for a reason not to keep the code.
    """
    if hasattr(importing, "_write_atomic"):
        setattr(importing, "_write_atomic", _write)
    loader = importing.SourceFileLoader
    keep = loader.set_data

    def keep_below_prefix(self: importing.SourceFileLoader, path: str, data: bytes, *, _mode: int = 0o666) -> None:
        if sys.pycache_prefix is None or os.path.isdir(sys.pycache_prefix):
            keep(self, path, data, _mode=_mode)

    setattr(loader, "set_data", keep_below_prefix)


def _write(path: str, data: bytes, mode: int = 0o666) -> None:
    draft = f"{path}.{os.getpid()}.{id(data)}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode & 0o666)
    try:
        with open(fd, "wb") as file:
            file.write(data)
        os.replace(draft, path)
    except OSError:
        os.unlink(draft)
        raise
