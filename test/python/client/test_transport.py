"""What is wrong with a connection is said once, in one sentence."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from fake_service import FakeService, fail
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from targets import Targets

from plugin_runner.client import RunnerError, Tls, ValidationError, diagnosis, target
from pluginrunner.v1 import plugin_runner_pb2_grpc
from pluginrunner.v1.plugin_runner_pb2 import DeleteJobResponse, RunPluginResponse

Connect = Callable[..., Any]

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tls]:
    """Certificates that are their own authorities."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {}
    for name, host in (("good", "localhost"), ("other", "localhost"), ("elsewhere", "elsewhere.example.com")):
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -keyout"
        subject = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
        subprocess.run([*command.split(), key, "-out", cert, *subject], check=True, stderr=subprocess.DEVNULL)
        made[name] = Tls(ca=cert, cert=cert, key=key)
    return made


@contextmanager
def serve(certificate: Tls | None, clients: Tls | None = None) -> Iterator[str]:
    """A service that answers no call, behind TLS."""
    server = grpc.server(ThreadPoolExecutor(2))
    plugin_runner_pb2_grpc.add_PluginRunnerServicer_to_server(FakeService(), server)
    if certificate:
        pair = (read(certificate.key), read(certificate.cert))
        credentials = grpc.ssl_server_credentials([pair], read(clients.ca) if clients else None, bool(clients))
        port = server.add_secure_port("localhost:0", credentials)
    else:
        port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(0).wait()


def read(path: Any) -> bytes:
    return Path(path).read_bytes()


def says_once(client: Any, said: str) -> None:
    """Of a call and of a watch, neither of which is tried again."""
    retries: list[RunnerError] = []
    for call in (lambda: client.get_job("j"), lambda: list(client.watch_job("j", on_retry=retries.append))):
        with pytest.raises(RunnerError, match=said) as caught:
            call()
        assert caught.value.reason == "UNAVAILABLE"
    assert retries == []


@needs_openssl
def test_what_is_wrong_with_tls_is_said_once(certificates: dict[str, Tls], connect: Connect) -> None:
    good, other, elsewhere = (certificates[name] for name in ("good", "other", "elsewhere"))
    with serve(good) as secure, serve(good, good) as mutual, serve(None) as plain, serve(elsewhere) as host:
        says_once(connect(secure), "speaks TLS: use tls=True")
        says_once(connect(mutual), "speaks TLS: use tls=True")
        says_once(connect(plain, tls=Tls(ca=good.ca)), "does not speak TLS")
        says_once(connect(secure, tls=Tls(ca=other.ca)), "signed by none of the given authorities")
        says_once(connect(secure, tls=True), "signed by none of the given authorities")
        says_once(connect(host, tls=Tls(ca=elsewhere.ca)), "that of another host")
        says_once(connect(mutual, tls=Tls(ca=good.ca)), "wants a certificate of the client")
    with pytest.raises(ValidationError, match="is not that of the certificate"):
        connect("localhost:1", tls=Tls(good.ca, good.cert, other.key))


@needs_openssl
def test_a_server_that_wants_another_certificate(
    certificates: dict[str, Tls], targets: Targets, connect: Connect
) -> None:
    mutual, other = targets.all["mutual"], certificates["other"]
    ca = Path(mutual["ca"])
    says_once(connect(mutual["address"], tls=Tls(ca=ca)), "wants a certificate of the client")
    with pytest.raises(RunnerError, match="may not trust that of Tls"):
        connect(mutual["address"], tls=Tls(ca, other.cert, other.key)).get_job("j")


