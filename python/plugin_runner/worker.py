"""`python -m plugin_runner.worker`: answers requests one after another on file descriptor 3, see docs/protocol.md."""

from __future__ import annotations

import os
import sys

from plugin_runner.cancellation import Cancellation, hear_interrupts
from plugin_runner.context import Context
from plugin_runner.decode import decode, params_of
from plugin_runner.encode import dumps, record_text
from plugin_runner.errors import RunnerError
from plugin_runner.failure import as_written, exception_type, plugin_invalid
from plugin_runner.left_programs import LeftPrograms
from plugin_runner.load_limit import checking_within, loading_within
from plugin_runner.process import (
    be_first_to_be_killed,
    flush_output,
    how_it_failed,
    leave_fork,
    limit_memory,
    remove_directory,
)
from plugin_runner.process_state import ProcessState
from plugin_runner.protocol import PROTOCOL
from plugin_runner.result import encode_lenient, encode_result
from plugin_runner.sink import PlainRunSink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    from plugin_runner.errors import Violation
    from plugin_runner.load import LoadedAction

PROTOCOL_FD = 3
GRACE_SECONDS = 3.0
# Before a plugin can change it.
_SCOPE = os.environ.get("PLUGIN_RUNNER_SCOPE", "")

_sink = PlainRunSink()


class Request:
    """One line that the service sent."""

    __slots__ = ("cancellation", "message", "warnings")

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self.warnings: list[Violation] = []
        self.cancellation = Cancellation()


class Inbox:
    """Reads lines in a thread of its own, so that a cancel is heard while plugin code runs."""

    def __init__(self, fd: int) -> None:
        from _queue import SimpleQueue
        from _thread import start_new_thread

        self._fd = fd
        self._under_way: dict[int, Request] = {}
        self._requests: SimpleQueue[Request] = SimpleQueue()
        self.next = self._requests.get
        start_new_thread(self._read, ())

    def done(self, request_id: int) -> None:
        self._under_way.pop(request_id, None)

    def _read(self) -> None:
        """Ends the process with the connection: nobody is left to answer, whatever plugin code still runs."""
        try:
            rest = b""
            while True:
                chunk = os.read(self._fd, 1 << 18)
                if not chunk:
                    _leave()
                *lines, rest = (rest + chunk if rest else chunk).split(b"\n")
                for line in lines:
                    self._accept(decode(line.decode()))
        except ConnectionError:
            _leave()
        except BaseException as error:  # a line that breaks the protocol, or the plugin closed the connection
            os.write(2, f"plugin_runner.worker: {exception_type(error)}: {error}\n".encode("utf-8", "replace"))
            os._exit(1)

    def _accept(self, message: dict[str, Any]) -> None:
        if message["type"] == "cancel":
            request = self._under_way.get(message["id"])
            if request is not None:
                request.cancellation.request(message.get("grace_seconds", GRACE_SECONDS))
            return
        request = Request(message)
        if "id" in message:
            self._under_way[message["id"]] = request
        self._requests.put(request)


