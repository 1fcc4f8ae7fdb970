"""Options by other names: what they mean here, or what to use instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin_runner.client.failures import invalid_request

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypedDict

    from plugin_runner.client.arguments import Text

    class OtherNames(TypedDict, total=False):
        """Other names of the options of a run."""

        plugin_code: Text


# Options of `run_plugin` in synapse-sdk, and others that are tried.
_INSTEAD = {
    "num_gpus": "resources={'gpus': …}",
    "num_cpus": "resources={'cpus': …}",
    "memory": "resources={'memory_mib': …}",
    "gpus": "resources={'gpus': …}",
    "cpus": "resources={'cpus': …}",
    "runtime_env": "env for variables, and requirements.txt or package.json in the plugin's directory for packages",
    "requirements": "requirements.txt in the plugin's directory",
    "requirements_file": "requirements.txt in the plugin's directory",
    "pip": "requirements.txt in the plugin's directory",
    "working_dir": "plugin, which may be the path of the plugin's directory",
    "plugin_path": "plugin, which may be the path of the plugin's directory",
    "ray_address": "address, which is the service's; the service itself is started with --ray",
    "dashboard_url": "address, which is the service's; the service itself is started with --ray",
    "language": "nothing: the service sees the language in the plugin's files",
    "include_sdk": "nothing: the service brings the library that plugins need",
    "action_class": "action_cls",
    "env_vars": "env",
    "envs": "env",
    "execution_mode": "mode",
    "executor": "mode",
}


def plugin_of(plugin: Text | None, others: dict[str, Any], known: Iterable[str] = ()) -> Text:
    """
    The plugin, by whichever of its names. Takes it out of the other options, and refuses those that are not known.
    """
    for name in ("plugin_code", "plugin"):
        given = others.pop(name, None)
        if given is not None and plugin is not None:
            raise invalid_request("/plugin", f"is given twice, also as {name}")
        plugin = given if plugin is None else plugin
    for name in others:
        if name not in known:
            raise _unknown(name, known)
    if plugin is None:
        raise invalid_request("/plugin", "is missing")
    return plugin


def _unknown(name: str, known: Iterable[str]) -> Exception:
    if name in _INSTEAD:
        return invalid_request(f"/{name}", f"is not an option; use {_INSTEAD[name]}")
    there_are = f"; there are {', '.join(known)}" if known else ""
    return invalid_request(f"/{name}", f"is not an option{there_are}")
