"""A connection whose calls fail with the client's errors, for asyncio."""

from __future__ import annotations

import asyncio
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc
from grpc import aio

from plugin_runner.client.diagnosis import find_in_connection, find_in_status, looks_like_no_connection
from plugin_runner.client.errors import RunnerError
from plugin_runner.client.failures import Silence, closed, cut, failed_call, failed_transport, silent, undecodable
from plugin_runner.client.resume import Patience, Resumption
from plugin_runner.client.retry import delay_after, is_repeatable
from plugin_runner.client.stub import Undecodable, make_stub
from plugin_runner.client.target import Target

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from plugin_runner.client.watch import Watch
    from pluginrunner.v1.plugin_runner_pb2_grpc import PluginRunnerAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Update = TypeVar("Update")


class AsyncChannel:
    """A `Channel` for asyncio, which belongs to the event loop of its first call."""

    def __init__(self, target: Target, patience: Patience) -> None:
        self.address = target.address
        self._target = target
        self._patience = patience
        self._heard = False
        self._metadata = target.metadata()
        self._credentials = target.credentials()
        self._channel: aio.Channel | None = None
        self._others: set[aio.Channel] = set()
        self._closed = False

    @cached_property
    def stub(self) -> PluginRunnerAsyncStub:
        """The methods of the service, bound to the event loop of the first call."""
        self._check_open()
        self._channel = self._connect()
        return cast("PluginRunnerAsyncStub", make_stub(self._channel))

    async def call(
        self,
        method: aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout: float | None = None,
    ) -> Response:
        """The response of a call."""
        return await self._repeating(lambda: self._answer(method, request, timeout))

    async def delete(self, method: aio.UnaryUnaryMultiCallable[Request, Response], request: Request) -> None:
        """A call after which something is gone, also where the answer of the try that deleted it was lost."""
        tries = 0

        async def send() -> Response:
            nonlocal tries
            tries += 1
            return await self._answer(method, request, None)

        try:
            await self._repeating(send)
        except RunnerError as error:
            if error.reason != "JOB_NOT_FOUND" or tries == 1:
                raise

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
        stub, own = self.stub, None
        try:
            while True:
                try:
                    messages = self._stream(method(stub), watch.request())
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
                    delay = resumption.failed(error)
                    if isinstance(error, Silence) and self._is_connected(own):
                        await self._leave(own)
                        # The client's own connection may be dead: this watch alone goes on over another one.
                        own = self._connect()
                        self._others.add(own)
                        stub = cast("PluginRunnerAsyncStub", make_stub(own))
                    await asyncio.sleep(delay)
        finally:
            await self._leave(own)

    async def close(self) -> None:
        """Ends the connection; calls under way fail."""
        self._closed = True
        for one in (self._channel, *self._others):
            if one:
                await one.close()

    def _connect(self) -> aio.Channel:
        options = self._target.options()
        if self._credentials:
            return aio.secure_channel(self.address, self._credentials, options)
        return aio.insecure_channel(self.address, options)

    def _is_connected(self, other: aio.Channel | None) -> bool:
        """Not while it is still being made: begun anew, it would never be there in time."""
        self._check_open()
        channel = other or self._channel
        return channel is not None and channel.get_state() is grpc.ChannelConnectivity.READY

    async def _leave(self, other: aio.Channel | None) -> None:
        if other:
            self._others.discard(other)
            await other.close()

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
            return self._checked(await method(request, timeout=timeout, metadata=self._metadata))
        except grpc.RpcError as error:
            failure = await self._failed(error)
            raise failure from failure.__cause__
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
                return self._checked(cast("Response", message))
        except grpc.RpcError as error:
            failure = await self._failed(error)
            raise failure from failure.__cause__
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
                yield self._checked(cast("Response", message))
        except grpc.RpcError as error:
            failure = await self._failed(error)
            raise failure from failure.__cause__
        except asyncio.TimeoutError:
            raise silent(self._patience.silence) from None
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

    def _checked(self, message: Response) -> Response:
        self._heard = True
        if isinstance(message, Undecodable):
            raise undecodable(self.address, message.cause)
        return message

    async def _failed(self, error: grpc.RpcError) -> RunnerError:
        if self._closed:
            return closed()
        failure = failed_call(error)
        if failure:
            self._heard = True
            return failure
        text = error.details() or ""
        finding = find_in_status(text, self.address)
        if not finding and looks_like_no_connection(error.code(), text):
            # In a thread, since it may look at the server.
            find = asyncio.get_running_loop().run_in_executor
            finding = await find(None, find_in_connection, text, self._target, self._heard)
        return failed_transport(error, self.address, finding)
