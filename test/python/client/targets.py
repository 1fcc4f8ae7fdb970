"""The servers of the clients' cases: see test/clients/README.md."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from plugin_runner.client import AsyncClient, Client, Tls


class Targets:
    """What test/clients/with-targets.ts has started, and how each target of the cases is reached."""

    def __init__(self) -> None:
        self.all: dict[str, Any] = json.loads(Path(os.environ["PLUGIN_RUNNER_TARGETS"]).read_text())

    def client(self, target: str) -> Client:
        return Client(**self._options(target))

    def async_client(self, target: str) -> AsyncClient:
        return AsyncClient(**self._options(target))

    def _options(self, target: str) -> dict[str, Any]:
        secure, mutual = self.all["secure"], self.all["mutual"]
        options: dict[str, dict[str, Any]] = {
            "plain": {"address": self.all["plain"]},
            "secure": {
                "address": secure["address"],
                "token": secure["token"],
                "tls": Tls(ca=Path(secure["ca"])),
            },
            "secure_without_token": {
                "address": secure["address"],
                "token": "",
                "tls": Tls(ca=Path(secure["ca"]).read_text()),
            },
            "secure_without_ca": {
                "address": secure["address"],
                "token": secure["token"],
                "tls": True,
            },
            "mutual": {
                "address": mutual["address"],
                "tls": Tls(*(Path(mutual[name]).read_bytes() for name in ("ca", "cert", "key"))),
            },
            "reasons": {"address": self.all["reasons"]},
            "down": {"address": self.all["down"]},
            "proxy": {"address": self.all["proxy"]["address"]},
            "silent": {"address": self.all["silent"]["address"], "heartbeat_timeout": 1},
            "leaving": {"address": self.all["leaving"]["address"]},
        }
        return options[target]


def tell(address: str) -> None:
    """Connects to what does something then, and returns once that is done."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port))) as connection:
        while connection.recv(1024):
            pass
