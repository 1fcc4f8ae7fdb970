"""What a status means that the service did not send: the connection, a proxy or gRPC itself did."""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING, NamedTuple

from grpc import StatusCode

from plugin_runner.client.address import split
from plugin_runner.client.target import CONNECT_SECONDS, LARGEST_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugin_runner.client.errors import Finality
    from plugin_runner.client.target import Target

_PROBE_SECONDS = 2.0


class Finding(NamedTuple):
    """What is wrong."""

    message: str
    final: Finality = "certain"
    """Whether another try would end the same way; `unless_heard`: not where the server has answered before."""
    reason: str = "UNAVAILABLE"
    code: str | None = None
    """The status, where it is another than gRPC's."""


_HTTP = re.compile(r"http2 header with status: (\d{3})")
_HTTP_REASONS = {
    413: ("REQUEST_INVALID", "refuses a request of this size"),
    431: ("REQUEST_INVALID", "refuses headers of this size"),
    401: ("UNAUTHENTICATED", "wants credentials"),
    407: ("UNAUTHENTICATED", "wants credentials"),
    403: ("FORBIDDEN", "refuses the call"),
    404: ("FORBIDDEN", "does not know this service"),
    429: ("OVERLOADED", "takes no more calls for now"),
    **dict.fromkeys((502, 503, 504), ("UNAVAILABLE", "finds no service that answers")),
}


def find_in_status(text: str, address: str) -> Finding | None:
    """What the text of a status tells, without a look at the server."""
    http = _HTTP.search(text)
    if http and http[1] != "200":
        reason, what = _HTTP_REASONS.get(int(http[1]), ("INTERNAL", "refuses the call"))
        unavailable = reason == "UNAVAILABLE"
        return Finding(
            f"A proxy at {address} {what} (HTTP {http[1]}).",
            "" if unavailable else "certain",
            reason,
            "UNAVAILABLE" if unavailable else None,
        )
    if "eceived message larger than max" in text:
        if text.startswith("CLIENT:") or f"vs. {LARGEST_MESSAGE}" in text:
            what = f"The answer of {address} is larger than the {LARGEST_MESSAGE} bytes that this client takes."
            return Finding(what, reason="INTERNAL")
        return Finding(
            f"The request is larger than the server at {address} takes ({text}). Send a file's path instead, or start "
            "the server with a larger --max-request-size.",
            reason="REQUEST_INVALID",
        )
    return None


_UNKNOWN_HOST = re.compile("name not found|errors resolving|not known", re.IGNORECASE)
_SILENT = re.compile("timed? ?out|timeout|handshake read failed", re.IGNORECASE)
_VERIFICATION = re.compile("CERTIFICATE_VERIFY_FAILED(?:: ([a-z][a-z ]+))?")


def looks_like_no_connection(code: StatusCode, text: str) -> bool:
    """Whether it is worth to find out why there is no connection.

    Also where one was refused: gRPC tells of the last address alone, and `localhost` has two.
    """
    return code is StatusCode.UNAVAILABLE and not _UNKNOWN_HOST.search(text)


def find_in_connection(text: str, target: Target, heard: bool) -> Finding | None:
    """
    Why there is no connection. Looks at a server that was never heard where gRPC's text does not tell, for two seconds
    at most.
    """
    if target.host_port is None:
        return None
    told = _told(text, target)
    if told:
        return Finding(told)
    if heard:
        return _silent(target.address) if _SILENT.search(text) else None
    seen = _seen(target)
    if seen is _SILENCE:
        return _silent(target.address) if _SILENT.search(text) else None
    if seen is _GONE:
        # Or it has nothing behind it for now: worth another try.
        what = f"The server at {target.address} goes right after the handshake of TLS, in which it asked for a "
        return Finding(what + f"certificate of the client: it may not trust that of Tls.cert ({text}).", "")
    return Finding(seen) if seen else None


