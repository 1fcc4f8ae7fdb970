"""What an action knows of its run, and what it can say about it."""

from __future__ import annotations

import os
from _collections_abc import Mapping

from plugin_runner.cancellation import Cancellation, Cancelled
from plugin_runner.encode import shown_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from typing import Any

    from plugin_runner.environment import Environment
    from plugin_runner.sink import Sink


class Context:
    """Given to every action. Thread-safe.

    In a job, progress, metrics, log and artifacts become events that watchers see at once. In a plain run they are
    checked and then dropped, except that lines of the log go to stderr.
    """

    __slots__ = (
        "_action",
        "_artifacts_dir",
        "_cancellation",
        "_category",
        "_env",
        "_has_work_dir",
        "_logger",
        "_sink",
        "_variables",
        "_work_dir",
        "job_id",
    )

    def __init__(
        self,
        sink: Sink,
        cancellation: Cancellation | None = None,
        variables: dict[str, str] | None = None,
        job_id: str = "",
        work_dir: str = "",
        artifacts_dir: str = "",
        action: str = "",
        category: str = "",
    ) -> None:
        self._sink = sink
        self._cancellation = cancellation or Cancellation()
        self._variables = variables or {}
        self._work_dir = work_dir
        self._has_work_dir = False
        self._artifacts_dir = artifacts_dir
        self._action = action
        self._category = category
        self._env: Environment | None = None
        self._logger: logging.Logger | None = None
        self.job_id = job_id
        """The id of the job, or what the request gave for tracking. May be empty."""

    @property
    def work_dir(self) -> str:
        """The absolute path of this run's own directory. Empty at first, and removed when the run ends.

        What is to stay is made known with `artifact`.
        """
        if not self._work_dir:
            from tempfile import mkdtemp

            self._work_dir = mkdtemp(prefix="plugin-runner-")
        os.makedirs(self._work_dir, 0o700, exist_ok=True)
        self._has_work_dir = True
        return self._work_dir

    @property
    def env(self) -> Environment:
        """The environment variables of the plugin's configuration, with those of the request over them."""
        if self._env is None:
            from plugin_runner.environment import Environment

            self._env = Environment(self._variables)
        return self._env

    @property
    def cancelled(self) -> bool:
        """Whether the action was told to stop. It is ended by force a few seconds later.

        An action that does not look is interrupted after half of that time, as by ^C.
        """
        requested = self._cancellation.requested
        if requested:
            self._cancellation.seen = True
        return requested

    def raise_if_cancelled(self) -> None:
        """Raises `Cancelled` when the action was told to stop."""
        if self.cancelled:
            raise Cancelled("The action was cancelled.")

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """For another process, which logs and reports as this one does. It does not hear of a cancel."""
        told = Cancellation()
        told.requested = self._cancellation.requested
        return None, {**{name: getattr(self, name) for name in self.__slots__}, "_logger": None, "_cancellation": told}

    def set_progress(
        self,
        current: float,
        total: float,
        step: str | None = None,
        *,
        message: str = "",
        category: str | None = None,
    ) -> None:
        """Says how far the work is: `current` of `total`, in the author's unit.

        Cheap enough for every turn of a loop: of values that come in quick succession the newest is kept.

        Args:
            step: Which part of the work. Default: the whole.
            message: What is being done, for people.
            category: An older name of `step`.

        Raises:
            ValueError: `total` is not above 0, or `current` not within 0 and `total`.
        """
        current, total = _number("current", current), _number("total", total)
        if not 0 < total < float("inf"):
            raise ValueError(f"total must be a number above 0, got {total}")
        if not 0 <= current <= total:
            raise ValueError(f"current must be within 0 and {total}, got {current}")
        self._sink.progress(_text(category if step is None else step), current, total, _text(message))

    def set_metrics(self, value: dict[str, Any], step: str = "") -> None:
        """Reports measurements. Raises TypeError when `value` is no dict."""
        self._sink.metrics(_text(step), _fields("metrics", value))

    def log_metric(self, category: str, key: str, value: float, **metrics: float) -> None:
        """Reports `value` as the measurement `key` of the step `category`, and `metrics` with it."""
        self._sink.metrics(_text(category), {key: value, **metrics})

    def log(self, event: str, data: dict[str, Any] | None = None, file: str | None = None) -> None:
        """Logs an event with data, and the path of a file that belongs to it."""
        fields = {} if data is None else _fields("data", data)
        if file is not None:
            fields["file"] = file
        self._sink.log("INFO", _text(event), fields)

    def log_message(self, message: str, level: str = "info", **fields: Any) -> None:
        """Logs a message for people, at a level such as "debug", "info", "warning" or "error"."""
        self._sink.log(level, _text(message), fields)

    @property
    def logger(self) -> logging.Logger:
        """A standard logger of this run alone."""
        if self._logger is None:
            from plugin_runner.log_handler import context_logger

            self._logger = context_logger(self._sink)
        return self._logger

    def artifact(
        self,
        path: str | os.PathLike[str],
        name: str | None = None,
        media_type: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """Makes a file known: keeps a copy of what is in it now, and returns the copy's URI.

        The copy of a job stays as long as the job's record, that of a run as long as the service says: a day by
        default.

        Args:
            path: The file, relative to `work_dir` or absolute.
            name: What to call it. Default: the file's name.
            media_type: For example `text/csv`. Default: by the file's name.
            metadata: Anything that belongs to it.

        Raises:
            FileNotFoundError: There is no such file.
            IsADirectoryError: It is a folder.
        """
        from plugin_runner.artifact import make_known

        known = {} if metadata is None else _fields("metadata", metadata)
        return make_known(self._sink, self.work_dir, self._artifacts_dir, os.fsdecode(path), name, media_type, known)


def _text(text: object) -> str:
    if type(text) is str:
        return text
    return "" if text is None else shown_text(text)


def _fields(name: str, value: Any) -> dict[str, Any]:
    """A dict of its own: what the caller changes later is not told."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict, got {type(value).__name__}")
    return dict(value)


def _number(name: str, value: Any) -> float:
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (str, bytes)) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}")
    return float(value)
