"""The programs that the calls of a worker started and left running."""

from __future__ import annotations

import os

# Pools and what they share are for later calls as well: they stay with their worker.
_POOLS = (b"multiprocessing", b"loky")


class LeftPrograms:
    """Looks after each call, at the price of two system calls where no program was started.

    What a call started is a child of this process until it has ended and was waited for. Then it counts among the children
    that were, and may have left others behind, which are no children of this process: those are found by their scope.
    """

    __slots__ = ("_ended", "_kept", "_scope")

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._kept: set[int] = set()
        self._ended = 0

    def keep(self) -> None:
        """Takes what runs now as what stays: it was started while code was loaded."""
        if self._may_be_any():
            self._kept |= self._programs()

    def any(self) -> bool:
        return self._may_be_any() and bool(self._programs() - self._kept)

    def _may_be_any(self) -> bool:
        before, self._ended = self._ended, _faults_of_ended_children()
        return self._ended != before or _has_children()

    def _programs(self) -> set[int]:
        from plugin_runner.process_tree import command_of, descendants, younger_of_scope

        own = command_of(os.getpid())
        below = descendants()
        programs = {pid for pid in below if _is_program(command_of(pid), own)}
        # What has lost its parent is in no pool of this process, also where it was forked without starting a program.
        return programs | {pid for pid in younger_of_scope(self._scope) - below if _is_program(command_of(pid), b"")}


def _faults_of_ended_children() -> int:
    """Page faults: no process does without, so they are more with each child that was waited for."""
    from resource import RUSAGE_CHILDREN, getrusage

    return getrusage(RUSAGE_CHILDREN).ru_minflt


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except (ChildProcessError, AttributeError):  # none; or a system that cannot say
        return False
    return True


def _is_program(command: bytes, own: bytes) -> bool:
    """Not one that is gone, nor one that was forked without starting a program."""
    return command not in (b"", own) and not any(name in command for name in _POOLS)
