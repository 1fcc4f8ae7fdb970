"""The methods of the service, which tell an answer that cannot be decoded from one that does not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pluginrunner.v1.plugin_runner_pb2_grpc import PluginRunnerStub

if TYPE_CHECKING:
    from collections.abc import Callable

METHOD_KINDS = ("unary_unary", "unary_stream")


class Undecodable:
    """Stands for a message that was received and cannot be decoded."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class _Decoding:
    """A channel whose messages are decoded to `Undecodable` where gRPC would log a stack and say INTERNAL."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel

    def __getattr__(self, kind: str) -> Any:
        make = getattr(self._channel, kind)
        if kind not in METHOD_KINDS:
            return make

        def make_decoding(path: str, *, response_deserializer: Callable[[bytes], object], **options: Any) -> Any:
            return make(path, response_deserializer=_decoding(response_deserializer), **options)

        return make_decoding


def make_stub(channel: Any) -> PluginRunnerStub:
    """The methods of the service over a channel of either kind."""
    return PluginRunnerStub(_Decoding(channel))  # type: ignore[arg-type]


def _decoding(decode: Callable[[bytes], object]) -> Callable[[bytes], object]:
    def decoded(message: bytes) -> object:
        try:
            return decode(message)
        except Exception as error:  # protobuf has other classes in each of its implementations
            return Undecodable(error)

    return decoded
