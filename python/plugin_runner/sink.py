"""Where a context's progress, metrics, logs and artifacts go."""

from __future__ import annotations

import sys

from plugin_runner.encode import shown_text
from plugin_runner.log_level import level_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Sink(Protocol):
        """Takes validated records. Every method may be called from any thread, and fails for no value."""

        keeps_artifacts: bool

        def progress(self, step: str, current: float, total: float, message: str) -> None: ...
        def metrics(self, step: str, values: dict[str, Any]) -> None: ...
        def log(self, level: str, message: str, fields: dict[str, Any]) -> None: ...
        def artifact(self, artifact: dict[str, Any]) -> None: ...


class PlainRunSink:
    """A run keeps no events: lines of the log go to stderr, everything else nowhere."""

    keeps_artifacts = False

    def progress(self, step: str, current: float, total: float, message: str) -> None:
        pass

    def metrics(self, step: str, values: dict[str, Any]) -> None:
        pass

    def log(self, level: str, message: str, fields: dict[str, Any]) -> None:
        more = "".join(f" {shown_text(key)}={shown_text(value)}" for key, value in fields.items())
        try:
            print(f"{shown_text(level_name(level))} {shown_text(message)}{more}", file=sys.stderr)
        except (OSError, ValueError, AttributeError):  # the plugin closed or replaced it
            pass

    def artifact(self, artifact: dict[str, Any]) -> None:
        pass