class Worker:
    """Serves one binding."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._binding: dict[str, Any] = {"root": "", "module": "", "env": {}}
        self._work_dir = ""
        self._artifacts = ""
        self._load_seconds: float | None = None
        self._actions: dict[str, LoadedAction] = {}
        self.fault: RunnerError | None = None  # why nothing of the binding can be run
        self._state: ProcessState | None = None
        self._own_process = os.getpid()
        self._ctx: Context | None = None
        self.left = LeftPrograms(_SCOPE)

    def bind(self, message: dict[str, Any]) -> None:
        from plugin_runner.entrypoint import prepare_imports

        self._binding = message["binding"]
        self._work_dir = message["work_dir"]
        self._artifacts = message.get("artifacts_dir", "")
        self._load_seconds = message.get("load_timeout_seconds")
        os.environ.update(self._binding["env"])
        try:
            prepare_imports(self._binding["root"], self._binding["module"])
        except OSError as error:
            said = f"The plugin's directory cannot be opened: {error}"
            self.fault = RunnerError("PLUGIN_INVALID", said, {"root": self._binding["root"]})
        self._state = ProcessState()

    def answer(self, request: Request) -> bytes:
        """The whole line of the answer. Never raises, whatever the plugin does."""
        request_id = request.message["id"]
        try:
            with request.cancellation:
                value = self._value(request)
                encode = encode_result if request.message["type"] == "run" else encode_lenient
                encoded = encode(value)
            self._leave_if_forked(None)
            more = b',"warnings":' + record_text(request.warnings) if request.warnings else b""
            return b'{"id":%d,"ok":true,%b%b}\n' % (request_id, encoded.keys(), more)
        except RunnerError as error:
            self._leave_if_forked(error)
            record = as_written(error.record(), self._binding)
        except BaseException as error:
            request.cancellation.close()
            self._leave_if_forked(error)
            record = as_written(self._failure(error, request).record(), self._binding)
        return b'{"id":%d,"ok":false,"error":%b}\n' % (request_id, record_text(record))

    def _failure(self, error: BaseException, request: Request) -> RunnerError:
        if request.message["type"] == "run" or not isinstance(error, Exception):
            return how_it_failed(error, request.cancellation)
        binding = self._binding
        return plugin_invalid(error, binding["module"] or binding.get("code", ""), binding["root"])

    def clean_up(self, request: Request) -> None:
        """Makes the next call start as the first one did, and removes the run's directory."""
        if self._state is not None:
            self._state.put_back()
        if self._ctx is not None and self._ctx._has_work_dir:
            remove_directory(self._ctx._work_dir)
        self._ctx = None

    def _leave_if_forked(self, error: BaseException | None) -> None:
        if os.getpid() != self._own_process:
            leave_fork(error)

    def _value(self, request: Request) -> Any:
        if self.fault is not None:
            raise self.fault
        message = request.message
        kind = message["type"]
        env = message.get("env")
        if env and self._state is not None:
            self._state.lay(env)  # also while the code is loaded
        if kind == "run":
            if "memory_mib" not in message:
                return self._run(request)
            limit_memory(message["memory_mib"])
            try:
                return self._run(request)
            finally:
                limit_memory(None)
        if kind == "validate":
            action = self._action(message)
            self._expect(checking_within, message["entrypoint"])
            return action.validated(params_of(message), request.warnings)
        if kind == "describe":
            from plugin_runner.describe import describe

            self._expect(loading_within, "")  # until the answer: making schemas runs the plugin's code as well
            return describe(message["entrypoints"], self._binding["root"], self._binding["module"], self._load)
        if kind == "scan":
            from plugin_runner.scan import scan

            return [found._asdict() for found in scan(message["root"], message["module"])]
        raise RunnerError("INTERNAL", f"The worker knows no request {kind!r}.", {"type": kind})

    def _run(self, request: Request) -> Any:
        message = request.message
        env = message["env"]
        variables = {**self._binding["env"], **env} if env else self._binding["env"]
        artifacts = f"{self._artifacts}-{message['id']}" if self._artifacts else ""
        work_dir = self._run_dir(message)
        named = (message["action"], self._binding.get("category", ""))
        ctx = Context(_sink, request.cancellation, variables, message["job_id"], work_dir, artifacts, *named)
        self._ctx = ctx
        action = self._actions.get(message["entrypoint"])
        if action is None:
            action = self._load(message["entrypoint"], message.get("env"))
            self._expect_nothing()
        ctx.raise_if_cancelled()
        return action.run(params_of(message), ctx, request.warnings)

    def _run_dir(self, message: dict[str, Any]) -> str:
        """Every run has a directory of its own, which is made when the action asks for it."""
        return f"{self._work_dir}/{message['id']}"

    def _action(self, message: dict[str, Any]) -> LoadedAction:
        return self._actions.get(message["entrypoint"]) or self._load(message["entrypoint"], message.get("env"))

    def _load(self, entrypoint: str, laid: dict[str, str] | None = None) -> LoadedAction:
        action = self._actions.get(entrypoint)
        if action is None:
            from plugin_runner.entrypoint import load_entrypoint

            self._expect(loading_within, entrypoint)
            action = self._actions[entrypoint] = load_entrypoint(entrypoint, self._binding["root"])
            if self._state is not None:
                self._state.keep(laid)  # what the plugin sets up when it is loaded stays
            self.left.keep()
        return action

    def _expect(self, within: Callable[[dict[str, Any], str, float], dict[str, Any]], entrypoint: str) -> None:
        """Has the service kill this process when it says no other word in time: see docs/protocol.md."""
        if self._load_seconds is not None:
            self._tell(record_text(within(self._binding, entrypoint, self._load_seconds)))

    def _expect_nothing(self) -> None:
        if self._load_seconds is not None:
            self._tell(b'{"type":"within"}')

    def _tell(self, line: bytes) -> None:
        if os.getpid() == self._own_process:  # code that is loaded may fork
            _write(self._fd, line + b"\n")


def main() -> None:
    """Serves until descriptor 3 ends."""
    fd = _protocol_fd()
    be_first_to_be_killed()
    hear_interrupts()
    _write(fd, dumps(_ready()).encode() + b"\n")
    inbox = Inbox(fd)
    worker = Worker(fd)
    while True:
        request = inbox.next()
        if request.message["type"] == "bind":
            worker.bind(request.message)
            continue
        line = worker.answer(request)
        flush_output()
        worker.clean_up(request)
        inbox.done(request.message["id"])
        if request.cancellation.interrupted or worker.fault is not None or worker.left.any():
            # What was interrupted may be half done, and may have left threads and processes: all ends with this one,
            # as do programs that a call left running, with whatever the plugin remembers of them.
            # A plugin's directory that is gone may come back, for another process.
            _write(fd, line[:-2] + b',"spent":true}\n')
            # The service ends the connection once it has read that, and this process with it. If this one did, what the
            # service writes meanwhile would fail, and cost it the answer. What still comes goes to another worker.
            while True:
                inbox.next()
        _write(fd, line)


def _protocol_fd() -> int:
    """Descriptor 3, kept from the plugin's subprocesses; stdin gives nothing."""
    fd = os.dup(PROTOCOL_FD)  # not inheritable
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, PROTOCOL_FD, inheritable=False)
    os.dup2(nothing, 0)
    os.close(nothing)
    # A fork without exec must not hold the connection open.
    os.register_at_fork(after_in_child=lambda: os.close(fd))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)  # type: ignore[union-attr]
    return fd


def _ready() -> dict[str, Any]:
    version = ".".join(map(str, sys.version_info[:3]))
    return {"type": "ready", "protocol": PROTOCOL, "pid": os.getpid(), "runtime": f"python {version}"}


def _write(fd: int, line: bytes) -> None:
    rest = memoryview(line)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except ConnectionError:
        _leave()


def _leave() -> None:
    """The service is gone, and nobody else ends what the plugin started."""
    from plugin_runner.process_tree import kill_scope

    kill_scope(_SCOPE)
    os._exit(0)


if __name__ == "__main__":
    main()
