from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import pytest

from plugin_runner.process_tree import kill_scope
from processes import PLUGINS, SECONDS, Job, WorkerClient, messages, of

StartJob = Callable[..., Job]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state != b"Z"


def test_all_that_an_action_says_becomes_records(start_job: StartJob) -> None:
    records = start_job("basic", "basic:report", {"loops": 3}).wait()
    assert records[0]["type"] == "started"
    assert records[-1] | {"time": 0} == {
        "time": 0,
        "type": "exit",
        "code": 0,
        "signal": None,
        "timed_out": False,
        "stopped_by": None,
        "stderr_tail": "to stderr\n",
    }
    assert messages(records, "STDOUT") == ["to stdout"]
    assert messages(records, "STDERR") == ["to stderr"]
    last = of(records, "progress")[-1]
    assert (last["step"], last["current"], last["total"], last["message"]) == (
        "loop",
        3,
        3,
        "turning",
    )
    assert [(each["step"], each["values"]) for each in of(records, "metrics")] == [
        ("epoch 1", {"loss": "NaN", "nested": {"accuracy": 0.5}}),
        ("validation", {"loss": 0.25, "accuracy": 1.0}),
    ]
    logged = [each for each in of(records, "log") if each["source"] == "LOGGER"]
    assert [(each["level"], each["message"], each["fields"]) for each in logged] == [
        ("INFO", "checkpoint", {"epoch": 1, "file": "model.bin"}),
        ("WARNING", "Halfway.", {"left": 3}),
        ("INFO", "7 images", {"folder": "a"}),
    ]
    assert of(records, "result")[0]["value"] == "reported"
    assert all(isinstance(each["time"], float) for each in records)


def test_a_job_has_its_surroundings(start_job: StartJob) -> None:
    job = start_job(
        "basic",
        "basic:surroundings",
        {"variable": "A"},
        env={"A": "job"},
        scope="the-scope",
    )
    value = of(job.wait(), "result")[0]["value"]
    assert value == {
        "environ": "job",
        "env": "job",
        "job_id": "job-1",
        "work_dir": str(job.folder / "work"),
        "cwd": str(PLUGINS / "basic"),
        "stdin": "",
        "scope": "the-scope",
    }


def test_an_artifact_has_size_and_digest(start_job: StartJob) -> None:
    job = start_job("basic", "basic:keep_file", {"path": "model.csv"})
    artifact = of(job.wait(), "artifact")[0]
    assert artifact | {"time": 0} == {
        "time": 0,
        "type": "artifact",
        "name": "model.csv",
        "uri": (job.folder / "artifacts/model.csv").as_uri(),
        "media_type": "text/csv",
        "size_bytes": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "metadata": {"kind": "test"},
    }


