"""What a worker and a job have in common: how a run ends."""

from __future__ import annotations

import os
import sys

from plugin_runner.errors import RunnerError
from plugin_runner.failure import action_failed, exception_type, plugin_stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from plugin_runner.cancellation import Cancellation

_INTERRUPTS = ("KeyboardInterrupt", "asyncio.exceptions.CancelledError")


def how_it_failed(error: BaseException, cancellation: Cancellation) -> RunnerError:
    """The error of a run that raised: CANCELLED when it was told to stop and raised what an interrupt raises."""
    kind = exception_type(error)
    if cancellation.requested and kind in _INTERRUPTS:
        return RunnerError("CANCELLED", "The action was cancelled.", exception_type=kind)
    return action_failed(error)


def leave_fork(error: BaseException | None) -> NoReturn:
    """Ends a process that the plugin forked and that came back here, as Python would: only its parent answers."""
    code = 0
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    elif error is not None:
        code = 1
        if sys.excepthook is sys.__excepthook__:
            print(plugin_stack(error), end="", file=sys.stderr)
        else:
            sys.excepthook(type(error), error, error.__traceback__)
    flush_output()
    os._exit(code & 0xFF)


def be_first_to_be_killed() -> None:
    """Makes this process the kernel's first choice when memory is out, where it may: the service goes on."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def remove_directory(path: str) -> None:
    """Removes a directory with all that is in it, if it is there."""
    try:
        os.rmdir(path)
    except FileNotFoundError:
        pass
    except OSError:
        from shutil import rmtree

        rmtree(path, ignore_errors=True)


def flush_output() -> None:
    """Writes what the plugin printed, also from C."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # the plugin closed or replaced it
            pass
    if len(sys.modules) != _Stdio.modules:
        _Stdio.modules = len(sys.modules)
        _Stdio.flush = _Stdio.flush or _flush_of_c()
    if _Stdio.flush is not None:
        _Stdio.flush(None)


class _Stdio:
    """The buffers of C's standard library are of interest once code that may print from C is loaded."""

    modules = 0
    flush: Callable[[Any], Any] | None = None


def _flush_of_c() -> Callable[[Any], Any] | None:
    own = f"{os.sep}lib-dynload{os.sep}"
    files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
    if "ctypes" not in sys.modules and not any(file.endswith((".so", ".dylib")) and own not in file for file in files):
        return None
    try:
        import ctypes

        flush: Callable[[Any], Any] = ctypes.CDLL(None).fflush
        return flush
    except (ImportError, OSError, AttributeError):  # an interpreter without ctypes
        return None


def limit_memory(mebibytes: int | None) -> None:
    """Limits the data of this process, or takes the limit back: a report of the failure needs some, too."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    soft = hard if mebibytes is None else mebibytes << 20
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    except ValueError:  # the hard limit is lower
        pass