def test_a_host_that_is_silent_is_given_up_at_once(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(diagnosis, "_PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        says_once(connect(f"127.0.0.1:{silent.getsockname()[1]}"), "It is silent")


@pytest.mark.parametrize(
    ("status", "reason", "calls"),
    [
        (302, "INTERNAL", 1),
        (400, "INTERNAL", 1),
        (401, "UNAUTHENTICATED", 1),
        (403, "FORBIDDEN", 1),
        (404, "FORBIDDEN", 1),
        (413, "REQUEST_INVALID", 1),
        (429, "OVERLOADED", 1),
        (431, "REQUEST_INVALID", 1),
        (500, "INTERNAL", 1),
        (502, "UNAVAILABLE", 5),
        (503, "UNAVAILABLE", 5),
    ],
)
def test_a_status_of_http_is_the_proxys(status: int, reason: str, calls: int, connect: Connect) -> None:
    with Proxy(status) as proxy:
        with pytest.raises(RunnerError, match=rf"\(HTTP {status}\)") as caught:
            connect(proxy.address).get_job("j")
        assert (caught.value.reason, proxy.calls) == (reason, calls)


class Proxy:
    """Answers every call with a status of HTTP/2 and no more."""

    def __init__(self, status: int) -> None:
        # One literal header of HPACK, not indexed: the name is `:status`, the eighth of the static table.
        self._block = b"\x08\x03" + str(status).encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.calls = 0

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as incoming:
            incoming.read(24)
            connection.sendall(frame(4, 0, 0))
            while True:
                header = incoming.read(9)
                if len(header) < 9:
                    return
                length, kind, flags = int.from_bytes(header[:3], "big"), header[3], header[4]
                stream = int.from_bytes(header[5:], "big")
                payload = incoming.read(length)
                if kind == 4 and not flags & 1:
                    connection.sendall(frame(4, 1, 0))
                if kind == 6 and not flags & 1:
                    connection.sendall(frame(6, 1, 0, payload))
                if kind == 1:
                    self.calls += 1
                    connection.sendall(frame(1, 5, stream, self._block))


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def test_a_message_that_is_too_large_names_the_side(connect: Connect) -> None:
    def refuse(_request: Any, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (5000000 vs 4194304)")

    def large(_request: Any, _context: Any) -> RunPluginResponse:
        response = RunPluginResponse()
        response.result.string_value = "x" * (17 << 20)
        return response

    with FakeService(RunPlugin=[refuse, large]).listen() as address:
        client = connect(address)
        with pytest.raises(ValidationError, match="--max-request-size"):
            client.run_plugin("p", "a")
        with pytest.raises(RunnerError, match="larger than the 16777216 bytes") as caught:
            client.run_plugin("p", "a")
        assert caught.value.reason == "INTERNAL"


def test_an_answer_that_cannot_be_decoded_is_this_clients_own_error(connect: Connect) -> None:
    with Raw(b"\xff\xff\xff") as raw:
        client = connect(raw.address)
        retries: list[RunnerError] = []
        for call in (
            lambda: client.get_job("j"),
            lambda: list(client.watch_job("j", on_retry=retries.append)),
            lambda: client.submit_job("p", "a"),
        ):
            with pytest.raises(RunnerError, match="cannot be read by this client") as caught:
                call()
            assert caught.value.reason == "INTERNAL"
        assert retries == []
        assert raw.calls == 3


class Raw:
    """A service whose answers are these bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.calls = 0
        self._server = grpc.server(ThreadPoolExecutor(2))

    def __enter__(self) -> Raw:
        self._server.add_generic_rpc_handlers((self,))  # type: ignore[arg-type]
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(0).wait()

    def service(self, call: grpc.HandlerCallDetails) -> Any:
        self.calls += 1
        if call.method.endswith(("WatchJob", "SubmitJob")):
            return grpc.unary_stream_rpc_method_handler(lambda _request, _context: iter([self._answer]))
        return grpc.unary_unary_rpc_method_handler(lambda _request, _context: self._answer)


@pytest.mark.parametrize("name", ["http_proxy", "https_proxy", "grpc_proxy"])
def test_a_proxy_of_the_environment_does_not_take_loopback(
    name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    with FakeService(RunPlugin=[lambda _request, _context: RunPluginResponse()]).listen() as address:
        assert connect(address).run_plugin("p", "a") is None


def not_found(_request: Any, context: grpc.ServicerContext) -> None:
    detail = AnyMessage()
    detail.Pack(ErrorInfo(reason="JOB_NOT_FOUND", domain="pluginrunner.v1.PluginRunner"))
    status = Status(code=5, message="There is no job.", details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(grpc.StatusCode.NOT_FOUND, "There is no job.")


def test_a_deletion_whose_answer_was_lost_has_succeeded(connect: Connect) -> None:
    with FakeService(DeleteJob=[fail(grpc.StatusCode.UNAVAILABLE), not_found]).listen() as address:
        connect(address).delete_job("j")
    with FakeService(DeleteJob=[not_found]).listen() as address, pytest.raises(RunnerError) as caught:
        connect(address).delete_job("j")
    assert caught.value.reason == "JOB_NOT_FOUND"
    with FakeService(DeleteJob=[lambda _request, _context: DeleteJobResponse()]).listen() as address:
        connect(address).delete_job("j")
