"""What a job prints, as lines of its log."""

from __future__ import annotations

import json

import pytest

from plugin_runner import journal, output


class Printed:
    """A stream whose clock stands until a test moves it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(output, "monotonic", lambda: self.now)
        self._written: list[bytes] = []
        record = journal.Journal(self._append, 1 << 20, 100_000)
        self.stream = output.TextStream("STDERR", 1000, record, None)

    def _append(self, lines: bytes, room: int | None = None, /) -> None:
        self._written.append(lines)

    @property
    def lines(self) -> list[str]:
        return [json.loads(line)["message"] for line in b"".join(self._written).splitlines()]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Printed:
    return Printed(monkeypatch)


def test_a_bar_becomes_lines_as_it_moves_and_its_last_state_is_whole(printed: Printed) -> None:
    for percent in range(100):
        printed.now += 0.1
        printed.stream.feed(f"\r{percent}%|bar".encode())
    assert len(printed.lines) == 10
    printed.stream.feed(b"\r100%|bar\n")
    assert printed.lines[0] == "0%|bar"
    assert printed.lines[-1] == "100%|bar"
    assert len(printed.lines) == len(set(printed.lines)) == 11


def test_a_bar_that_never_ends_its_line_still_shows_its_last_state(printed: Printed) -> None:
    printed.stream.feed(b"\r1%\r2%\r3%")
    printed.stream.end()
    assert printed.lines == ["1%", "3%"]


def test_a_bar_that_clears_itself_leaves_its_last_state(printed: Printed) -> None:
    printed.stream.feed(b"\r1%\r2%\r\n")
    assert printed.lines == ["1%", "2%"]


def test_lines_that_end_in_carriage_return_and_newline_are_lines(printed: Printed) -> None:
    printed.stream.feed(b"a\r\nb\r\n\r\nc\r")
    printed.stream.feed(b"\nd\n\ne")
    printed.stream.end()
    assert printed.lines == ["a", "b", "", "c", "d", "", "e"]


def test_lines_without_a_carriage_return_are_as_they_were_written(printed: Printed) -> None:
    printed.stream.feed(b"a\n\nb")
    printed.stream.feed(b"c\n")
    assert printed.lines == ["a", "", "bc"]