def test_an_artifact_from_elsewhere_is_copied(start_job: StartJob, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.txt").write_text("abc")
    job = start_job("basic", "basic:keep_file", {"path": str(tmp_path / "elsewhere.txt")})
    uri = of(job.wait(), "artifact")[0]["uri"]
    assert uri == (job.folder / "artifacts/elsewhere.txt").as_uri()
    assert (job.folder / "artifacts/elsewhere.txt").read_text() == "abc"


def test_artifacts_of_one_file_do_not_overwrite_each_other(start_job: StartJob) -> None:
    records = start_job("lasting", "lasting:artifacts", {"contents": ["a", "b"]}).wait()
    said = [Path(unquote(each["uri"][len("file://") :])) for each in of(records, "artifact")]
    assert [file.read_text() for file in said] == ["a", "b"]
    assert not os.path.exists(of(records, "result")[0]["value"]["work_dir"])


@pytest.mark.parametrize(("how", "code"), [("return", 0), ("raise", 1), ("exit", 3)])
def test_only_the_jobs_own_process_says_how_it_ended(start_job: StartJob, tmp_path: Path, how: str, code: int) -> None:
    records = start_job("lasting", "lasting:fork", {"how": how, "mark": str(tmp_path / "mark")}).wait()
    assert [each["value"] for each in of(records, "result")] == [[code, True]]
    assert of(records, "error") == []
    said = "\n".join(each["message"] for each in of(records, "log"))
    assert "job_child.py" not in said, "what the forked process raises is shown without the library's frames"
    assert ("Traceback" in said and "in fork" in said) == (how == "raise")


def test_a_process_of_a_job_can_be_told_to_end(start_job: StartJob) -> None:
    assert of(start_job("lasting", "lasting:terminate").wait(), "result")[0]["value"] == -signal.SIGTERM


@pytest.mark.parametrize("entrypoint", ["lasting:wait", "lasting:wait_async", "lasting:save_slowly"])
@pytest.mark.parametrize("cause", ["cancel", "timeout"])
def test_an_action_that_is_ended_cleans_up(start_job: StartJob, tmp_path: Path, entrypoint: str, cause: str) -> None:
    mark = tmp_path / "mark"
    # Long enough that a busy machine does not end the action while it cleans up.
    limits = {"grace_seconds": 2, "env": {"GRACE": "2"}}
    start = partial(start_job, "lasting", entrypoint, {"mark": str(mark)}, **limits)
    if cause == "cancel":
        job = start()
        job.wait_for("log", message="waiting")
        job.stop()
        records = job.wait()
    else:
        records = out_of_time(start, "waiting")
    assert [each["error"]["reason"] for each in of(records, "error")] == ["CANCELLED"]
    assert (records[-1]["code"], records[-1]["timed_out"]) == (1, cause == "timeout")
    assert records[-1]["stopped_by"] == (None if cause == "timeout" else "SERVICE")
    assert mark.read_text() == "cleaned up"


@linux_only
def test_a_cancel_reaches_the_programs_of_a_job_and_not_what_it_forked(start_job: StartJob) -> None:
    job = start_job("lasting", "lasting:end_with_a_worker", grace_seconds=30)
    job.wait_for("log", message="program")
    job.stop()
    assert of(job.wait(), "result")[0]["value"] == [True, -signal.SIGTERM]


@pytest.mark.parametrize(("fails", "end"), [(False, "result"), (True, "error")])
def test_what_is_printed_from_c_comes_before_the_end(start_job: StartJob, fails: bool, end: str) -> None:
    records = start_job("lasting", "lasting:print_from_c", {"fails": fails}).wait()
    assert messages(records, "STDOUT") == ["from C"]
    kinds = [each["type"] for each in records if each.get("source") != "STDERR"]
    assert kinds == ["started", "log", end, "exit"]


def test_progress_of_a_tight_loop_is_thinned_and_ends_with_the_last(
    start_job: StartJob,
) -> None:
    progress = of(start_job("basic", "basic:report", {"loops": 100_000}).wait(), "progress")
    assert progress[0]["current"] == 1
    assert progress[-1]["current"] == 100_000
    assert len(progress) < 1_000


def test_a_folder_is_carried_once_and_what_the_job_was_given_is_gone(start_job: StartJob) -> None:
    job = start_job("basic", "basic:echo")
    first = job.wait()
    started = json.loads((job.folder / "started").read_text())
    assert started["pid"] == job.process.pid
    assert sys.platform != "linux" or started["start_time"].isdigit()
    assert job.start().wait() == 0
    assert job.records() == first
    assert sorted(os.listdir(job.folder)) == [
        "events.jsonl",
        "started",
    ]


@pytest.mark.parametrize(
    ("plugin", "entrypoint", "params", "reason"),
    [
        ("misbehaving", "bad:fail", {}, "ACTION_FAILED"),
        ("misbehaving", "bad:leave", {}, "ACTION_FAILED"),
        ("misbehaving", "bad:recurse", {}, "ACTION_FAILED"),
        ("misbehaving", "bad:not_json", {"what": "object"}, "RESULT_INVALID"),
        ("misbehaving", "bad:huge", {"size": 100_000}, "RESULT_INVALID"),
        ("basic", "basic:add", {"a": "x"}, "PARAMS_INVALID"),
        ("basic", "basic:nothing", {}, "ACTION_NOT_FOUND"),
        ("broken", "missing:a", {}, "PLUGIN_INVALID"),
    ],
)
def test_a_failure_is_one_error_record(
    start_job: StartJob,
    plugin: str,
    entrypoint: str,
    params: dict[str, object],
    reason: str,
) -> None:
    records = start_job(plugin, entrypoint, params).wait()
    assert [each["error"]["reason"] for each in of(records, "error")] == [reason]
    assert of(records, "result") == []
    assert records[-1]["code"] == 1


@pytest.mark.parametrize(
    ("entrypoint", "code", "number"),
    [("bad:die", 7, None), ("bad:crash", None, "SIGSEGV")],
)
def test_a_crash_leaves_only_the_exit(
    start_job: StartJob, entrypoint: str, code: int | None, number: str | None
) -> None:
    records = start_job("misbehaving", entrypoint).wait()
    assert [each["type"] for each in records] == ["started", "exit"]
    assert (records[-1]["code"], records[-1]["signal"]) == (code, number)


@linux_only
def test_memory_is_limited_and_its_end_reported(start_job: StartJob) -> None:
    records = start_job("misbehaving", "bad:eat_memory", memory_mib=150).wait()
    assert of(records, "error")[0]["error"]["exception_type"] == "MemoryError"


def test_output_beyond_the_limit_is_counted(start_job: StartJob) -> None:
    job = start_job("misbehaving", "bad:flood", {"lines": 1_000_000}, output_limit_bytes=100_000)
    records = job.wait()
    limit, dropped = messages(records, "SERVICE")
    assert limit == "The job's output has reached its limit of 100000 bytes or 80000 events: what follows is left out."
    kept = len(messages(records, "STDOUT"))
    lines = int(dropped.split()[2])
    assert kept > 100
    assert kept + lines == 1_000_000
    assert job.events_file.stat().st_size < 110_000
    assert [each["type"] for each in records[-3:]] == ["result", "log", "exit"]


def test_long_lines_are_cut_and_odd_bytes_replaced(start_job: StartJob) -> None:
    assert messages(start_job("misbehaving", "bad:odd_lines").wait(), "STDOUT") == [
        "y" * 1000 + "… [+49000 bytes]",
        "\ufffd\ufffd",
        "last",
    ]


def test_a_cancelled_action_may_end_in_its_own_way(start_job: StartJob) -> None:
    job = start_job("basic", "basic:wait_for_cancel")
    job.wait_for("log", message="waiting")
    job.stop()
    records = job.wait()
    assert [each["error"]["reason"] for each in of(records, "error")] == ["CANCELLED"]
    assert (records[-1]["code"], records[-1]["timed_out"]) == (1, False)


@pytest.mark.parametrize("reached", ["supervisor", "child", "both"])
def test_a_stop_that_the_service_did_not_ask_for_is_told(start_job: StartJob, reached: str) -> None:
    job = start_job("basic", "basic:return_on_cancel", grace_seconds=30)
    job.wait_for("log", message="waiting")
    if reached != "supervisor":
        os.kill(of(job.records(), "started")[0]["pid"], signal.SIGTERM)
    if reached != "child":
        job.process.send_signal(signal.SIGTERM)
    records = job.wait()
    assert [each["value"] for each in of(records, "result")] == ["so far"]
    assert records[-1]["stopped_by"] == "SIGTERM"


def test_an_action_that_ignores_sigterm_is_killed_after_the_grace(
    start_job: StartJob,
) -> None:
    job = start_job("misbehaving", "bad:ignore_term")
    job.wait_for("log", message="ignoring")
    job.stop()
    assert job.wait()[-1]["signal"] == "SIGKILL"


def test_the_time_limit_ends_an_action(start_job: StartJob) -> None:
    last = out_of_time(partial(start_job, "misbehaving", "bad:ignore_term"), "ignoring")[-1]
    assert (last["signal"], last["timed_out"]) == ("SIGKILL", True)


@linux_only
def test_a_job_whose_events_cannot_be_written_is_ended_in_time_and_says_why_it_leaves_no_word(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "events.jsonl").symlink_to("/dev/full")
    job = Job(tmp_path / "job", "basic", "basic:return_on_cancel", {}, {"timeout_seconds": 1})
    try:
        while (tmp_path / "job" / "spec.json").exists():
            select.select([], [], [], 0.01)
        assert job.process.poll() is None, "it waits for room"
        job.stop()
        assert job.process.wait(SECONDS) == 1
    finally:
        job.close()
    assert "No space left on device" in capfd.readouterr().err


@linux_only
def test_nothing_that_a_job_started_outlives_it(start_job: StartJob) -> None:
    records = start_job("misbehaving", "bad:leave_processes").wait()
    pids = of(records, "result")[0]["value"]
    assert len(pids) == 3
    assert not any(map(is_alive, pids))


@linux_only
def test_the_action_ends_with_its_supervisor(start_job: StartJob) -> None:
    job = start_job("misbehaving", "bad:ignore_term")
    job.wait_for("log", message="ignoring")
    pidfd = os.pidfd_open(job.records()[0]["pid"])
    job.process.send_signal(signal.SIGKILL)
    assert select.select([pidfd], [], [], 10)[0], "the child is still there"
    os.close(pidfd)


@linux_only
def test_what_hides_from_a_killed_supervisor_is_found_by_its_mark(start_job: StartJob) -> None:
    scope = str(uuid4())
    job = start_job("misbehaving", "bad:hide", scope=scope)
    hidden = int(job.wait_for("log", source="STDOUT")["message"])
    job.process.kill()
    job.process.wait()
    assert is_alive(hidden)
    kill_scope(str(uuid4()))
    assert is_alive(hidden)
    pidfd = os.pidfd_open(hidden)
    kill_scope(scope)
    assert select.select([pidfd], [], [], 10)[0], "the hidden process is still there"
    os.close(pidfd)


def test_forged_records_are_dropped_and_seen(start_job: StartJob) -> None:
    records = start_job("misbehaving", "bad:forge").wait()
    assert [each["type"] for each in records if each["type"] != "log"] == [
        "started",
        "result",
        "exit",
    ]
    assert "Dropped a record of the job: it is not JSON." in messages(records, "SERVICE")


@linux_only
def test_subprocesses_do_not_inherit_the_pipes(start_job: StartJob) -> None:
    value = of(start_job("basic", "basic:inherited").wait(), "result")[0]["value"]
    assert value.strip() == ""


def test_texts_that_are_not_valid_unicode_are_shown_escaped_and_fail_nothing(
    start_job: StartJob, start_worker: Callable[..., WorkerClient]
) -> None:
    records = start_job("records", "records:odd_texts").wait()
    escaped = "\\udcff.txt"
    assert of(records, "result")[0]["value"].endswith("/%FF.txt")
    progress = of(records, "progress")
    assert [(each["step"], each["message"]) for each in progress[:2]] == [(escaped, escaped)] * 2
    assert progress[-1]["current"] == 3
    assert [(each["step"], each["values"]) for each in of(records, "metrics")] == [(escaped, {escaped: escaped})]
    assert [(each["level"], each["message"], each["fields"]) for each in of(records, "log")] == [
        ("\\udcff.TXT", escaped, {"name": escaped}),
        ("INFO", escaped, {"name": escaped, "file": escaped}),
        ("INFO", escaped, {}),
        ("INFO", "unprintable", {"more": "<Unprintable: ValueError>"}),
    ]
    artifact = of(records, "artifact")[0]
    assert (artifact["name"], artifact["metadata"]) == (escaped, {escaped: escaped})
    assert start_worker("records").value("records:odd_texts").endswith("/%FF.txt")


def test_long_texts_are_cut_and_what_they_belong_to_is_not_lost(start_job: StartJob) -> None:
    records = start_job("records", "records:long_texts").wait()
    short = "x" * 1000 + "… [+4999000 bytes]"
    assert (of(records, "progress")[0]["step"], of(records, "progress")[0]["message"]) == (short, short)
    assert of(records, "metrics")[0]["step"] == short
    log = of(records, "log")[0]
    assert (log["level"], log["message"]) == (short.replace("x", "X"), short)
    artifact = of(records, "artifact")[0]
    assert (artifact["name"], artifact["media_type"]) == (short, short)
    assert artifact["metadata"] == {"truncated": "5000011 characters"}


def test_one_bad_key_removes_no_others_and_levels_have_one_name(
    start_job: StartJob, start_worker: Callable[..., WorkerClient]
) -> None:
    records = start_job("records", "records:odd_values").wait()
    metrics = [(each["step"], each["values"], each.get("non_finite")) for each in of(records, "metrics")]
    assert metrics == [
        ("5", {"loss": "NaN", "best": "Infinity", "text": "NaN", "5": str(2**70)}, ["/loss", "/best"]),
        ("7", {"a": 1}, None),
        ("", {"a": "-Infinity"}, ["/a"]),
    ]
    logged = [(each["level"], each["message"]) for each in of(records, "log")]
    assert logged[:-1] == [
        *((level, "level") for level in ("WARNING", "INFO", "INFO", "ERROR", "DEBUG", "INFO")),
        ("INFO", "of a child"),
        ("WARNING", "of a child"),
    ]
    level, message = logged[-1]
    assert level == "INFO"
    assert message.startswith("bad %d (at records.py:")
    assert "TypeError" in message
    assert "\n" not in message
    worker = start_worker("records")
    worker.value("records:odd_values")
    assert worker.close()[1].splitlines()[-1] == f"INFO {message}"


def test_processes_of_a_job_write_whole_records_and_the_result_arrives(start_job: StartJob) -> None:
    job = start_job("records", "records:said_by_forks", output_limit_bytes=1 << 30, line_limit_bytes=16_384)
    records = job.wait()
    assert of(records, "result")[0]["value"] == "r" * 90_000
    said = messages(records, "LOGGER")
    for name in ("0", "1", "2", "3", "parent"):
        own = [each for each in said if each.startswith(f"{name} ")]
        assert own == [f"{name} {line} {name * 9_000}"[:9_000] for line in range(100)]
    # What the killed one was writing may be lost, and nothing else.
    assert len([each for each in messages(records, "SERVICE") if each.startswith("Dropped a record")]) <= 1


def test_a_record_of_a_killed_process_does_not_take_the_result_with_it(start_job: StartJob) -> None:
    records = start_job("records", "records:half_a_line").wait()
    assert of(records, "result")[0]["value"] == "whole"


def test_the_last_progress_of_a_forked_process_is_written(start_job: StartJob) -> None:
    progress = of(start_job("records", "records:progress_of_a_fork").wait(), "progress")
    assert progress[-1]["current"] == 10
    assert len(progress) < 1_000


@linux_only
def test_a_context_can_be_sent_to_a_spawned_process(
    start_job: StartJob, start_worker: Callable[..., WorkerClient]
) -> None:
    records = start_job("records", "records:said_by_a_spawned").wait()
    assert of(records, "result")[0]["value"] == 0
    assert messages(records, "LOGGER") == ["parent", "spawned", "spawned"]
    assert of(records, "progress")[-1]["current"] == 2
    worker = start_worker("records")
    assert worker.value("records:said_by_a_spawned") == 0
    assert worker.close()[1].splitlines() == ["INFO parent", "INFO spawned", "INFO spawned"]


def test_what_one_thread_says_in_whatever_way_stays_in_order(start_job: StartJob) -> None:
    records = start_job("records", "records:told_in_order").wait()
    kinds = ("log", "metrics", "progress")
    said = [each.get("message") or each["type"] for each in records if each["type"] in kinds]
    assert said == of(records, "result")[0]["value"]
    times = [each["time"] for each in records]
    assert times == sorted(times)


def test_the_streams_of_a_job_are_those_of_a_program(start_job: StartJob) -> None:
    records = start_job("records", "records:redirected").wait()
    assert of(records, "result")[0]["value"] == "told"
    assert messages(records, "STDOUT") == ["work"] * 100 + ["said 1 False"]
    assert messages(records, "STDERR") == ["to stderr"] + ["rang"] * 100


def test_lines_of_a_pool_are_whole_and_its_end_does_not_wait_for_its_work(start_job: StartJob) -> None:
    records = start_job("records", "records:pooled", line_limit_bytes=16_384, output_limit_bytes=1 << 30).wait()
    assert len(of(records, "result")[0]["value"]) == 90_000
    lines = messages(records, "STDOUT")
    assert sorted(lines) == sorted(f"{number} " + "x" * 9_000 for number in range(300))


def test_output_crowds_out_no_reports_and_the_newest_reports_arrive_beyond_every_limit(start_job: StartJob) -> None:
    records = start_job("records", "records:crowded", output_limit_bytes=100_000).wait()
    assert [each["current"] for each in of(records, "progress")] == [1, 2, 3]
    assert len(of(records, "artifact")) == 1
    assert of(records, "metrics")[0]["values"] == {"loss": 0.5, "best": "NaN"}
    newest = {key: value for each in of(records, "metrics") for key, value in each["values"].items()}
    assert newest == {"loss": 4_999, "best": "NaN", "accuracy": 4_999, "recall": 4_998}
    left_out = [message for message in messages(records, "SERVICE") if message.startswith("Left out")]
    lines = 5_000 - len(messages(records, "STDOUT"))
    assert left_out[-2].startswith(f"Left out {lines + 1} lines of output in all, ")
    here = [each for each in of(records, "log") if each["message"].endswith("lines of output here.")]
    assert sum(int(each["message"].split()[2]) for each in here) == lines + 1
    assert records.index(here[-1]) < records.index(of(records, "artifact")[0])


def test_a_record_fits_into_what_the_service_keeps(start_job: StartJob) -> None:
    records = start_job("records", "records:crowded", max_events=1_000).wait()
    assert 900 < len(records) <= 1_000
    assert [each["current"] for each in of(records, "progress")][-1] == 3


def test_a_job_that_was_described_in_another_version_of_the_protocol_fails_with_both_versions(
    start_job: StartJob,
) -> None:
    job = start_job("basic", "basic:report", {"loops": 3}, protocol=2)
    records = job.wait()
    assert [each["type"] for each in records] == ["error", "exit"]
    error = records[0]["error"]
    assert error["reason"] == "PLUGIN_INVALID"
    assert (error["metadata"]["worker_protocol"], error["metadata"]["service_protocol"]) == ("1", "2")
    assert "install the service's version" in error["message"]
    assert not (job.folder / "spec.json").exists()


def out_of_time(start: Callable[..., Job], said: str) -> list[dict[str, Any]]:
    """The records of a job whose time is over once its action has said something: if need be it gets more."""
    seconds = 0.5
    while True:
        records = start(timeout_seconds=seconds).wait()
        if any(each["message"] == said for each in of(records, "log")):
            return records
        seconds *= 2
