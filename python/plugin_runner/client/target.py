"""Where the service is, and how to speak to it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

import grpc

Pem = Union[str, bytes, "os.PathLike[str]"]
"""Certificates or a key: a text in PEM, or the path of a file of it."""


@dataclass(frozen=True)
class Tls:
    """How to use TLS."""

    ca: Optional[Pem] = None
    """The certificate authorities that the server's certificate may come from; default: those of the system."""
    cert: Optional[Pem] = None
    """The client's own certificate; default: none."""
    key: Optional[Pem] = None
    """The key of `cert`."""


@dataclass(frozen=True)
class Target:
    """A service, with everything that was left to the environment looked up."""

    address: str
    token: str | None
    tls: Tls | None

    def credentials(self) -> grpc.ChannelCredentials | None:
        """The credentials of a connection; None for one in plain text."""
        if self.tls is None:
            return None
        ca = _pem(self.tls.ca) or _system_authorities()
        return grpc.ssl_channel_credentials(ca, _pem(self.tls.key), _pem(self.tls.cert))

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call sends beside its request."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


def find_target(address: str | None, token: str | None, tls: bool | Tls | None) -> Target:
    """What is given, else what the environment says, else the defaults."""
    found = os.environ.get("PLUGIN_RUNNER_TOKEN") if token is None else token
    if found and not (found.isascii() and found.isprintable()):
        # The line break at the end of a file, for example. The token itself is not said.
        raise ValueError("The token has characters that a header cannot carry.")
    return Target(
        address or os.environ.get("PLUGIN_RUNNER_ADDRESS") or "127.0.0.1:50151",
        found,
        Tls() if tls is True else tls or None,
    )


CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Retries are this client's own: it knows what is safe to repeat.
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Less than the time for which calls are repeated, so that a server that has come back is found.
    ("grpc.max_reconnect_backoff_ms", 500),
)
"""The options of both kinds of channel."""


def _pem(given: Pem | None) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    if not isinstance(given, str):
        return Path(given).read_bytes()
    if "-----BEGIN" not in given:
        raise ValueError("A text is no PEM. Give the path of a file as a pathlib.Path.")
    return given.encode()


def _system_authorities() -> bytes | None:
    """gRPC brings a list of its own, which knows no authority that the system's owner added. None: take that list."""
    if "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" in os.environ:
        return None
    known = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, known)).encode() or None
