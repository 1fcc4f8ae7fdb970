"""Exceptions of plugins as errors: with the plugin's own stack, and where the fault stands."""

from __future__ import annotations

import os
import sys

from plugin_runner.cancellation import Cancelled
from plugin_runner.errors import RunnerError
from plugin_runner.failure_hint import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    import traceback
    from typing import Any

    from plugin_runner.errors import ErrorRecord

MESSAGE_LIMIT = 2_000
STACK_LIMIT = 16_000

_OWN_FOLDER = os.path.dirname(os.path.abspath(__file__)) + os.sep


def action_failed(error: BaseException) -> RunnerError:
    """What an action raised, as ACTION_FAILED, or as CANCELLED when it ended by the context's exception."""
    if isinstance(error, MemoryError):
        _release_frames(error)
    kind = exception_type(error)
    if isinstance(error, Cancelled):
        return RunnerError("CANCELLED", _message(error) or "The action was cancelled.", exception_type=kind)
    said = _message(error)
    root = _working_directory()
    message = f"{kind}: {said}" if said else kind
    message += hint(error, root, file=_place(error, root)[0])
    metadata = {"exception_type": kind, **_details(error)}
    return RunnerError("ACTION_FAILED", message, metadata, exception_type=kind, stack=plugin_stack(error))


def _details(error: BaseException) -> dict[str, str]:
    """The details that errors of synapse-sdk have, as JSON."""
    known = getattr(sys.modules.get("synapse_sdk.plugins.errors"), "PluginError", None)
    if known is None or not isinstance(error, known) or getattr(error, "details", None) is None:
        return {}
    from plugin_runner.encode import dumps, lenient

    text = dumps(lenient(getattr(error, "details", None)))
    return {"details": text if len(text) <= MESSAGE_LIMIT else dumps(f"{text[:MESSAGE_LIMIT]}…")}


def plugin_invalid(error: BaseException, module: str, root: str) -> RunnerError:
    """What loading a plugin's module raised, as PLUGIN_INVALID with the place in the plugin's files."""
    kind = exception_type(error)
    if isinstance(error, MemoryError):  # is no fault of the code that happened to be loaded
        message = f"MemoryError: memory was out before {module} was loaded: memory_mib is too small for it."
        return RunnerError("ACTION_FAILED", message, {"exception_type": kind}, exception_type=kind)
    file, line, column = _place(error, root)
    where = f"{file}:{line}: " if file else f"{module}: "
    message = f"{where}{kind}: {_message(error)}{hint(error, root, module, file)}"
    metadata = {"module": module, "exception_type": kind, "file": file, "line": str(line), "column": str(column)}
    return RunnerError("PLUGIN_INVALID", message, metadata, exception_type=kind, stack=plugin_stack(error))


def as_written(record: ErrorRecord, binding: dict[str, Any]) -> ErrorRecord:
    """Names the plugin's files in an error as its author knows them, where they were copied from."""
    root, origin = binding["root"], binding.get("origin", "")
    if not origin or origin == root:
        return record

    def known(text: str) -> str:
        return text.replace(root + os.sep, origin + os.sep)

    record["message"] = known(record.get("message", ""))
    record["stack"] = known(record.get("stack", ""))
    record["metadata"] = {key: known(text) for key, text in record.get("metadata", {}).items()}
    return record


def exception_type(error: BaseException) -> str:
    """The name of an exception's class, with its module unless that is `builtins`."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def plugin_stack(error: BaseException) -> str:
    """The stack as Python prints it, without the frames of this package."""
    try:
        from traceback import TracebackException

        lines = "".join(_without_own_frames(TracebackException.from_exception(error)).format())
        lines = _without_pool_frames(lines)
    # A plugin's exception may fail to print itself, and memory may be short: the error is still reported.
    except BaseException as fault:
        return f"{exception_type(error)} (its stack cannot be shown: {exception_type(fault)})"
    if len(lines) <= STACK_LIMIT:
        return lines
    return f"{lines[: STACK_LIMIT // 2]}\n… [+{len(lines) - STACK_LIMIT} characters]\n{lines[-STACK_LIMIT // 2 :]}"


def _without_own_frames(report: traceback.TracebackException) -> traceback.TracebackException:
    seen: set[int] = set()
    waiting: list[traceback.TracebackException | None] = [report]
    while waiting:
        part = waiting.pop()
        if part is None or id(part) in seen:
            continue
        seen.add(id(part))
        kept = [frame for frame in part.stack if not _is_machinery(frame.filename)]
        while kept and f"{os.sep}asyncio{os.sep}" in kept[0].filename:
            del kept[0]
        part.stack[:] = kept
        waiting += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or [])]
    return report


def _without_pool_frames(lines: str) -> str:
    """Removes the frames of process pools: an exception out of one brings the other process's stack as text."""
    import re  # loaded by traceback as well; a worker that starts has no need of it

    pools = r'^  File "[^"\n]*[/\\](?:concurrent[/\\]futures|multiprocessing)[/\\].*\n(?:    .*\n)*'
    return re.sub(pools, "", lines, flags=re.MULTILINE)


def _is_machinery(filename: str) -> bool:
    return filename.startswith((_OWN_FOLDER, "<frozen importlib", "<frozen runpy"))


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the plugin called sys.exit({error.code if isinstance(error.code, (int, str)) else ''})"
    if isinstance(error, SyntaxError):
        return error.msg or ""
    try:
        text = str(error)
    except BaseException as fault:
        return f"(its message cannot be shown: {exception_type(fault)})"
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= MESSAGE_LIMIT else f"{text[:MESSAGE_LIMIT]}… [+{len(text) - MESSAGE_LIMIT} characters]"


def _place(error: BaseException, root: str) -> tuple[str, int, int]:
    if isinstance(error, SyntaxError) and error.filename:
        return _relative(error.filename, root), error.lineno or 0, error.offset or 0
    place = ("", 0, 0)
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if root and filename.startswith(root + os.sep):
            place = (_relative(filename, root), trace.tb_lineno, 0)
        trace = trace.tb_next
    return place


def _relative(filename: str, root: str) -> str:
    return os.path.relpath(filename, root) if root and filename.startswith(root + os.sep) else filename


def _working_directory() -> str:
    """The plugin's directory, while an action runs that has not changed it."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _release_frames(error: BaseException) -> None:
    """Lets go of the locals of the frames that failed, so that there is memory to report it."""
    trace = error.__traceback__
    own = sys._getframe()
    while trace is not None:
        if trace.tb_frame is not own:
            try:
                trace.tb_frame.clear()
            except RuntimeError:  # the frame still runs: it is one of ours, below the plugin's
                pass
        trace = trace.tb_next
