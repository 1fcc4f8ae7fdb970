"""Where a context's progress, metrics, logs and artifacts go."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Sink(Protocol):
        """Takes validated records. Every method may be called from any thread."""

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
        more = "".join(f" {key}={value}" for key, value in fields.items())
        print(f"{level} {message}{more}", file=sys.stderr)

    def artifact(self, artifact: dict[str, Any]) -> None:
        pass
