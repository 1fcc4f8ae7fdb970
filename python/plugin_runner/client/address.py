"""Where a service is: `host:port`, or another name of gRPC's."""

from __future__ import annotations

import ipaddress
import re

from plugin_runner.client.failures import misuse

DEFAULT_PORT = 50151

_OTHER = re.compile(r"(dns|ipv4|ipv6|unix|unix-abstract|vsock|xds):")
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://([^/]*)")


def host_port_of(address: str) -> str | None:
    """The address with the default port where it has none; None for another name of gRPC's. Raises ValidationError."""
    if _OTHER.match(address):
        return None
    url = _URL.match(address)
    if url:
        how = "with tls=True" if url[1].endswith("s") else "without tls"
        raise _bad(address, f"is a URL: give {url[2]!r}, {how}")
    if not address or re.search(r"[\x00-\x20/\x7f]", address):
        raise _bad(address, "is not of the form host:port")
    if address.count(":") > 1 and _is_ip(address.strip("[]")):
        return f"[{address.strip('[]')}]:{DEFAULT_PORT}"
    host, colon, port = address.rpartition(":")
    if not colon:
        return f"{address}:{DEFAULT_PORT}"
    if not host or (":" in host and not _is_ip(host[1:-1] if host[:1] + host[-1:] == "[]" else "")):
        raise _bad(address, "is not of the form host:port")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise _bad(address, f"has the port {port!r}, which is no number from 1 to 65535")
    return address


def split(host_port: str) -> tuple[str, int]:
    """The host, without the brackets of IPv6, and the port."""
    host, _, port = host_port.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(address: str) -> bool:
    """Whether an address is of this machine itself, to which no proxy leads."""
    if _OTHER.match(address):
        return address.startswith("unix")
    host, _ = split(address)
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_ip(host) and ipaddress.ip_address(host).is_loopback


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _bad(address: str, what: str) -> Exception:
    return misuse("/address", f"The address {address!r} {what}.")