def _told(text: str, target: Target) -> str | None:
    verification = _VERIFICATION.search(text)
    if verification and verification[1]:
        return _untrusted(target.address, verification[1].strip())
    if "Hostname Verification Check failed" in text:
        return _untrusted(target.address, "hostname mismatch")
    if "WRONG_VERSION_NUMBER" in text:
        return _speaks_no_tls(target.address)
    return None


_SILENCE = "silence"
_GONE = "gone"


def _seen(target: Target) -> str | None:
    """What a connection of this program's own meets: what is wrong with TLS, `_SILENCE`, `_GONE`, or nothing."""
    pems = target.pems
    host, port = split(target.host_port or "")
    context = pems.context() if pems else _blind_context()
    context.set_alpn_protocols(["h2"])
    is_asked = _note_request(context)
    try:
        with socket.create_connection((host, port), _PROBE_SECONDS) as plain:
            plain.settimeout(_PROBE_SECONDS)
            with context.wrap_socket(plain, server_hostname=host) as secure:
                if pems is None:
                    return _speaks_tls(target.address)
                # A server that wants a certificate says so, or goes without a word, after the handshake.
                return None if secure.recv(1) else _gone(target, is_asked())
    except socket.timeout:
        return _SILENCE
    except ssl.SSLCertVerificationError as error:
        return _untrusted(target.address, error.verify_message)
    except (ssl.SSLEOFError, ConnectionResetError):
        return _gone(target, is_asked()) if pems else None
    except ssl.SSLError as error:
        return _alert(error.reason or "", target)
    except OSError:
        return None


def _blind_context() -> ssl.SSLContext:
    """Nothing is sent over this connection, so whose certificate it is does not matter."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _note_request(context: ssl.SSLContext) -> Callable[[], bool]:
    """Whether the server has asked for a certificate, as far as this Python tells what its TLS hears."""
    asked: list[bool] = []

    def hear(_connection: object, direction: str, _version: object, _content: object, kind: int, _data: bytes) -> None:
        if direction == "read" and kind == _CERTIFICATE_REQUEST:
            asked.append(True)

    if hasattr(context, "_msg_callback"):
        context._msg_callback = hear
    return lambda: bool(asked)


# The type of the message in RFC 8446 and RFC 5246.
_CERTIFICATE_REQUEST = 13


def _gone(target: Target, is_asked: bool) -> str | None:
    if not is_asked:
        return None
    has_certificate = target.pems is not None and target.pems.cert is not None
    return _GONE if has_certificate else _wants_certificate(target.address)


def _wants_certificate(address: str) -> str:
    return f"The server at {address} wants a certificate of the client that it trusts: give cert and key to Tls."


def _alert(reason: str, target: Target) -> str | None:
    is_alert = "ALERT" in reason
    if target.pems is None:
        return _speaks_tls(target.address) if is_alert else None
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"):
        return _speaks_no_tls(target.address)
    if is_alert and re.search("CERTIFICATE|UNKNOWN_CA|HANDSHAKE_FAILURE", reason):
        return _wants_certificate(target.address)
    return f"No connection with TLS to {target.address}: {reason}."


def _speaks_tls(address: str) -> str:
    return f"The server at {address} speaks TLS: use tls=True, or tls=Tls(ca=…) with its authority."


def _speaks_no_tls(address: str) -> str:
    return f"The server at {address} does not speak TLS: leave tls out."


def _untrusted(address: str, why: str) -> str:
    said = why.lower()
    if "expired" in said or "not yet valid" in said:
        what = "it has expired or is not yet valid"
    elif "hostname" in said or "ip address mismatch" in said:
        what = "it is that of another host"
    elif "issuer" in said or "self signed" in said or "self-signed" in said or "unknown" in said:
        what = "it is signed by none of the given authorities; give its authority as Tls(ca=…)"
    else:
        what = why
    return f"The certificate of {address} is not trusted: {what}."


def _silent(address: str) -> Finding:
    what = f"No answer from {address} within {CONNECT_SECONDS} s. It is silent: see that the address is the service's."
    return Finding(what, "unless_heard")
