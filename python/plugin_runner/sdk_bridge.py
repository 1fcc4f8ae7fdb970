"""Runs actions that were written for the package `synapse-sdk`, with its own context, unchanged.

Imported only when the plugin imported that SDK.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import synapse_sdk.plugins.context as sdk_context
from synapse_sdk.loggers import BaseLogger

from plugin_runner.pydantic_shape import PydanticShape
from plugin_runner.shape import Shape

if TYPE_CHECKING:
    from plugin_runner.context import Context


def runtime_context(ctx: Context) -> Any:
    """The SDK's RuntimeContext over ours: what is said to it becomes events of the job."""
    clients = _clients()
    return sdk_context.RuntimeContext(
        logger=_EventLogger(ctx),
        env=sdk_context.PluginEnvironment(ctx.env.to_dict()),
        job_id=ctx.job_id or None,
        **clients,
    )


def params_shape(model: Any) -> Shape:
    """The shape of an SDK action's params; its models expect a client in the context of the validation."""
    if model is None:
        return Shape()
    return PydanticShape(model, context=lambda: {"client": _clients().get("client")})


def _clients() -> dict[str, Any]:
    """The SDK's clients, where the environment says how to make them."""
    try:
        from synapse_sdk.utils.auth import build_runtime_clients
    except ImportError:  # a version of the SDK without it
        return {}
    clients = build_runtime_clients()
    return {name: getattr(clients, name, None) for name in ("client", "v2_client")}


_named: WeakSet[type] = WeakSet()


def name_class(kind: type, ctx: Context) -> None:
    """Tells an action class what it is called, as the SDK does where the class says nothing itself."""
    for attribute, value in (("action_name", ctx._action), ("category", ctx._category)):
        if value and (kind in _named or not getattr(kind, attribute, None)):
            setattr(kind, attribute, value)
            _named.add(kind)


class _EventLogger(BaseLogger):  # type: ignore[misc]
    """What the SDK's context says, as events of the run. It is also how such an action hears of a cancel."""

    def __init__(self, ctx: Context) -> None:
        super().__init__()
        self._ctx = ctx
        self._last: dict[str, tuple[float, float]] = {}
        self._told = False

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        self._end_if_cancelled()
        super().set_progress(current, total, step)
        name = step if step is not None else self._current_step
        self._last[name or ""] = (current, total)
        self._ctx.set_progress(current, total, name)

    def set_progress_failed(self, step: str | None = None) -> None:
        super().set_progress_failed(step)
        name = step if step is not None else self._current_step
        current, total = self._last.get(name or "", (0, 1))
        self._ctx.set_progress(current, total, name, message="failed")
        self._ctx.log_message(f"The step {name} failed." if name else "The work failed.", "error")

    def set_metrics(self, value: dict[str, Any], step: str | None = None) -> None:
        self._end_if_cancelled()
        super().set_metrics(value, step)
        self._ctx.set_metrics(dict(value), step if step is not None else self._current_step or "")

    def _log_impl(
        self, event: str, data: dict[str, Any], file: str | None, step: str | None, level: Any = None
    ) -> None:
        self._end_if_cancelled()
        fields = dict(data)
        message = str(fields.pop("content", "")) if event in ("message", "debug") else event
        more = {"file": file, "step": step}
        fields.update((key, value) for key, value in more.items() if value is not None)
        level = str(getattr(level, "value", level) or "info")
        # Not as keywords: the data may have a key called `message` or `level`.
        self._ctx._sink.log(level.upper(), message, fields)
        if file is not None:
            self._keep(file, {"event": event, **data})

    def _keep(self, file: str, metadata: dict[str, Any]) -> None:
        """Makes a file of a job known as an artifact; what is no file, such as a URL, is in the log alone."""
        if self._ctx._sink.keeps_artifacts and os.path.isfile(file):
            self._ctx.artifact(os.path.abspath(file), metadata=metadata)

    def _end_if_cancelled(self) -> None:
        """Once: what the action says while it cleans up is heard."""
        if self._ctx.cancelled and not self._told:
            self._told = True
            self._ctx.raise_if_cancelled()

    def log_event(self, event: str, data: dict[str, Any], file: str | None = None) -> None:
        self._log_impl(event, data, file, self._current_step)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        self._end_if_cancelled()
        self._ctx.set_metrics({key: value, **metrics}, category)

    def log_visualization(self, category: str, group: str, index: int, image: str, **meta: Any) -> None:
        self.log_event("visualization", {"category": category, "group": group, "index": index, **meta}, image)

    def log_trials(self, data: dict[str, Any] | None = None, **parts: Any) -> None:
        self.log_event("trials", data if data is not None else parts)

    def log_message(self, message: str, level: Any = None, *, context: Any = None) -> None:
        self._log_impl("message", {"content": message}, None, self._current_step, level or context)
