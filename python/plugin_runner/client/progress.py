"""Shows a job while it runs. Needs tqdm: the extra `progress`."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm
    from typing_extensions import Self

    from plugin_runner.client.job_handle import JobHandle
    from pluginrunner.v1.job_event_pb2 import JobEvent


def show_progress(job: JobHandle, *, logs: bool = True, **options: Any) -> Any:
    """
    Waits for a job's end, with a bar for each of its steps: its result, or the error that ended it.

    logs: whether its log stands above the bars.
    options: those of every bar, for example `file`.
    """
    with ProgressBars(logs=logs, **options) as bars:
        for event in job.events():
            bars.show(event)
    return job.result()


class ProgressBars:
    """A bar for each step of a job, for events of any origin: `show` each of them, in a `with`."""

    def __init__(self, *, logs: bool = True, **options: Any) -> None:
        """The options are those of `show_progress`. Raises ModuleNotFoundError where there is no tqdm."""
        if find_spec("tqdm") is None:
            raise ModuleNotFoundError("Progress bars need tqdm: pip install tqdm.", name="tqdm")
        self._logs = logs
        self._options = options
        self._bars: dict[str, tqdm[Any]] = {}

    def show(self, event: JobEvent) -> None:
        """Shows what an event says."""
        if event.HasField("progress"):
            progress = event.progress
            bar = self._bar(progress.step)
            bar.total = _plain(progress.total)
            bar.set_postfix_str(progress.message, refresh=False)
            bar.n = _plain(progress.current)
            bar.refresh()
        elif event.HasField("log") and self._logs:
            from tqdm import tqdm

            tqdm.write(event.log.message, file=self._options.get("file", sys.stderr))

    def close(self) -> None:
        """Leaves the bars as they are."""
        for bar in self._bars.values():
            bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _bar(self, step: str) -> tqdm[Any]:
        if step not in self._bars:
            from tqdm.auto import tqdm

            options = {"desc": step or None, "total": 1, "position": len(self._bars), **self._options}
            self._bars[step] = tqdm(**options)
        return self._bars[step]


def _plain(number: float) -> float:
    """Without a fraction where there is none: `3/4`, not `3.0/4.0`."""
    return int(number) if number.is_integer() else number
