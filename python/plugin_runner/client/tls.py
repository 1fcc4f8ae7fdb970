"""TLS: what is given for it, read and checked before anything connects."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Optional, Union

import grpc

from plugin_runner.client.failures import misuse

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
class Pems:
    """What a `Tls` comes to."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC connects with."""
        return grpc.ssl_channel_credentials(self.ca or _system_authorities(), self.key, self.cert)

    def context(self) -> ssl.SSLContext:
        """The same for a connection of Python's own."""
        context = ssl.create_default_context(cadata=self.ca.decode("latin-1") if self.ca else None)
        if self.cert and self.key:
            with NamedTemporaryFile() as file:
                file.write(self.key + b"\n" + self.cert)
                file.flush()
                context.load_cert_chain(file.name)
        return context


def read_tls(tls: Tls) -> Pems:
    """Reads and checks the files. Raises ValidationError with the field that is wrong."""
    if (tls.cert is None) is not (tls.key is None):
        field = "/tls/cert" if tls.cert is None else "/tls/key"
        raise misuse(field, "A client's certificate and its key go together: give both to Tls.")
    pems = Pems(_pem("/tls/ca", tls.ca), _pem("/tls/cert", tls.cert), _pem("/tls/key", tls.key))
    _check_certificate("/tls/ca", pems.ca)
    _check_certificate("/tls/cert", pems.cert)
    if pems.key is not None and b"PRIVATE KEY-----" not in pems.key:
        raise misuse("/tls/key", "There is no private key in what is given as Tls.key.")
    try:
        pems.context()
    except (ssl.SSLError, ValueError) as error:
        field = "/tls/key" if pems.cert else "/tls/ca"
        what = "The key is not that of the certificate" if pems.cert else "The certificate authorities cannot be read"
        raise misuse(field, f"{what}: {error}.") from None
    return pems


def _pem(field: str, given: Pem | None) -> bytes | None:
    if given is None or isinstance(given, bytes):
        return given
    if isinstance(given, str):
        if "-----BEGIN" not in given:
            raise misuse(field, "A text that is no PEM is given. Give the path of a file as a pathlib.Path.")
        return given.encode()
    try:
        return Path(given).read_bytes()
    except (OSError, TypeError) as error:
        raise misuse(field, f"A file of TLS cannot be read: {error}.") from None


def _check_certificate(field: str, pem: bytes | None) -> None:
    if pem is None or b"-----BEGIN CERTIFICATE" in pem or b"-----BEGIN TRUSTED CERTIFICATE" in pem:
        return
    what = ": it is a private key" if b"PRIVATE KEY-----" in pem else ""
    raise misuse(field, f"There is no certificate in what is given as Tls.{field[5:]}{what}.")


def _system_authorities() -> bytes | None:
    """gRPC brings a list of its own, which knows no authority that the system's owner added. None: take that list."""
    if "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH" in os.environ:
        return None
    known = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, known)).encode() or None
