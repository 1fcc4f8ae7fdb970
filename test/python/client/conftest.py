from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "python"))

from blocking import Blocking
from targets import Targets

from plugin_runner.client import AsyncClient, Client, retry


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are repeated at once."""
    monkeypatch.setattr(retry, "FIRST_DELAY", 0.01)


@pytest.fixture(scope="session")
def targets() -> Targets:
    return Targets()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(params=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    """Makes clients of one kind, whose methods wait for what they return, and closes them."""
    loop = asyncio.new_event_loop()
    clients: list[Any] = []

    def connect(address: str, **options: Any) -> Any:
        if request.param == "Client":
            clients.append(Client(address, **options))
        else:
            clients.append(Blocking(loop, AsyncClient(address, **options)))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()
    loop.close()
