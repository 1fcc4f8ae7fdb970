"""Write actions of plugins, in Python, for the plugin-runner service.

Standard library only: it is importable inside every worker, beside any dependency of a plugin.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugin_runner.authoring import BaseAction, action
    from plugin_runner.cancellation import Cancelled
    from plugin_runner.context import Context

__all__ = ["BaseAction", "Cancelled", "Context", "action"]

_HOMES = {
    "BaseAction": "plugin_runner.authoring",
    "Cancelled": "plugin_runner.cancellation",
    "Context": "plugin_runner.context",
    "action": "plugin_runner.authoring",
}


# A worker imports this package before it has anything to do: what authors use is loaded when it is first named.
def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'plugin_runner' has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
