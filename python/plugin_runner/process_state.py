"""What an action may change of its process, put back so that every call starts as the first."""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found]  # `signal` without its enums, which take their time
import os
import sys
import time
import warnings  # the interpreter has loaded it

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SIGNALS = sorted(
    number for number in _signal.valid_signals() if number < 32 and number not in (_signal.SIGKILL, _signal.SIGSTOP)
)
_TIMERS = (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF)
# The level of the root logger where nobody has set one.
_WARNING = 30


class ProcessState:
    """The state of a process between two calls. What is looked at is cheap to look at; see docs/python-plugins.md."""

    def __init__(self) -> None:
        self._cwd = os.getcwd()
        self._environ = os.environ
        self._variables = _variables()
        self._streams = (sys.stdin, sys.stdout, sys.stderr)
        # Copies, for the case that an action closes or redirects a descriptor.
        self._descriptors = [(fd, os.dup(fd), _identity(fd)) for fd in (0, 1, 2)]
        self.keep()

    def lay(self, variables: dict[str, str]) -> None:
        """Lays variables over the environment, until it is put back."""
        os.environ.update(variables)

    def keep(self, laid: dict[str, str] | None = None) -> None:
        """Takes the state as what calls start with, but for the variables that were laid over it: code was loaded."""
        before, now = self._variables, _variables()
        for name in map(os.fsencode, laid or ()):
            if name in before:
                now[name] = before[name]
            else:
                now.pop(name, None)
        self._variables = now
        self._handlers = [_signal.getsignal(number) for number in _SIGNALS]
        self._mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, ())
        self._timers = [timer for timer in _TIMERS if not any(_signal.getitimer(timer))]
        self._locale = _locale.setlocale(_locale.LC_ALL, None)
        self._recursion = sys.getrecursionlimit()
        self._umask = os.umask(0o077)  # the system tells it only to whoever sets it
        os.umask(self._umask)
        self._path = list(sys.path)
        self._excepthook = sys.excepthook
        self._filters = list(warnings.filters)
        level, disabled, handlers = _logging()
        self._logging = (level, disabled, list(handlers))

    def put_back(self) -> None:
        """Compares, and puts back what differs."""
        if os.environ is not self._environ:
            os.environ = self._environ  # noqa: B003 - it is the one that was there
        if self._environ.__dict__["_data"] != self._variables:
            self._put_back_variables()
        self._put_back_cwd()
        self._put_back_streams()
        self._put_back_signals()
        if _locale.setlocale(_locale.LC_ALL, None) != self._locale:
            _locale.setlocale(_locale.LC_ALL, self._locale)
        if sys.getrecursionlimit() != self._recursion:
            sys.setrecursionlimit(self._recursion)
        os.umask(self._umask)
        if sys.path != self._path:
            sys.path[:] = self._path
        sys.excepthook = self._excepthook
        if warnings.filters != self._filters:
            _put_back_filters(self._filters)
        if self._logging != _logging():
            self._put_back_logging()

    def _put_back_variables(self) -> None:
        now, before = _variables(), self._variables
        for name in now.keys() - before.keys():
            del os.environb[name]
        for name, value in before.items():
            if now.get(name) != value:
                os.environb[name] = value
        if now.get(b"TZ") != before.get(b"TZ"):
            time.tzset()

    def _put_back_cwd(self) -> None:
        try:
            if os.getcwd() == self._cwd:
                return
        except OSError:  # a directory that is gone
            pass
        try:
            os.chdir(self._cwd)
        except OSError:  # the plugin itself is gone: the call will say so
            pass

    def _put_back_streams(self) -> None:
        if (sys.stdin, sys.stdout, sys.stderr) == self._streams and not _any_closed(self._streams):
            return
        for fd, copy, identity in self._descriptors:
            if _identity(fd) != identity:
                os.dup2(copy, fd)
        stdin, stdout, stderr = self._streams
        if stdin is None or stdin.closed:
            stdin = _reader(0)
        self._streams = (stdin, _writer(stdout, 1), _writer(stderr, 2))
        sys.stdin, sys.stdout, sys.stderr = self._streams

    def _put_back_signals(self) -> None:
        _signal.set_wakeup_fd(-1)
        for timer in self._timers:
            _signal.setitimer(timer, 0)  # also what `alarm` has set: it would interrupt or kill another call
        if "faulthandler" in sys.modules:
            sys.modules["faulthandler"].cancel_dump_traceback_later()
        if [_signal.getsignal(number) for number in _SIGNALS] != self._handlers:
            for number, handler in zip(_SIGNALS, self._handlers):
                if _signal.getsignal(number) is not handler and handler is not None:
                    _signal.signal(number, handler)
        if _signal.pthread_sigmask(_signal.SIG_BLOCK, ()) != self._mask:
            for number in _signal.sigpending() - self._mask:
                _signal.sigwait((number,))  # came for the call that held it back
            _signal.pthread_sigmask(_signal.SIG_SETMASK, self._mask)

    def _put_back_logging(self) -> None:
        from logging import root

        level, disabled, handlers = self._logging
        root.setLevel(level)
        root.handlers[:] = handlers
        root.manager.disable = disabled


def _variables() -> dict[bytes, bytes]:
    variables: dict[bytes, bytes] = os.environ.__dict__["_data"]
    return variables.copy()


def _identity(fd: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _any_closed(streams: tuple[Any, ...]) -> bool:
    return any(stream is None or stream.closed for stream in streams)


def _reader(fd: int) -> Any:
    return open(fd, closefd=False)


def _writer(stream: Any, fd: int) -> Any:
    if stream is not None and not stream.closed:
        return stream
    return open(fd, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _put_back_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    changed = getattr(warnings, "_filters_mutated", None) or getattr(warnings, "_filters_mutated_lock_held", None)
    if changed is not None:
        changed()


def _logging() -> tuple[int, int, list[Any]]:
    """Of the root logger: what `logging.basicConfig` and the like change."""
    root = getattr(sys.modules.get("logging"), "root", None)
    return (_WARNING, 0, []) if root is None else (root.level, root.manager.disable, root.handlers)
