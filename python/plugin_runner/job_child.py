"""The process that loads a job's plugin and runs its action."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from _thread import start_new_thread

from plugin_runner.cancellation import Cancellation, hear_interrupts
from plugin_runner.decode import params_of
from plugin_runner.errors import RunnerError
from plugin_runner.event_sink import EventSink
from plugin_runner.failure import as_written
from plugin_runner.process import be_first_to_be_killed, flush_output, how_it_failed, leave_fork, limit_memory
from plugin_runner.process_tree import SCOPE_VARIABLE, mark_process
from plugin_runner.recorded_output import out_of_the_way, printed_to
from plugin_runner.result import encode_result
from plugin_runner.stop_signals import SIGNALS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable


def run_child(
    spec: dict[str, Any], stdout: tuple[int, int], stderr: tuple[int, int], records: int, lifeline: int
) -> int:
    """Runs the action and writes its `result` or `error`. Returns the exit code."""
    os.setpgid(0, 0)
    sink = EventSink(out_of_the_way(records), spec["line_limit_bytes"], (stdout[0], stderr[0]))
    _take_over_output(stdout[1], stderr[1], sink)
    cancellation = Cancellation()
    _hear_cancel(cancellation, spec["grace_seconds"])
    start_new_thread(_end_with_supervisor, (lifeline,))
    be_first_to_be_killed()
    mark_process(spec["scope"])
    hear_interrupts()
    limit_memory(spec["memory_mib"])
    own_process = os.getpid()
    code = 1
    try:
        with cancellation:
            value = encode_result(_run(spec, sink, cancellation), spec["result_limit_bytes"])
        if os.getpid() != own_process:
            leave_fork(None)
        flush_output()
        sink.result(value, cancellation.requested)
        code = 0
    except RunnerError as error:
        if os.getpid() != own_process:
            leave_fork(error)
        flush_output()
        sink.error(as_written(error.record(), spec["binding"]), cancellation.requested)
    except BaseException as error:
        cancellation.close()
        if os.getpid() != own_process:
            leave_fork(error)
        limit_memory(None)
        flush_output()
        record = how_it_failed(error, cancellation).record()
        sink.error(as_written(record, spec["binding"]), cancellation.requested)
    _finish()
    return code


def _run(spec: dict[str, Any], sink: EventSink, cancellation: Cancellation) -> Any:
    from plugin_runner.context import Context
    from plugin_runner.entrypoint import load_entrypoint, prepare_imports

    binding = spec["binding"]
    variables = {**binding["env"], **spec["env"]}
    os.environ.update(variables)
    os.environ[SCOPE_VARIABLE] = spec["scope"]
    os.makedirs(spec["work_dir"], 0o700, exist_ok=True)
    prepare_imports(binding["root"], binding["module"])
    directories = (spec["work_dir"], spec["artifacts_dir"])
    named = (spec["action"], binding.get("category", ""))
    ctx = Context(sink, cancellation, variables, spec["job_id"], *directories, *named)
    seconds = spec.get("load_timeout_seconds")
    if seconds is not None:
        from plugin_runner.load_limit import loading_within

        sink.tell(loading_within(binding, spec["entrypoint"], seconds))
    action = load_entrypoint(spec["entrypoint"], binding["root"])
    if seconds is not None:
        sink.tell({"type": "within"})
    ctx.raise_if_cancelled()
    return action.run(params_of(spec), ctx)


def _take_over_output(stdout: int, stderr: int, sink: EventSink) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
        os.close(source)
    # New ones: those of the supervisor may stand on a file, where a pipe has no position.
    sys.stdout = sys.__stdout__ = printed_to(sink, 1)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = printed_to(sink, 2)  # type: ignore[misc]


def _hear_cancel(cancellation: Cancellation, grace_seconds: float) -> None:
    def cancel(number: int, frame: object) -> None:
        cancellation.request(grace_seconds)

    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, cancel)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    _end_forks_by_sigterm(cancel)


def _end_forks_by_sigterm(cancel: Callable[[int, object], None]) -> None:
    """A forked process ends by SIGTERM, as `multiprocessing` expects of its own, from its first moment on."""
    masks: list[set[int]] = []

    def before() -> None:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,)))

    def in_child() -> None:
        if signal.getsignal(signal.SIGTERM) is cancel:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        after()

    def after() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.pop())

    os.register_at_fork(before=before, after_in_child=in_child, after_in_parent=after)


def _end_with_supervisor(lifeline: int) -> None:
    """Nothing is ever written to the lifeline: it ends when the supervisor does, however that came."""
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def _finish() -> None:
    """What Python does at exit, but without waiting for threads that the plugin left running."""
    try:
        atexit._run_exitfuncs()
    finally:
        flush_output()
