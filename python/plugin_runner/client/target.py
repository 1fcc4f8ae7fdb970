"""Where the service is, and how to speak to it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from plugin_runner.client.address import DEFAULT_PORT, host_port_of, is_loopback
from plugin_runner.client.failures import misuse
from plugin_runner.client.tls import Pems, Tls, read_tls

if TYPE_CHECKING:
    import grpc

CONNECT_SECONDS = 20
"""For how long a host may be silent after it took a connection: gRPC's own limit."""


@dataclass(frozen=True)
class Target:
    """A service, with everything that was left to the environment looked up."""

    address: str
    token: str | None
    tls: Tls | None
    host_port: str | None = None
    """Where to look for what is wrong; None for an address that is another name of gRPC's."""

    @cached_property
    def pems(self) -> Pems | None:
        """The certificates and keys; None for a connection in plain text."""
        return read_tls(self.tls) if self.tls else None

    def credentials(self) -> grpc.ChannelCredentials | None:
        """The credentials of a connection; None for one in plain text."""
        return self.pems.credentials() if self.pems else None

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call sends beside its request."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    def options(self) -> tuple[tuple[str, int], ...]:
        """The options of both kinds of channel."""
        proxy = (("grpc.enable_http_proxy", 0),) if is_loopback(self.address) else ()
        return (
            ("grpc.max_receive_message_length", LARGEST_MESSAGE),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", 20_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            # Retries are this client's own: it knows what is safe to repeat.
            ("grpc.enable_retries", 0),
            ("grpc.initial_reconnect_backoff_ms", 100),
            # Less than the time for which calls are repeated, so that a server that has come back is found.
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.min_reconnect_backoff_ms", CONNECT_SECONDS * 1000),
            # Channels of the same options would share one connection, also a dead one.
            ("grpc.use_local_subchannel_pool", 1),
            *proxy,
        )


LARGEST_MESSAGE = 16 * 1024 * 1024


def find_target(address: str | None, token: str | None, tls: bool | Tls | None) -> Target:
    """What is given, else what the environment says, else the defaults. Raises ValidationError."""
    token = os.environ.get("PLUGIN_RUNNER_TOKEN") if token is None else token
    if token and not (isinstance(token, str) and token.isascii() and token.isprintable()):
        # The line break at the end of a file, for example. The token itself is not said.
        raise misuse("/token", "The token has characters that a header cannot carry.")
    address = address or os.environ.get("PLUGIN_RUNNER_ADDRESS") or f"127.0.0.1:{DEFAULT_PORT}"
    if not isinstance(address, str):
        raise misuse("/address", f"The address is of type {type(address).__name__}, not a text.")
    if tls and tls is not True and not isinstance(tls, Tls):
        raise misuse("/tls", f"tls is of type {type(tls).__name__}: give True or a plugin_runner.Tls.")
    host_port = host_port_of(address)
    return Target(host_port or address, token, Tls() if tls is True else tls or None, host_port)
