"""Which calls are made again, and what ends them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from fake_service import PATIENCE, FakeService, fail, hang, running

from plugin_runner.client import AsyncClient, Client, ExecutionError, ValidationError
from pluginrunner.v1.plugin_runner_pb2 import RunPluginResponse, SubmitJobResponse

Connect = Callable[..., Any]


def answered(_request: Any, _context: Any) -> RunPluginResponse:
    return RunPluginResponse()


def submitted(_request: Any, _context: Any) -> Any:
    yield SubmitJobResponse(snapshot=running().snapshot)


def test_an_unavailable_service_is_called_again_with_the_same_request(connect: Connect) -> None:
    unavailable = fail(grpc.StatusCode.UNAVAILABLE)
    service = FakeService(RunPlugin=[unavailable, unavailable, answered])
    with service.listen() as address:
        assert connect(address).run_plugin("p", "a") is None
    first, *others = service.requests
    assert first.request_id
    assert others == [first, first]


def test_five_calls_are_enough(connect: Connect) -> None:
    service = FakeService(RunPlugin=[fail(grpc.StatusCode.UNAVAILABLE)])
    with service.listen() as address, pytest.raises(ExecutionError) as caught:
        connect(address).run_plugin("p", "a")
    assert caught.value.reason == "UNAVAILABLE"
    assert address in caught.value.message
    assert len(service.requests) == 5


@pytest.mark.parametrize("code", ["CANCELLED", "UNKNOWN", "INTERNAL", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED"])
def test_what_may_have_run_is_not_called_again(code: str, connect: Connect) -> None:
    service = FakeService(RunPlugin=[fail(grpc.StatusCode[code])])
    with service.listen() as address, pytest.raises(ExecutionError) as caught:
        connect(address).run_plugin("p", "a")
    assert caught.value.code.name == code
    assert caught.value.reason == ("UNAVAILABLE" if code in ("CANCELLED", "UNKNOWN", "INTERNAL") else "INTERNAL")
    assert len(service.requests) == 1


def test_a_submission_that_breaks_off_is_made_again_with_the_same_id(connect: Connect) -> None:
    service = FakeService(SubmitJob=[lambda _request, _context: iter(()), submitted])
    with service.listen() as address:
        assert connect(address).submit_job("p", "a").id == "j"
    first, second = service.requests
    assert first.job_id == second.job_id != ""


def test_a_submission_may_take_longer_than_a_heartbeat(connect: Connect) -> None:
    def slow(request: Any, context: Any) -> Any:
        threading.Event().wait(0.4)  # as long as it takes to install what a plugin needs
        return submitted(request, context)

    service = FakeService(SubmitJob=[slow])
    with service.listen() as address:
        assert connect(address, heartbeat_timeout=0.1).submit_job("p", "a").id == "j"
    assert len(service.requests) == 1


def test_a_closed_client_says_so(connect: Connect) -> None:
    with FakeService(RunPlugin=[answered]).listen() as address:
        client = connect(address)
        client.run_plugin("p", "a")
        client.close()
        for call in (lambda: client.run_plugin("p", "a"), lambda: list(client.watch_job("j"))):
            with pytest.raises(ValidationError, match="closed") as caught:
                call()
            assert caught.value.violations[0].field == "/client"


def test_closing_ends_a_call_under_way() -> None:
    service = FakeService(RunPlugin=[hang(threading.Event())])
    with service.listen() as address:
        client = Client(address)
        closing = threading.Timer(0.1, client.close)
        closing.start()
        with pytest.raises(ValidationError, match="closed"):
            client.run_plugin("p", "a")


def test_closing_ends_a_call_under_way_of_another_task() -> None:
    service = FakeService(RunPlugin=[hang(threading.Event())])

    async def main(address: str) -> None:
        client = AsyncClient(address)
        call = asyncio.ensure_future(client.run_plugin("p", "a"))
        await asyncio.wait([call], timeout=0.1)
        await client.close()
        with pytest.raises(ValidationError, match="closed"):
            await call

    with service.listen() as address:
        asyncio.run(main(address))


def test_ctrl_c_ends_the_run() -> None:
    def interrupt(request: Any, context: grpc.ServicerContext) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        hang(left)(request, context)

    left = threading.Event()
    service = FakeService(RunPlugin=[interrupt])
    with service.listen() as address, Client(address) as client:
        with pytest.raises(KeyboardInterrupt):
            client.run_plugin("p", "a")
        assert left.wait(PATIENCE)


def test_cancelling_the_task_ends_the_run() -> None:
    async def main(address: str) -> None:
        async with AsyncClient(address) as client:
            call = asyncio.ensure_future(client.run_plugin("p", "a"))
            await asyncio.get_running_loop().run_in_executor(None, called.wait, 5)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert await asyncio.get_running_loop().run_in_executor(None, left.wait, 5)

    def take(request: Any, context: grpc.ServicerContext) -> None:
        called.set()
        hang(left)(request, context)

    called, left = threading.Event(), threading.Event()
    service = FakeService(RunPlugin=[take])
    with service.listen() as address:
        asyncio.run(main(address))
