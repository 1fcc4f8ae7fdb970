"""Where the service is, and what is sent to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugin_runner.client.target import Tls, find_target

ADDRESS, TOKEN = "PLUGIN_RUNNER_ADDRESS", "PLUGIN_RUNNER_TOKEN"


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        (None, None, "127.0.0.1:50151"),
        (None, "", "127.0.0.1:50151"),
        (None, "there:1", "there:1"),
        ("here:2", "there:1", "here:2"),
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
    with pytest.raises(ValueError, match="a header cannot carry") as caught:
        find_target(None, "s3cret\n", None)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("tls", [None, False])
def test_plain_text_has_no_credentials(tls: bool | None) -> None:
    assert find_target(None, None, tls).credentials() is None


@pytest.mark.parametrize("tls", [True, Tls()])
def test_tls_takes_the_authorities_of_the_system(tls: bool | Tls) -> None:
    assert find_target(None, None, tls).credentials() is not None


def test_the_name_of_a_file_is_no_pem() -> None:
    with pytest.raises(ValueError, match=r"pathlib\.Path"):
        find_target(None, None, Tls(ca="ca.pem")).credentials()
    with pytest.raises(FileNotFoundError):
        find_target(None, None, Tls(ca=Path("/nowhere/ca.pem"))).credentials()
