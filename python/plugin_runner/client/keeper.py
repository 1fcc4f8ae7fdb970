"""
The process between a program and its private server. Its standard input ends when the program closes the server or ends
in any way; then it ends the server's jobs, the server, and removes the data.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from typing import Any

from plugin_runner.client.client import Client
from plugin_runner.client.errors import RunnerError

_JOBS_SECONDS = 10.0
_SERVER_SECONDS = 5.0


def main() -> None:
    """Keeps the server that the first line of the standard input describes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    task: dict[str, Any] = json.loads(sys.stdin.buffer.readline())
    server = subprocess.Popen(task["command"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        keep(server, task["token"], task["folder"])
    finally:
        end(server)


def keep(server: subprocess.Popen[bytes], token: str, folder: str) -> None:
    """Passes on what the server announces, and ends what it has begun when the standard input ends."""
    assert server.stdout is not None
    announced = server.stdout.readline()
    if b'"address"' not in announced:
        sys.stderr.buffer.write(announced + server.stdout.read())
        return
    sys.stdout.buffer.write(announced)
    sys.stdout.buffer.flush()
    sys.stdin.buffer.read()
    if server.poll() is None:
        end_jobs(json.loads(announced)["address"], token)
    end(server)
    shutil.rmtree(folder, ignore_errors=True)


def end_jobs(address: str, token: str) -> None:
    """Jobs outlive their server unless they are told to stop."""
    until = time.monotonic() + _JOBS_SECONDS
    try:
        with Client(address, token=token, retry_for=0) as client:
            jobs = [job.job_id for job in client.list_jobs(states=["PENDING", "RUNNING", "CANCELLING"])]
            for job_id in jobs:
                client.cancel_job(job_id)
            for job_id in jobs:
                wait_for_end(client, job_id, until - time.monotonic())
    except (RunnerError, TimeoutError):
        # What cannot be reached or does not end in time is left: the server ends all the same.
        return


def wait_for_end(client: Client, job_id: str, seconds: float) -> None:
    """However the job ends."""
    try:
        client.result(job_id, seconds)
    except RunnerError as error:
        if "job_id" not in error.metadata:
            raise


def end(server: subprocess.Popen[bytes]) -> None:
    """Asks the server to end, and then makes it."""
    server.terminate()
    try:
        server.wait(_SERVER_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
