"""Runs actions that were written for the package `synapse-sdk`, with its own context, unchanged.

Imported only when the plugin imported that SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


class _EventLogger(BaseLogger):  # type: ignore[misc]
    def __init__(self, ctx: Context) -> None:
        super().__init__()
        self._ctx = ctx

    def set_progress(self, current: float, total: float, step: str | None = None) -> None:
        super().set_progress(current, total, step)
        self._ctx.set_progress(current, total, step if step is not None else self._current_step)

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        self._ctx.set_metrics(metrics, step)

    def _log_impl(
        self, event: str, data: dict[str, Any], file: str | None, step: str | None, level: Any = None
    ) -> None:
        fields = dict(data)
        message = str(fields.pop("content", "")) if event in ("message", "debug") else event
        more = {"file": file, "step": step}
        fields.update((key, value) for key, value in more.items() if value is not None)
        level = str(getattr(level, "value", level) or "info")
        # Not as keywords: the data may have a key called `message` or `level`.
        self._ctx._sink.log(level.upper(), message, fields)

    def log_event(self, event: str, data: dict[str, Any], file: str | None = None) -> None:
        self._log_impl(event, data, file, self._current_step)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        self._ctx.set_metrics({key: value, **metrics}, category)

    def log_visualization(self, category: str, group: str, index: int, image: str, **meta: Any) -> None:
        self.log_event("visualization", {"category": category, "group": group, "index": index, **meta}, image)

    def log_trials(self, data: dict[str, Any] | None = None, **parts: Any) -> None:
        self.log_event("trials", data if data is not None else parts)

    def log_message(self, message: str, level: Any = None, *, context: Any = None) -> None:
        self._log_impl("message", {"content": message}, None, self._current_step, level or context)
