"""Runs an action by one function, through a connection that stays for the next call."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from plugin_runner.client.client import Client
from plugin_runner.client.options import plugin_of
from plugin_runner.client.target import find_target

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum
    from typing import TypedDict

    from typing_extensions import Unpack

    from plugin_runner.client.arguments import Seconds, Text
    from plugin_runner.client.requests import ActionClass, Environment, Mode
    from plugin_runner.client.target import Target
    from plugin_runner.client.tls import Tls
    from pluginrunner.v1.plugin_pb2 import Resources

    class ExecutorOptions(TypedDict, total=False):
        """The further options of `run_plugin`: those of `Client` and of `Client.run_plugin`."""

        plugin: Text
        address: str | None
        token: str | None
        tls: bool | Tls | None
        entrypoint: str | None
        action_cls: ActionClass | None
        env: Environment | None
        job_id: Text | None
        timeout: Seconds | None
        resources: Resources | Mapping[str, Any] | None
        request_id: Text | None


_CONNECTION_OPTIONS = ("address", "token", "tls")
_RUN_OPTIONS = ("entrypoint", "action_cls", "env", "job_id", "timeout", "resources", "request_id")

_lock = threading.Lock()
_clients: dict[tuple[int, Target], Client] = {}


def run_plugin(
    plugin_code: Text | None = None,
    action: Text = "",
    params: object = None,
    *,
    mode: Mode | Enum = "local",
    **executor_kwargs: Unpack[ExecutorOptions],
) -> Any:
    """
    Runs one action of a plugin through the service: its result, or in mode `job` the job's id at once.

    plugin_code: the plugin's code, the path of its directory or of its `config.yaml`, or a module path; `plugin` is
    another name for it.
    action: the action's name.
    params: validated against the action's schema.
    mode: `local` in the service's own process, `task` on a warm worker, or `job`.

    Further options: `action_cls` or `entrypoint` (the code, without discovery), `env`, `job_id`, `timeout`,
    `resources`, `request_id`, and where the service is: `address`, `token`, `tls`, each as `Client` has it.

    Raises ActionNotFoundError, ValidationError or ExecutionError.
    """
    given: dict[str, Any] = dict(executor_kwargs)
    plugin = plugin_of(plugin_code, given, ("mode", *_CONNECTION_OPTIONS, *_RUN_OPTIONS))
    connection = {name: given.pop(name, None) for name in _CONNECTION_OPTIONS}
    return _connected(**connection).run_plugin(plugin, action, params, mode=mode, **given)


def _connected(address: str | None, token: str | None, tls: bool | Tls | None) -> Client:
    """One client for each service, and for each process: a connection does not survive a fork."""
    target = find_target(address, token, tls)
    key = (os.getpid(), target)
    with _lock:
        if key not in _clients:
            _clients[key] = Client(address, token=token, tls=tls)
        return _clients[key]
