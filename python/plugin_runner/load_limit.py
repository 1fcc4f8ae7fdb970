"""What is said of a plugin's code that does not get loaded in time."""

from __future__ import annotations

import os

from plugin_runner.errors import RunnerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def loading_within(binding: dict[str, Any], entrypoint: str, seconds: float) -> dict[str, Any]:
    """The word by which a process has itself ended that does not get `entrypoint` loaded in time; empty for all."""
    error = _not_loaded(binding, entrypoint, seconds).record()
    return {"type": "within", "seconds": seconds, "loads": entrypoint, "error": error}


def checking_within(binding: dict[str, Any], entrypoint: str, seconds: float) -> dict[str, Any]:
    """The same for code that is loaded, while it checks params."""
    return {"type": "within", "seconds": seconds, "error": _not_checked(binding, entrypoint, seconds).record()}


def _not_loaded(binding: dict[str, Any], entrypoint: str, seconds: float) -> RunnerError:
    file = _file(binding, entrypoint)
    message = (
        f"The code of {binding['code']}{f' ({file})' if file else ''} is not loaded after {seconds:g} s. "
        "What a module does when it is imported has to end: move the rest into an action, "
        "or give serve a longer --load-timeout."
    )
    return RunnerError("PLUGIN_INVALID", message, _metadata(binding, file, seconds))


def _not_checked(binding: dict[str, Any], entrypoint: str, seconds: float) -> RunnerError:
    file = _file(binding, entrypoint)
    message = (
        f"The code of {binding['code']}{f' ({file})' if file else ''} has not checked the params after {seconds:g} s. "
        "Let it do so sooner, or give serve a longer --load-timeout."
    )
    return RunnerError("PLUGIN_INVALID", message, _metadata(binding, file, seconds))


def _metadata(binding: dict[str, Any], file: str, seconds: float) -> dict[str, str]:
    place = {"file": file} if file else {}
    return {"plugin": binding["code"], **place, "timeout_seconds": f"{seconds:g}", "option": "--load-timeout"}


def _file(binding: dict[str, Any], entrypoint: str) -> str:
    """Relative to the plugin's root; empty for what is not there."""
    module = entrypoint.rpartition(":" if ":" in entrypoint else ".")[0] or binding["module"]
    stem = module.replace(".", os.sep)
    names = (os.path.join(stem, "__init__.py"), f"{stem}.py")
    root = binding["root"]
    return next((name for name in names if module and root and os.path.isfile(os.path.join(root, name))), "")
