"""A connection whose calls fail with the client's errors, for threads that wait."""

from __future__ import annotations

import gc
import threading
import time
import traceback
from contextlib import closing
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from plugin_runner.client.alarm import Alarm
from plugin_runner.client.diagnosis import find_in_connection, find_in_status, looks_like_no_connection
from plugin_runner.client.errors import RunnerError
from plugin_runner.client.failures import Silence, closed, cut, failed_call, failed_transport, silent, undecodable
from plugin_runner.client.resume import Patience, Resumption
from plugin_runner.client.retry import delay_after, is_repeatable
from plugin_runner.client.stub import Undecodable, make_stub
from plugin_runner.client.target import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from plugin_runner.client.watch import Watch
    from pluginrunner.v1.plugin_runner_pb2_grpc import PluginRunnerStub

Request = TypeVar("Request")
Response = TypeVar("Response")
Update = TypeVar("Update")

_STATE_SECONDS = 1.0
"""gRPC tells the state of a connection at once, from a thread of its own; never where the connection was closed."""


class Channel:
    """Calls, repeated where that is safe, and watches that go on after a cut. The first call connects."""

    def __init__(self, target: Target, patience: Patience) -> None:
        self.address = target.address
        self._target = target
        self._patience = patience
        self._heard = False
        self._metadata = target.metadata()
        self._closed = threading.Event()
        self._channel = self._connect()
        self._others: set[grpc.Channel] = set()
        self.stub = make_stub(self._channel)

    def call(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout: float | None = None,
    ) -> Response:
        """The response of a call."""
        return self._repeating(lambda: self._answer(method, request, timeout))

    def delete(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request) -> None:
        """A call after which something is gone, also where the answer of the try that deleted it was lost."""
        tries = 0

        def send() -> Response:
            nonlocal tries
            tries += 1
            return self._answer(method, request, None)

        try:
            self._repeating(send)
        except RunnerError as error:
            if error.reason != "JOB_NOT_FOUND" or tries == 1:
                raise

    def first(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Response],
        request: Request,
    ) -> Response:
        """The first message of a stream, which is then left."""
        return self._repeating(lambda: self._first_message(method, request))

    def follow(
        self,
        method: Callable[[PluginRunnerStub], grpc.UnaryStreamMultiCallable[Request, Any]],
        watch: Watch[Request, Any, Update],
        on_retry: Callable[[RunnerError], None] | None = None,
        until: float | None = None,
    ) -> Generator[Update, None, None]:
        """What a watch yields. Raises TimeoutError at `until`, a time of `time.monotonic`."""
        resumption = Resumption(self._patience, on_retry)
        connection = _Connection(self)
        try:
            while True:
                try:
                    with closing(self._stream(method(connection.stub), watch.request(), until)) as messages:
                        for message in messages:
                            resumption.heard(message.WhichOneof("update"))
                            yield from watch.take(message)
                            if watch.ended:
                                return
                    if watch.may_end:
                        return
                    raise cut("The stream ended early.")
                except RunnerError as error:
                    delay = resumption.failed(error)
                    if isinstance(error, Silence):
                        connection.renew()
                    self._pause(delay, until)
        finally:
            connection.leave()

    def close(self) -> None:
        """Ends the connection; calls under way fail."""
        self._closed.set()
        self._channel.close()
        for other in tuple(self._others):
            other.close()

    def is_connected(self, other: grpc.Channel | None) -> bool:
        """Whether a further connection, or that of the client, has been made."""
        channel = other or self._channel
        states: SimpleQueue[grpc.ChannelConnectivity] = SimpleQueue()
        tell = states.put
        try:
            channel.subscribe(tell)
            return states.get(timeout=_STATE_SECONDS) is grpc.ChannelConnectivity.READY
        except (Empty, ValueError):
            return False  # it was closed meanwhile
        finally:
            channel.unsubscribe(tell)

    def connect_another(self) -> grpc.Channel:
        """A further connection, which is closed with this channel if not before."""
        other = self._connect()
        self._others.add(other)
        return other

    def leave(self, other: grpc.Channel) -> None:
        """Closes a further connection."""
        self._others.discard(other)
        other.close()

    def _connect(self) -> grpc.Channel:
        credentials, options = self._target.credentials(), self._target.options()
        if credentials:
            return grpc.secure_channel(self.address, credentials, options)
        return grpc.insecure_channel(self.address, options)

    def _repeating(self, call: Callable[[], Response]) -> Response:
        failures = 0
        while True:
            try:
                return call()
            except RunnerError as error:
                failures += 1
                if not is_repeatable(error, failures):
                    raise
                self._pause(delay_after(failures, error))

    def _answer(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        timeout: float | None,
    ) -> Response:
        self._check_open()
        try:
            return self._checked(method(request, timeout=timeout, metadata=self._metadata))
        except grpc.RpcError as error:
            failure = self._failed(error)
            raise failure from failure.__cause__
        except KeyboardInterrupt as interrupt:
            # gRPC ends the call when its object goes. The frames of this stack would keep that as long as anybody has
            # the exception, as a notebook does, and its own circle of references until the collector comes.
            traceback.clear_frames(interrupt.__traceback__)
            gc.collect()
            raise

    def _first_message(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Response],
        request: Request,
    ) -> Response:
        # However long that takes: the service may have to install what the plugin needs.
        self._check_open()
        call = method(request, metadata=self._metadata)
        try:
            for message in call:
                return self._checked(message)
        except grpc.RpcError as error:
            failure = self._failed(error)
            raise failure from failure.__cause__
        finally:
            call.cancel()
        raise cut("The stream ended before the job was known.")

    def _stream(
        self,
        method: grpc.UnaryStreamMultiCallable[Request, Response],
        request: Request,
        until: float | None,
    ) -> Generator[Response, None, None]:
        """The messages of a stream, until nothing comes for too long; the time of the consumer does not count."""
        self._check_open()
        call = method(request, metadata=self._metadata)
        alarm = Alarm(call.cancel)
        try:
            while True:
                alarm.set(self._wait(until))
                message = next(call, None)
                alarm.clear()
                if message is None:
                    return
                yield self._checked(message)
        except grpc.RpcError as error:
            failure = self._silent(until) if alarm.rang else self._failed(error)
            raise failure from failure.__cause__
        finally:
            alarm.end()
            call.cancel()

    def _wait(self, until: float | None) -> float:
        silence = self._patience.silence
        return silence if until is None else min(silence, until - time.monotonic())

    def _silent(self, until: float | None) -> Exception:
        return timed_out() if _is_past(until) else silent(self._patience.silence)

    def _pause(self, seconds: float, until: float | None = None) -> None:
        self._closed.wait(seconds if until is None else max(0, min(seconds, until - time.monotonic())))
        if _is_past(until):
            raise timed_out()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise closed()

    def _checked(self, message: Response) -> Response:
        self._heard = True
        if isinstance(message, Undecodable):
            raise undecodable(self.address, message.cause)
        return message

    def _failed(self, error: grpc.RpcError) -> RunnerError:
        if self._closed.is_set():
            return closed()
        failure = failed_call(error)
        if failure:
            self._heard = True
            return failure
        text = error.details() or ""
        finding = find_in_status(text, self.address)
        if not finding and looks_like_no_connection(error.code(), text):
            finding = find_in_connection(text, self._target, self._heard)
        return failed_transport(error, self.address, finding)


class _Connection:
    """The connection of one watch: that of the client, until it may be dead; then one for this watch alone."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._own: grpc.Channel | None = None
        self.stub = channel.stub

    def renew(self) -> None:
        """Takes another connection, unless the one there is is still being made: it would never be there in time."""
        if not self._channel.is_connected(self._own):
            return
        self.leave()
        self._own = self._channel.connect_another()
        self.stub = make_stub(self._own)

    def leave(self) -> None:
        """Closes a connection for this watch alone."""
        if self._own:
            self._channel.leave(self._own)


def timed_out() -> TimeoutError:
    """The caller's own limit for a wait has passed."""
    return TimeoutError("The job has not ended in time. It goes on.")


def _is_past(until: float | None) -> bool:
    return until is not None and time.monotonic() >= until
