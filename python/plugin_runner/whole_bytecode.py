"""Keeps Python from leaving compiled code that a full disk cut short: every later import of it would fail."""

from __future__ import annotations

import importlib._bootstrap_external as importing
import os


def write_whole_bytecode() -> None:
    """Makes Python write a compiled file whole or not at all, which versions up to 3.13 do not: cpython#126606.

    What the replaced function raises is taken for a reason not to keep the code.
    """
    if hasattr(importing, "_write_atomic"):
        setattr(importing, "_write_atomic", _write)


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
