"""The programs that the calls of a worker started and left running."""

from __future__ import annotations

import os

# Pools and what they share are for later calls as well: they stay with their worker.
_POOLS = (b"multiprocessing", b"loky")


class LeftPrograms:
    """Looks after each call, at the price of one system call where there is nothing."""

    __slots__ = ("_kept",)

    def __init__(self) -> None:
        self._kept: set[int] = set()

    def keep(self) -> None:
        """Takes what runs now as what stays: it was started while code was loaded."""
        if _has_children():
            self._kept |= _programs()

    def any(self) -> bool:
        return _has_children() and bool(_programs() - self._kept)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):  # none; or a system that cannot say
        return False
    return True


def _programs() -> set[int]:
    from plugin_runner.process_tree import command_of, descendants

    own = command_of(os.getpid())
    return {pid for pid in descendants() if _is_program(command_of(pid), own)}


def _is_program(command: bytes, own: bytes) -> bool:
    """Not one that is gone, nor one that was forked without starting a program."""
    return command not in (b"", own) and not any(name in command for name in _POOLS)
