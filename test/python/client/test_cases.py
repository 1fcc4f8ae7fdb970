"""Both kinds of client pass the cases of every client."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest
from blocking import Blocking
from cases import Case, read_cases
from run_case import Subject, run_case
from targets import Targets

from plugin_runner.client import Client

CASES = [pytest.param(case, id=case.name) for case in read_cases()]
LEAVES_AFTER = 0.3


@pytest.mark.parametrize("case", CASES)
def test_client(case: Case, targets: Targets) -> None:
    with targets.client(case.target) as client, targets.client("proxy") as proxied:
        run_case(case, Subject(client, proxied, targets, lambda request: interrupt(client, request)))


@pytest.mark.parametrize("case", CASES)
def test_async_client(case: Case, targets: Targets, loop: asyncio.AbstractEventLoop) -> None:
    client, proxied = targets.async_client(case.target), targets.async_client("proxy")

    def abort(request: dict[str, Any]) -> None:
        with pytest.raises(asyncio.TimeoutError):
            loop.run_until_complete(asyncio.wait_for(client.run_plugin(**request), LEAVES_AFTER))

    try:
        subject = Subject(Blocking(loop, client), Blocking(loop, proxied), targets, abort)
        run_case(case, subject)
    finally:
        for one in (client, proxied):
            loop.run_until_complete(one.close())


def interrupt(client: Client, request: dict[str, Any]) -> None:
    """Ctrl-C, as a terminal or a notebook sends it."""
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(LEAVES_AFTER, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        client.run_plugin(**request)
