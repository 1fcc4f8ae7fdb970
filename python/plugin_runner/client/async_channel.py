"""A connection whose calls fail with the client's errors, for asyncio."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
from grpc import aio

from plugin_runner.client.errors import RunnerError
from plugin_runner.client.failures import closed, cut, failed_call
from plugin_runner.client.resume import Patience, Resumption
from plugin_runner.client.retry import delay_after, is_repeatable
from plugin_runner.client.target import CHANNEL_OPTIONS, Target
from pluginrunner.v1.plugin_runner_pb2_grpc import PluginRunnerStub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from plugin_runner.client.watch import Watch
    from pluginrunner.v1.plugin_runner_pb2_grpc import PluginRunnerAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Update = TypeVar("Update")


class AsyncChannel:
    """As `Channel`. Belongs to the event loop of its first call."""

    def __init__(self, target: Target, patience: Patience) -> None:
        self.address = target.address
        self._patience = patience
        self._metadata = target.metadata()
        self._credentials = target.credentials()
        self._channel: aio.Channel | None = None
        self._closed = False

    @cached_property
    def stub(self) -> PluginRunnerAsyncStub:
        """The methods of the service, bound to the event loop of the first call."""
        self._check_open()
        self._channel = (
            aio.secure_channel(self.address, self._credentials, CHANNEL_OPTIONS)
            if self._credentials
            else aio.insecure_channel(self.address, CHANNEL_OPTIONS)
        )
        return cast("PluginRunnerAsyncStub", PluginRunnerStub(self._channel))

    async def call(
        self,
        method: aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout: float | None = None,
    ) -> Response:
        """The response of a call."""
        return await self._repeating(lambda: self._answer(method, request, timeout))

    async def first(
        self,
        method: aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
    ) -> Response:
        """The first message of a stream, which is then left."""
        return await self._repeating(lambda: self._first_message(method, request))

    async def follow(
        self,
        method: Callable[[PluginRunnerAsyncStub], aio.UnaryStreamMultiCallable[Request, Any]],
        watch: Watch[Request, Any, Update],
        on_retry: Callable[[RunnerError], None] | None = None,
    ) -> AsyncGenerator[Update, None]:
        """What a watch yields. Its method is looked up by the first step, which an event loop runs."""
        resumption = Resumption(self._patience, on_retry)
        while True:
            try:
                messages = self._stream(method(self.stub), watch.request())
                try:
                    async for message in messages:
                        resumption.heard(message.WhichOneof("update"))
                        for update in watch.take(message):
                            yield update
                        if watch.ended:
                            return
                finally:
                    await messages.aclose()
                if watch.may_end:
                    return
                raise cut("The stream ended early.")
            except RunnerError as error:
                await asyncio.sleep(resumption.failed(error))

    async def close(self) -> None:
        """Ends the connection; calls under way fail."""
        self._closed = True
        if self._channel:
            await self._channel.close()

    async def _repeating(self, call: Callable[[], Awaitable[Response]]) -> Response:
        failures = 0
        while True:
            try:
                return await call()
            except RunnerError as error:
                failures += 1
                if not is_repeatable(error, failures):
                    raise
                await asyncio.sleep(delay_after(failures, error))

    async def _answer(
        self,
        method: aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout: float | None,
    ) -> Response:
        self._check_open()
        try:
            return await method(request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._failed(error) from error
        except asyncio.CancelledError:
            self._check_left()
            raise

    async def _first_message(
        self,
        method: aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
    ) -> Response:
        # However long that takes: the service may have to install what the plugin needs.
        self._check_open()
        call = method(request, metadata=self._metadata)
        try:
            message = await call.read()
            if message is not aio.EOF:
                return cast("Response", message)
        except grpc.RpcError as error:
            raise self._failed(error) from error
        except asyncio.CancelledError:
            self._check_left()
            raise
        finally:
            call.cancel()
        raise cut("The stream ended before the job was known.")

    async def _stream(
        self,
        method: aio.UnaryStreamMultiCallable[Request, Response],
        request: Request,
    ) -> AsyncGenerator[Response, None]:
        """The messages of a stream, until nothing comes for too long; the time of the consumer does not count."""
        self._check_open()
        call = method(request, metadata=self._metadata)
        try:
            while True:
                message = await asyncio.wait_for(call.read(), self._patience.silence)
                if message is aio.EOF:
                    return
                yield cast("Response", message)
        except grpc.RpcError as error:
            raise self._failed(error) from error
        except asyncio.TimeoutError:
            raise cut(f"Nothing came from the server for {self._patience.silence} s.") from None
        except asyncio.CancelledError:
            self._check_left()
            raise
        finally:
            call.cancel()

    def _check_open(self) -> None:
        if self._closed:
            raise closed()

    def _check_left(self) -> None:
        """A channel that closes cancels its calls; the task that waits for one was not cancelled then."""
        task = asyncio.current_task()
        if self._closed and not (task and getattr(task, "cancelling", int)()):
            raise closed() from None

    def _failed(self, error: grpc.RpcError) -> RunnerError:
        return closed() if self._closed else failed_call(error, self.address)
