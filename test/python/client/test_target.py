"""Where the service is, and what is sent to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugin_runner.client import Tls, ValidationError
from plugin_runner.client.target import find_target

ADDRESS, TOKEN = "PLUGIN_RUNNER_ADDRESS", "PLUGIN_RUNNER_TOKEN"


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (None, None, "127.0.0.1:50151"),
        (None, "", "127.0.0.1:50151"),
        (None, "there:1", "there:1"),
        ("here:2", "there:1", "here:2"),
        ("localhost", None, "localhost:50151"),
        ("::1", None, "[::1]:50151"),
        ("[::1]:7", None, "[::1]:7"),
        ("unix:/x", None, "unix:/x"),
    ],
)
def test_the_address(
    given: str | None, environment: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    if environment is not None:
        monkeypatch.setenv(ADDRESS, environment)
    assert find_target(given, None, None).address == expected


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (None, None, ()),
        (None, "b", (("authorization", "Bearer b"),)),
        ("a", "b", (("authorization", "Bearer a"),)),
        ("", "b", ()),
    ],
)
def test_the_token(
    given: str | None, environment: str | None, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TOKEN, raising=False)
    if environment is not None:
        monkeypatch.setenv(TOKEN, environment)
    assert find_target(None, given, None).metadata() == expected


def test_a_token_that_no_header_can_carry_is_refused_and_not_said() -> None:
    with pytest.raises(ValidationError, match="a header cannot carry") as caught:
        find_target(None, "s3cret\n", None)
    assert "s3cret" not in str(caught.value)
    assert caught.value.violations[0].field == "/token"


@pytest.mark.parametrize("tls", [None, False])
def test_plain_text_has_no_credentials(tls: bool | None) -> None:
    assert find_target(None, None, tls).credentials() is None


@pytest.mark.parametrize("tls", [True, Tls()])
def test_tls_takes_the_authorities_of_the_system(tls: bool | Tls) -> None:
    assert find_target(None, None, tls).credentials() is not None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://there:1", "is a URL: give 'there:1', with tls=True"),
        ("http://there:1/", "is a URL: give 'there:1', without tls"),
        ("there:http", "the port 'http'"),
        ("there:65536", "the port"),
        ("there:1/path", "host:port"),
        (":1", "host:port"),
        (5, "not a text"),
    ],
)
def test_an_address_that_cannot_work_is_refused(address: Any, said: str) -> None:
    assert said in refusal(lambda: find_target(address, None, None), "/address")


def test_what_is_no_certificate_is_refused(tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
    for tls, field, said in (
        (Tls(ca="ca.pem"), "/tls/ca", "pathlib.Path"),
        (Tls(ca=Path("/nowhere/ca.pem")), "/tls/ca", "/nowhere/ca.pem"),
        (Tls(ca=key), "/tls/ca", "it is a private key"),
        (Tls(ca=b"-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----"), "/tls/ca", "cannot be read"),
        (Tls(cert=key), "/tls/key", "go together"),
        (Tls(key=key), "/tls/cert", "go together"),
        (Tls(cert=key, key=key), "/tls/cert", "it is a private key"),
    ):
        assert said in refusal(find_target(None, None, tls).credentials, field)
    assert "plugin_runner.Tls" in refusal(lambda: find_target(None, None, "ca.pem"), "/tls")  # type: ignore[arg-type]


def refusal(call: Callable[[], object], field: str) -> str:
    with pytest.raises(ValidationError) as caught:
        call()
    assert caught.value.reason == "REQUEST_INVALID"
    assert [one.field for one in caught.value.violations] == [field]
    return caught.value.message
