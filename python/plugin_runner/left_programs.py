"""The programs that the calls of a worker started and left running."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from resource import struct_rusage
    from typing import Callable

# Pools and what they share are for later calls as well: they stay with their worker.
_POOLS = (b"multiprocessing", b"loky")
_CHILDREN = -1  # RUSAGE_CHILDREN: those that have ended and were waited for


class LeftPrograms:
    """Looks after each call, at the price of two system calls where no program was started.

    What a call started is a child of this process until it has ended and was waited for. Then it counts among the
    children that were, and may have left others behind, which are children of another: those are found by their scope.
    """

    __slots__ = ("_ended", "_kept", "_scope", "_usage")

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._kept: set[int] = set()
        self._ended = 0
        self._usage: Callable[[int], struct_rusage] | None = None

    def keep(self) -> None:
        """Takes what runs now as what stays: it was started while code was loaded."""
        if self._usage is None:
            from resource import getrusage  # a worker that starts has no need of it

            self._usage = getrusage
        if self._may_be_any():
            self._kept |= self._programs()

    def any(self) -> bool:
        return self._may_be_any() and bool(self._programs() - self._kept)

    def _may_be_any(self) -> bool:
        before = self._ended
        if self._usage is not None:
            self._ended = self._usage(_CHILDREN).ru_minflt  # no process does without page faults
        return self._ended != before or _has_children()

    def _programs(self) -> set[int]:
        from plugin_runner.process_tree import all_processes, command_of, descendants, younger_of_scope

        own = command_of(os.getpid())
        known = all_processes()
        below = descendants(known)
        programs = {pid for pid in below if _is_program(command_of(pid), own)}
        # What has lost its parent is in no pool of this process, also where it was forked without starting a program.
        others = younger_of_scope(self._scope, known) - below
        return programs | {pid for pid in others if _is_program(command_of(pid), b"")}


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):  # none; or a system that cannot say
        return False
    return True


def _is_program(command: bytes, own: bytes) -> bool:
    """Not one that is gone, nor one that was forked without starting a program."""
    return command not in (b"", own) and not any(name in command for name in _POOLS)
