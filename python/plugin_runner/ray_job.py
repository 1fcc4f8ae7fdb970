"""`python -m plugin_runner.ray_job <id>`: carries a job as the driver of a Ray job, see docs/protocol.md."""

from __future__ import annotations

import os
import signal
import sys

_FOLDER = os.getcwd()
# The plugin's files must not stand before those that this module needs; its own process gets them back.
sys.path[:] = [path for path in sys.path if path not in ("", _FOLDER)]

import json  # noqa: E402
from time import sleep, time  # noqa: E402

from plugin_runner.decode import decode  # noqa: E402
from plugin_runner.encode import dumps  # noqa: E402
from plugin_runner.node_environment import keep_to_job_environment  # noqa: E402
from plugin_runner.process_tree import identity_start_time  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FALLBACK_LOGS = "/tmp/ray/session_latest/logs"


def main() -> None:
    """Lays out the job's folder as `plugin_runner.job` expects it, with the events file among Ray's logs."""
    job_id = sys.argv[1]  # what its files are named by
    logs = _log_folder()
    directory = os.path.join(os.path.dirname(logs), "plugin-runner", job_id)
    os.makedirs(directory, mode=0o700)
    spec = _spec(job_id)
    binding = spec["binding"]
    binding["root"] = os.path.realpath(_FOLDER)
    binding["packages"] = _on_path("node_modules") or ""
    spec["work_dir"] = os.path.join(directory, "work")
    os.mkdir(spec["work_dir"], 0o700)
    events = os.path.join(logs, f"plugin-runner-{job_id}.events")
    os.close(os.open(events, os.O_WRONLY | os.O_CREAT, 0o600))
    os.symlink(events, os.path.join(directory, "events.jsonl"))
    os.environ.pop("RAY_JOB_STOP_WAIT_TIME_S", None)
    keep_to_job_environment()
    _end_streams_later(events)
    if binding["language"] == "javascript":
        _become_node(directory, spec, events)
    if spec.get("start_env"):
        _start_with(spec["start_env"], directory, spec)
    with open(os.path.join(directory, "started"), "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), "start_time": identity_start_time()}, file)

    from plugin_runner.supervisor import supervise

    sys.path.insert(0, _FOLDER)  # what the job's process takes away as the folder that it was started in
    supervise(directory, spec)


def _start_with(variables: dict[str, str], directory: str, spec: dict[str, Any]) -> None:
    """Replaces this process by one that has variables from its start, since the interpreter reads them there."""
    _write_spec(directory, spec)
    library = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    given = [os.path.join(_FOLDER, each) for each in variables.get("PYTHONPATH", "").split(os.pathsep) if each]
    # Modules of the plugin must not stand before those that the process needs: Ray has put its folder here, too.
    own = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in ("", _FOLDER)]
    path = [library, *given, *own]
    os.chdir(directory)
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(path)}
    os.execve(sys.executable, [sys.executable, "-m", "plugin_runner.job", directory], environment)


def _become_node(directory: str, spec: dict[str, Any], events: str) -> None:
    """Replaces this process by the supervisor of JavaScript jobs."""
    from plugin_runner.ray_node import find_node

    try:
        node = find_node(os.path.dirname(directory), lambda said: _say(events, said))
    except OSError as error:
        _append(events, {"type": "error", "error": {"reason": "PLUGIN_INVALID", "message": str(error)}})
        _append(events, {"type": "exit", "code": 127, "signal": None, "timed_out": False, "stderr_tail": ""})
        sys.exit(0)
    _write_spec(directory, spec)
    runtime = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_node", "src", "runtime")
    program = next(path for path in (f"{runtime}/job.js", f"{runtime}/job.ts") if os.path.exists(path))
    os.execv(node, [node, program, directory])


def _end_streams_later(events: str) -> None:
    """Has empty lines added to the events file for a while after this process, whatever becomes of it, is gone.

    Ray's dashboard serves some 100 log requests at a time, and counts a stream until it fails to write to it: of a file
    that does not grow any more, it never learns that the reader has left.
    """
    lifeline, held = os.pipe()
    child = os.fork()
    if child != 0:
        os.close(lifeline)
        os.set_inheritable(held, True)  # also by the supervisor that this process may become
        os.waitpid(child, 0)
        return
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.close(held)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    os.read(lifeline, 1)
    for pause in (0.5, 1, 2, 4, 8):
        sleep(pause)
        try:
            end = os.open(events, os.O_WRONLY | os.O_APPEND)
        except FileNotFoundError:  # the job was deleted
            break
        os.write(end, b"\n")
        os.close(end)
    os._exit(0)


def _say(events: str, message: str) -> None:
    _append(events, {"type": "log", "source": "SERVICE", "level": "INFO", "message": message, "fields": {}})


def _append(events: str, record: dict[str, Any]) -> None:
    with open(events, "ab") as file:
        file.write(dumps({"time": round(time(), 6), **record}).encode() + b"\n")


def _write_spec(directory: str, spec: dict[str, Any]) -> None:
    with open(os.open(os.path.join(directory, "spec.json"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
        json.dump(spec, file)


def _spec(job_id: str) -> dict[str, Any]:
    """The spec travels as a package, so that it does not show in Ray's pages as an argument or variable would."""
    path = _on_path(f"plugin_runner_job_{job_id}.json")
    if path is None:
        raise SystemExit(f"The spec of job {job_id} is in none of the job's packages.")
    with open(path, encoding="utf-8") as file:
        spec: dict[str, Any] = decode(file.read())
    try:
        os.unlink(path)
    except OSError:  # it belongs to somebody else; Ray removes it some time after the job
        pass
    return spec


def _on_path(name: str) -> str | None:
    candidates = (os.path.join(folder, name) for folder in sys.path)
    return next((path for path in candidates if os.path.exists(path)), None)


def _log_folder() -> str:
    """The folder that the dashboard serves logs from: the driver's own output stands there."""
    output = os.path.realpath("/proc/self/fd/1")
    return os.path.dirname(output) if os.path.basename(output).startswith("job-driver-") else _FALLBACK_LOGS


if __name__ == "__main__":
    main()
