"""The version of docs/protocol.md that this library speaks, and what is said of a side that speaks another."""

from __future__ import annotations

from plugin_runner.errors import RunnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROTOCOL = 1


def check_worker(ready: dict[str, Any]) -> None:
    """Raises PLUGIN_INVALID when a worker's first word is that of another version."""
    if ready.get("protocol") != PROTOCOL:
        raise _other("worker", ready.get("protocol"), PROTOCOL, str(ready.get("runtime")))


def check_job(spec: dict[str, Any], runtime: str) -> None:
    """Raises PLUGIN_INVALID when a job's description is of another version than this library, which is to carry it."""
    if spec.get("protocol") != PROTOCOL:
        raise _other("job's process", PROTOCOL, spec.get("protocol"), runtime)


def _other(who: str, theirs: Any, ours: Any, runtime: str) -> RunnerError:
    message = (
        f"The {who} ({runtime}) speaks version {theirs} of the protocol, and the service {ours}: another version of "
        "plugin-runner is installed where the plugin's code runs. Remove it there, or install the service's version."
    )
    metadata = {"worker_protocol": str(theirs), "service_protocol": str(ours), "runtime": runtime}
    return RunnerError("PLUGIN_INVALID", message, metadata)
