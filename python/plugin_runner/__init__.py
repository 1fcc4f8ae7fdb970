"""Run actions of plugins through the plugin-runner service, and write them.

What authors use is standard library only: it is importable inside every worker, beside any dependency of a plugin. What
callers use is `plugin_runner.client`, which needs grpcio; its main names are here as well.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugin_runner.authoring import BaseAction, action
    from plugin_runner.cancellation import Cancelled
    from plugin_runner.client import (
        ActionNotFoundError,
        AsyncClient,
        Client,
        ExecutionError,
        RunnerError,
        Tls,
        ValidationError,
        private_server,
        run_plugin,
        show_progress,
    )
    from plugin_runner.context import Context

__version__ = "0.1.0"

__all__ = [
    "ActionNotFoundError",
    "AsyncClient",
    "BaseAction",
    "Cancelled",
    "Client",
    "Context",
    "ExecutionError",
    "RunnerError",
    "Tls",
    "ValidationError",
    "__version__",
    "action",
    "private_server",
    "run_plugin",
    "show_progress",
]

_HOMES = {
    "ActionNotFoundError": "plugin_runner.client",
    "AsyncClient": "plugin_runner.client",
    "BaseAction": "plugin_runner.authoring",
    "Cancelled": "plugin_runner.cancellation",
    "Client": "plugin_runner.client",
    "Context": "plugin_runner.context",
    "ExecutionError": "plugin_runner.client",
    "RunnerError": "plugin_runner.client",
    "Tls": "plugin_runner.client",
    "ValidationError": "plugin_runner.client",
    "action": "plugin_runner.authoring",
    "private_server": "plugin_runner.client",
    "run_plugin": "plugin_runner.client",
    "show_progress": "plugin_runner.client",
}


# In a process of the service, which names a place for compiled code; before anything else of this package is compiled.
if sys.pycache_prefix:
    from plugin_runner.whole_bytecode import write_whole_bytecode

    write_whole_bytecode()


# A worker imports this package before it has anything to do: what authors use is loaded when it is first named.
def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'plugin_runner' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
