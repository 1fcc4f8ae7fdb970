"""What a terminal shows of a job."""

from __future__ import annotations

from io import StringIO

from fake_service import FakeService, result, running

from plugin_runner.client import Client, show_progress
from pluginrunner.v1.job_event_pb2 import JobEvent, JobEvents, JobLog
from pluginrunner.v1.job_pb2 import Job, JobProgress, JobState
from pluginrunner.v1.plugin_runner_pb2 import GetJobResponse, WatchJobResponse


def test_each_step_has_a_bar_and_the_log_stands_above() -> None:
    events = [
        JobEvent(sequence=1, progress=JobProgress(step="train", current=1, total=4, message="first")),
        JobEvent(sequence=2, log=JobLog(message="a line of the log")),
        JobEvent(sequence=3, progress=JobProgress(step="export", current=1, total=1)),
        JobEvent(sequence=4, progress=JobProgress(step="train", current=4, total=4)),
    ]
    last = result(5, "done")
    ended = Job(job_id="j", state=JobState.JOB_STATE_SUCCEEDED, result=last.events.events[0].result.value)
    messages = [running(), WatchJobResponse(events=JobEvents(events=events)), last]
    service = FakeService(
        WatchJob=[lambda _request, _context: iter(messages)],
        GetJob=[lambda _request, _context: GetJobResponse(job=ended)],
    )
    terminal = StringIO()
    with service.listen() as address, Client(address) as client:
        assert show_progress(client.job("j"), file=terminal, ncols=60) == "done"
    shown = terminal.getvalue()
    for text in ("train:  25%", "1/4", "first", "a line of the log\n", "export: 100%", "train: 100%"):
        assert text in shown
