"""What a worker and a job have in common: the environment of a run, and its outcome."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class LaidEnvironment:
    """Lays variables over the process environment, and takes them back."""

    __slots__ = ("_before", "_variables")

    def __init__(self, variables: dict[str, str]) -> None:
        self._variables = variables

    def __enter__(self) -> None:
        self._before = {name: os.environ.get(name) for name in self._variables}
        os.environ.update(self._variables)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def be_first_to_be_killed() -> None:
    """Makes this process the kernel's first choice when memory is out, where it may: the service goes on."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def flush_output() -> None:
    """Writes what the plugin printed."""
    import sys

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # the plugin closed or replaced it
            pass
