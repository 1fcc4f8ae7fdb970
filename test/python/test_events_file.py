"""A job's events file on a disk that is full, slow or failing."""

from __future__ import annotations

import json
from errno import EDQUOT, EFBIG, EIO, ENOSPC
from os import strerror
from pathlib import Path

import pytest

from plugin_runner.events_file import EventsFile


class Disk:
    """Takes so many bytes, then fails."""

    def __init__(self) -> None:
        self.room: int | None = None
        self.error = ENOSPC
        self.written = b""

    def write(self, fd: int, lines: memoryview) -> int:
        if self.room == 0:
            raise OSError(self.error, strerror(self.error))
        taken = lines if self.room is None else lines[: self.room]
        if self.room is not None:
            self.room -= len(taken)
        self.written += taken
        return len(taken)

    @property
    def messages(self) -> list[str]:
        return [json.loads(line)["message"] for line in self.written.splitlines()]


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def events(disk: Disk, tmp_path: Path) -> EventsFile:
    return EventsFile(str(tmp_path / "events.jsonl"), disk.write)


def line(message: str) -> bytes:
    return json.dumps({"message": message}).encode() + b"\n"


@pytest.mark.parametrize("number", [ENOSPC, EDQUOT, EIO, EFBIG])
def test_what_a_failing_disk_does_not_take_is_written_later_in_order_and_whole(
    events: EventsFile, disk: Disk, number: int
) -> None:
    disk.error = number
    disk.room = len(line("first")) + 10
    for message in ("first", "second", "third"):
        events.append(line(message))
    assert disk.written.count(b"\n") == 1
    assert not events.flush()
    assert events.error is not None
    assert events.error.errno == number
    disk.room = 10
    assert not events.flush()
    disk.room = None
    assert events.flush()
    events.append(line("fourth"))
    assert disk.messages == ["first", "second", "third", "fourth"]


def test_to_write_nothing_is_not_to_find_the_disk_full(events: EventsFile, disk: Disk) -> None:
    events.append(b"")
    events.append(line("first"))
    assert events.error is None
    assert disk.messages == ["first"]


def test_output_that_would_wait_beyond_its_room_is_dropped_and_counted_and_nothing_else(
    events: EventsFile, disk: Disk
) -> None:
    said: list[str] = []
    events.on_dropped = said.append
    disk.room = 0
    size = len(line("1"))
    for message in "123":
        events.append(line(message), 2 * size)
    events.append(line("reported"), 10 * size)
    events.append(line("result"))
    disk.room = None
    assert events.flush()
    why = f"the job's events could not be written ([Errno {ENOSPC}] {strerror(ENOSPC)})."
    assert disk.messages == ["1", "2", "reported", "result"]
    assert said == [f"Left out 1 lines of output, {size} bytes: {why}"]


def test_a_file_that_cannot_be_made_yet_is_made_later(disk: Disk, tmp_path: Path) -> None:
    events = EventsFile(str(tmp_path / "later" / "events.jsonl"), disk.write)
    events.append(line("first"))
    assert events.error is not None
    (tmp_path / "later").mkdir()
    assert events.flush()
    assert disk.messages == ["first"]


def test_a_disk_that_takes_nothing_and_says_nothing_is_full(events: EventsFile, disk: Disk) -> None:
    events._write = lambda fd, lines: 0
    events.append(line("first"))
    assert events.error is not None
    assert events.error.errno == ENOSPC


def test_a_full_disk_is_waited_for_longer_than_a_broken_one(events: EventsFile, disk: Disk) -> None:
    disk.room = 0
    events.append(line("first"))
    full = events.patience()
    disk.error = EIO
    events.flush()
    assert events.patience() < full
