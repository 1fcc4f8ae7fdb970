from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote

import pytest

from processes import PLUGINS, SECONDS, WorkerClient

StartWorker = Callable[..., WorkerClient]


def test_it_says_ready_first(start_worker: StartWorker) -> None:
    worker = start_worker()
    version = ".".join(map(str, sys.version_info[:3]))
    assert worker.ready == {
        "type": "ready",
        "protocol": 1,
        "pid": worker.process.pid,
        "runtime": f"python {version}",
    }


def test_a_scan_needs_no_binding(start_worker: StartWorker) -> None:
    answer = start_worker().ask("scan", root=str(PLUGINS / "basic"), module="basic")
    assert {
        "name": "sum",
        "description": "Adds two numbers.",
        "entrypoint": "basic:add",
    }.items() <= next(each for each in answer["value"] if each["name"] == "sum").items()


def test_results_come_back_whatever_is_printed(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    assert worker.value("basic:report") == "reported"
    assert worker.value("basic.echo", {"a": [1, 2.5, None]}) == {"a": [1, 2.5, None]}
    output, errors = worker.close()
    assert output == "to stdout\n"
    assert errors.splitlines() == [
        "to stderr",
        "INFO checkpoint epoch=1 file=model.bin",
        "WARNING Halfway. left=3",
        "INFO 7 images folder=a",
    ]


def test_output_is_flushed_before_the_answer(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    worker.value("basic:report")
    assert worker.process.stdout is not None
    os.set_blocking(worker.process.stdout.fileno(), False)
    assert worker.process.stdout.read(100) == b"to stdout\n"


def test_requests_are_answered_in_order(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    keys = {"action": "a", "entrypoint": "basic:echo", "env": {}, "job_id": ""}
    ids = [worker.request("run", params={"n": n}, **keys) for n in range(200)]
    answers = [worker.receive() for _ in ids]
    assert [(each["id"], each["value"]["n"]) for each in answers] == list(zip(ids, range(200)))


def test_the_environment_of_a_run_is_taken_back(start_worker: StartWorker) -> None:
    worker = start_worker("basic", env={"A": "plugin", "B": "plugin"})
    both = worker.value("basic:surroundings", {"variable": "A"}, env={"A": "run"}, job_id="j1")
    assert (both["environ"], both["env"], both["job_id"]) == ("run", "run", "j1")
    assert worker.value("basic:surroundings", {"variable": "A"})["environ"] == "plugin"
    assert worker.value("basic:surroundings", {"variable": "C"}, env={"C": "run"})["env"] == "run"
    assert worker.value("basic:surroundings", {"variable": "C"})["environ"] is None


def test_an_action_runs_in_its_folder_with_empty_stdin(
    start_worker: StartWorker,
) -> None:
    value = start_worker("basic").value("basic:surroundings", {"variable": "A"})
    assert (value["cwd"], value["stdin"]) == (str(PLUGINS / "basic"), "")


def test_a_run_has_a_directory_of_its_own_that_goes_with_it(start_worker: StartWorker, tmp_path: Path) -> None:
    worker = start_worker("lasting")
    runs = [worker.value("lasting:artifacts", {"contents": [text]}) for text in ("first", "second")]
    assert len({run["work_dir"] for run in runs}) == 2
    assert os.listdir(tmp_path / "work") == []


def test_artifacts_outlast_their_run_and_do_not_overwrite_each_other(start_worker: StartWorker) -> None:
    worker = start_worker("lasting")
    texts = [["a", "b"], ["c"]]
    uris = [worker.value("lasting:artifacts", {"contents": part})["uris"] for part in texts]
    worker.close()
    assert [[Path(unquote(uri[len("file://") :])).read_text() for uri in part] for part in uris] == texts


def test_an_artifact_that_is_not_there_is_refused(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    error = worker.error("basic:keep_file", {"path": "/nowhere/at/all"})
    assert error["exception_type"] == "FileNotFoundError"


def test_async_actions_are_awaited(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    assert [worker.value("basic:later") for _ in range(3)] == ["later"] * 3


@pytest.mark.parametrize("entrypoint", ["basic:wait_for_cancel", "basic:later"])
def test_a_cancelled_action_ends_as_cancelled(start_worker: StartWorker, entrypoint: str) -> None:
    worker = start_worker("basic")
    keys = {"action": "a", "params": {}, "env": {}, "job_id": ""}
    request_id = worker.request("run", entrypoint=entrypoint, **keys)
    worker.send({"type": "cancel", "id": request_id})
    worker.send({"type": "cancel", "id": 99})
    assert worker.receive()["error"]["reason"] == "CANCELLED"
    assert worker.value("basic:echo", {"still": "here"}) == {"still": "here"}


def test_signals_reach_an_action(start_worker: StartWorker) -> None:
    assert start_worker("basic").value("basic:own_signal") is True


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="needs /proc")
def test_subprocesses_do_not_inherit_the_protocol(start_worker: StartWorker) -> None:
    assert "socket:" not in start_worker("basic").value("basic:inherited")


@pytest.mark.parametrize(
    ("entrypoint", "kind", "message"),
    [
        ("bad:fail", "ValueError", "ValueError: 3 is too many"),
        (
            "bad:fail_unprintable",
            "bad.Unprintable",
            "its message cannot be shown: RuntimeError",
        ),
        ("bad:leave", "SystemExit", "the plugin called sys.exit(enough)"),
        ("bad:interrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("bad:recurse", "RecursionError", "maximum recursion depth exceeded"),
    ],
)
def test_an_exception_never_ends_the_worker(
    start_worker: StartWorker, entrypoint: str, kind: str, message: str
) -> None:
    worker = start_worker("misbehaving")
    error = worker.error(entrypoint)
    assert (error["reason"], error["exception_type"]) == ("ACTION_FAILED", kind)
    assert message in error["message"]
    assert worker.error(entrypoint)["exception_type"] == kind


def test_the_stack_is_the_plugins_own(start_worker: StartWorker) -> None:
    stack = start_worker("misbehaving").error("bad:fail")["stack"]
    assert "in _deeper" in stack
    assert stack.count("  File ") == 2


@pytest.mark.parametrize("what", ["object", "cycle", "big", "key"])
def test_a_result_without_json_is_answered_with_what_is_left_of_it(start_worker: StartWorker, what: str) -> None:
    error = start_worker("misbehaving").error("bad:not_json", {"what": what})
    assert error["reason"] == "RESULT_INVALID"
    assert error["metadata"]["field"].startswith("/a~1b/0")
    assert error["partial_result"]["kept"] == "NaN"
    assert error["non_finite"] == ["/kept"]


def test_numbers_without_json_go_in_and_come_out(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    params = {"a/b": ["NaN", "NaN"], "c": "-Infinity"}
    answer = worker.run("basic:echo", params, non_finite=["/a~1b/1", "/c"])
    assert (answer["value"], answer["non_finite"]) == (params, ["/a~1b/1", "/c"])
    assert "non_finite" not in worker.run("basic:echo", params)
    assert worker.value("basic:kinds", {"values": ["NaN", "NaN", 1, 1.5]}, non_finite=["/values/1"]) == [
        "str",
        "float",
        "int",
        "float",
    ]
    error = worker.error("basic:echo", params, non_finite=["/c", "/a~1b/7"])
    assert (error["reason"], error["metadata"]) == ("REQUEST_INVALID", {"field": "/non_finite/1"})


def test_minus_zero_stays_what_it_is(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    worker.socket.sendall(
        b'{"type":"run","id":9,"action":"a","entrypoint":"basic:echo","params":{"a":-0,"b":-0.0},"env":{},"job_id":""}\n'
    )
    assert [str(each) for each in worker.receive()["value"].values()] == ["-0.0", "-0.0"]


def test_a_huge_result_is_answered(start_worker: StartWorker) -> None:
    worker = start_worker("misbehaving")
    assert len(worker.value("bad:huge", {"size": 5_000_000})) == 5_000_000
    assert worker.error("bad:huge", {"size": 17_000_000})["reason"] == "RESULT_INVALID"


def test_a_forked_child_does_not_answer(start_worker: StartWorker) -> None:
    worker = start_worker("misbehaving")
    assert worker.value("bad:fork_and_return") == "parent"
    assert worker.error("bad:fail")["reason"] == "ACTION_FAILED"


@pytest.mark.parametrize(("how", "code"), [("return", 0), ("raise", 1), ("exit", 3)])
def test_a_forked_child_that_comes_back_ends_and_leaves_the_run_alone(
    start_worker: StartWorker, tmp_path: Path, how: str, code: int
) -> None:
    worker = start_worker("lasting")
    assert worker.value("lasting:fork", {"how": how, "mark": str(tmp_path / "mark")}) == [code, True]
    assert worker.value("lasting:fork_async", {"mark": str(tmp_path / "mark")}) == "parent"
    assert ("ValueError: in the child" in worker.close()[1]) == (how == "raise")


def test_what_an_earlier_call_raises_late_fails_no_other(start_worker: StartWorker) -> None:
    worker = start_worker("lasting")
    assert worker.value("lasting:leave_thread") == "returned"
    assert worker.value("lasting:innocent") == "innocent"
    assert "ValueError: late" in worker.close()[1]


def test_every_call_starts_as_the_first(start_worker: StartWorker) -> None:
    worker = start_worker("lasting")
    first = worker.value("lasting:look")
    for _ in range(2):
        assert worker.value("lasting:change_all") is None
        assert worker.value("lasting:look", env={"LEAK": "given"}) == {
            **first,
            "variables": ["given", *first["variables"][1:]],
        }
        assert worker.value("lasting:look") == first
    assert first["variables"][1] == "stays"
    output, errors = worker.close()
    assert (output, errors) == ("printed\n" * 5, "said\n" * 5)


@pytest.mark.parametrize("what", ["alarm", "real", "virtual", "profiling", "mask", "pending"])
def test_a_signal_that_a_call_has_set_off_meets_no_other(start_worker: StartWorker, what: str) -> None:
    worker = start_worker("lasting")
    first = worker.value("lasting:signals")
    assert worker.value("lasting:set_off", {"what": what}) is None
    assert worker.value("lasting:signals") == first == [[[0, 0]] * 3, 0, 0]


def test_an_interrupt_that_is_no_cancel_says_where_it_may_come_from(start_worker: StartWorker) -> None:
    error = start_worker("lasting").error("lasting:interrupted")
    assert (error["reason"], error["exception_type"]) == ("ACTION_FAILED", "KeyboardInterrupt")
    assert "_thread.interrupt_main()" in error["message"]


@pytest.mark.parametrize("entrypoint", ["lasting:wait", "lasting:wait_async", "lasting:save_slowly"])
def test_a_cancelled_action_cleans_up(start_worker: StartWorker, tmp_path: Path, entrypoint: str) -> None:
    worker = start_worker("lasting")
    mark = tmp_path / "mark"
    keys = {"action": "a", "params": {"mark": str(mark)}, "env": {"GRACE": "3"}, "job_id": ""}
    request_id = worker.request("run", entrypoint=entrypoint, **keys)
    assert worker.process.stdout is not None
    assert worker.process.stdout.readline() == b"waiting\n"
    worker.send({"type": "cancel", "id": request_id, "grace_seconds": 3})
    answer = worker.receive()
    assert answer["error"]["reason"] == "CANCELLED"
    assert mark.read_text() == "cleaned up"
    interrupted = entrypoint != "lasting:save_slowly"
    assert answer.get("spent", False) == interrupted
    if not interrupted:
        assert worker.value("lasting:look")["zone"]
    worker.close()
    assert worker.process.returncode == 0


def test_a_task_that_refuses_to_end_does_not_hold_up_the_answer(start_worker: StartWorker) -> None:
    worker = start_worker("lasting")
    assert [worker.value("lasting:leave_stubborn_task") for _ in range(2)] == ["done", "done"]


def test_what_is_printed_from_c_comes_with_its_run(start_worker: StartWorker) -> None:
    worker = start_worker("lasting")
    worker.value("lasting:print_from_c")
    assert worker.process.stdout is not None
    assert worker.process.stdout.readline() == b"from C\n"


def test_an_unknown_name_says_which_is_nearest(start_worker: StartWorker) -> None:
    error = start_worker("basic").error("basic:repor")
    assert error["reason"] == "ACTION_NOT_FOUND"
    assert error["metadata"]["nearest"] == "report"
    assert "surroundings" in error["metadata"]["available"].split(",")


@pytest.mark.parametrize("plugin", ["basic", "misbehaving"])
def test_the_end_of_the_connection_ends_the_worker(start_worker: StartWorker, plugin: str) -> None:
    worker = start_worker(plugin)
    keys = {"action": "a", "params": {}, "env": {}, "job_id": ""}
    worker.request(
        "run",
        entrypoint="bad:ignore_term" if plugin == "misbehaving" else "basic:wait_for_cancel",
        **keys,
    )
    worker.close()
    assert worker.process.returncode == 0


def test_a_run_whose_plugin_is_gone_is_told_so_and_is_the_last(start_worker: StartWorker) -> None:
    worker = start_worker("basic", root="/nowhere/at/all")
    answer = worker.run("basic:echo")
    assert answer["error"]["reason"] == "PLUGIN_INVALID"
    assert answer["error"]["metadata"] == {"root": "/nowhere/at/all"}
    assert answer["spent"] is True
    # What is written before the answer is read fails nothing, and is not looked at.
    worker.request("run", action="a", entrypoint="basic:echo", params={"value": 1}, env={}, job_id="")
    worker.socket.shutdown(socket.SHUT_WR)
    assert worker.socket.recv(1) == b""
    worker.close()
    assert worker.process.returncode == 0


def test_a_line_that_breaks_the_protocol_ends_the_worker(start_worker: StartWorker) -> None:
    worker = start_worker("basic")
    worker.socket.sendall(b"nonsense\n")
    assert worker.process.wait(SECONDS) == 1
    assert "JSONDecodeError" in worker.close()[1]


def older_interpreters() -> list[str]:
    names = [f"python3.{minor}" for minor in range(9, 14)]
    found = [name for name in names if shutil.which(name)]
    return [name for name in found if subprocess.run([name, "-c", ""], capture_output=True).returncode == 0]


@pytest.mark.parametrize("python", older_interpreters())
def test_every_supported_interpreter_serves(start_worker: StartWorker, python: str) -> None:
    worker = start_worker("typed", python=python)
    assert worker.value("typed:TrainAction", {"epochs": "3"})["epochs"] == 3
    assert worker.ask("describe", entrypoints={})["ok"]


def test_a_module_sees_its_neighbours_after_the_standard_library_and_packages(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    for name in ("random", "pytest", "train"):
        (tmp_path / f"{name}.py").write_text(f"WHO = {name!r}\ndef who(): return WHO\n")
    (tmp_path / "neighbour.py").write_text("who = 'neighbour'\n")
    (tmp_path / "uses.py").write_text(
        "import random, pytest, neighbour\n"
        "def who(): return [hasattr(random, 'randint'), hasattr(pytest, 'fixture'), neighbour.who]\n"
    )
    for module, expected in (("uses", [True, True, "neighbour"]), ("train", "train"), ("pytest", "pytest")):
        worker = start_worker("modules", root=str(tmp_path), module=module)
        assert worker.value(f"{module}:who") == expected


def test_a_file_that_hides_the_standard_library_is_named_where_that_breaks_an_import(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "statistics.py").write_text("VALUE = 1\n")
    (tmp_path / "main.py").write_text("import statistics\nmean = statistics.mean\ndef hi(): ...\n")
    (tmp_path / "late.py").write_text("def hi():\n    from statistics import mean\n")
    worker = start_worker("hiding", root=str(tmp_path))
    for module, reason in (("main", "PLUGIN_INVALID"), ("late", "ACTION_FAILED")):
        answer = worker.ask("run", action="hi", entrypoint=f"{module}:hi", params={}, env={}, job_id="")
        assert answer["error"]["reason"] == reason
        assert "statistics.py hides the standard library's module statistics" in answer["error"]["message"]
