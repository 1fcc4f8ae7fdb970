"""Ends everything that a job started."""

from __future__ import annotations

import os
import signal
from time import sleep

SCOPE_VARIABLE = "PLUGIN_RUNNER_SCOPE"

_PR_SET_CHILD_SUBREAPER = 36
# Means nothing to Linux since 2.4, is inherited, and can be read of every process; `resource` has no name for it.
_RLIMIT_LOCKS = 10
_SMALLEST_MARK = 1 << 48
# What shells call that limit: `-w` in dash and BusyBox, `-x` in bash. Where neither is known the program runs unmarked.
_MARKING = 'ulimit -S -w "$0" 2>/dev/null || ulimit -S -x "$0" 2>/dev/null; exec "$@"'
_ROUNDS = 100
_PAUSE_SECONDS = 0.01


def adopt_orphans() -> None:
    """Makes this process, on Linux, the parent of whatever outlives its own parent below it.

    Thus also a process that left its session and cleared its environment is found.
    """
    if not os.path.exists("/proc/self/stat"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    except (ImportError, OSError, AttributeError):  # an interpreter without ctypes: groups and scopes remain
        pass


def mark_process(scope: str) -> None:
    """Marks this process, and whatever it starts, with a scope that is a UUID, where this is Linux.

    Neither a session of its own nor a cleared environment takes the mark away. It is the soft limit of file locks.
    """
    mark = _mark_of(scope)
    if mark is None or not os.path.exists("/proc/self/limits"):
        return
    try:
        import resource

        resource.setrlimit(_RLIMIT_LOCKS, (mark, resource.getrlimit(_RLIMIT_LOCKS)[1]))
    except (ImportError, OSError, ValueError):  # the hard limit is lower: groups and the environment remain
        pass


def marked_command(scope: str, command: list[str]) -> list[str]:
    """A command that marks its process so, before it starts anything."""
    mark = _mark_of(scope)
    if mark is None or not os.path.exists("/proc/self/limits"):
        return command
    return ["/bin/sh", "-c", _MARKING, str(mark), *command]


def tell_to_stop(pid: int) -> None:
    """Sends SIGTERM to a job's process and to the programs that it has started in its group.

    What it has forked without starting a program, such as the workers of a pool, is left to it: it may need them to end
    in its own way. They cannot be told apart where there is no /proc: there all of the group hears it.
    """
    command = command_of(pid)
    if not command:
        kill_group(pid, signal.SIGTERM)
        return
    for other in _processes():
        fields = _stat(str(other))
        if other == pid or (fields and int(fields[2]) == pid and command_of(other) != command):
            try:
                os.kill(other, signal.SIGTERM)
            except (ProcessLookupError, PermissionError):
                pass


def kill_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # gone, or nothing but zombies (macOS)
        pass


def kill_rest(group: int, scope: str) -> None:
    """Kills a job's group, its descendants and all of its scope, until none is left, for about a second at most."""
    for _ in range(_ROUNDS):
        kill_group(group, signal.SIGKILL)
        rest = descendants() | _of_scope(scope)
        for pid in rest:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
        _reap()
        if not rest:
            return
        sleep(_PAUSE_SECONDS)


def kill_scope(scope: str) -> None:
    """Kills every process of a scope: also those that left the group and the session of the one that started them."""
    for pid in _of_scope(scope):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def identity_start_time() -> str:
    """Field 22 of `/proc/self/stat`; empty where there is none."""
    fields = _stat("self")
    return fields[19] if fields else ""


def descendants(known: dict[int, list[str]] | None = None) -> set[int]:
    """The processes below this one that are no zombies."""
    children: dict[int, list[int]] = {}
    for pid, fields in (all_processes() if known is None else known).items():
        if fields[0] != "Z":
            children.setdefault(int(fields[1]), []).append(pid)
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting += below
    return found


def all_processes() -> dict[int, list[str]]:
    """Each with what `_stat` says of it."""
    found = {pid: _stat(str(pid)) for pid in _processes()}
    return {pid: fields for pid, fields in found.items() if fields}


def younger_of_scope(scope: str, known: dict[int, list[str]]) -> set[int]:
    """The other processes of a scope that started after this one: the mark of older ones need not be looked at."""
    start = int(identity_start_time() or 0)
    return _of_scope(scope, [pid for pid, fields in known.items() if int(fields[19]) >= start])


def _of_scope(scope: str, among: list[int] | None = None) -> set[int]:
    mark = f"{SCOPE_VARIABLE}={scope}".encode()
    own = os.getpid()
    number = _mark_of(scope)
    limit = None if number is None else b"Max file locks %d " % number
    pids = _processes() if among is None else among
    return {pid for pid in pids if scope and pid != own and (mark in _environment(pid) or _is_limited(pid, limit))}


def _mark_of(scope: str) -> int | None:
    """The first 48 bits of a UUID, as `src/util/process-mark.ts` has them."""
    first, _, rest = scope.partition("-")
    second, _, rest = rest.partition("-")
    if (len(first), len(second)) != (8, 4) or not rest:
        return None
    try:
        return _SMALLEST_MARK + int(first + second, 16)
    except ValueError:
        return None


def _is_limited(pid: int, limit: bytes | None) -> bool:
    if limit is None:
        return False
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            has = limit in b" ".join(file.read().split())
    except OSError:
        return False
    return has and _stat(str(pid))[:1] not in ([], ["Z"])


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _stat(pid: str) -> list[str]:
    """The fields of `/proc/<pid>/stat` from the third on: the name before them may hold anything."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY)  # a file of Python's takes twice as long, for each process
    except OSError:
        return []
    try:
        return os.read(fd, 4096).rpartition(b")")[2].decode().split()
    except OSError:
        return []
    finally:
        os.close(fd)


def command_of(pid: int) -> bytes:
    """The command line of a process; empty for one that is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass
