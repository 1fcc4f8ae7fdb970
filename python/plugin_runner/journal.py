"""A job's record: what of all that a job says is written, so that nothing crowds out anything else."""

from __future__ import annotations

from json.encoder import encode_basestring as _quoted
from time import monotonic, time

from plugin_runner.encode import dumps
from plugin_runner.events_file import OUTPUT_ROOM, REPORT_ROOM

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Append(Protocol):
        """See `EventsFile.append`."""

        def __call__(self, lines: bytes, room: int | None = None, /) -> object: ...

    Report = dict[str, Any]

# Of the record's events, either kind may fill so much while there is room, and both together: the rest is for states,
# artifacts, how the job ended, and the newest reports of a job that goes on beyond its limits.
_SHARE_OF_A_KIND = 0.8
_SHARE_OF_BOTH = 0.97
# Beyond its limits, a job's newest reports are written ever more rarely the longer it runs, some hundred times a week.
_PAUSE_SHARE = 0.02
_SHORTEST_PAUSE_SECONDS = 1.0
# So many steps, and so much of the metrics of each, are held until then.
_HELD_STEPS = 1000
_HELD_BYTES = 256 * 1024
# A time further ahead is none: no later record could keep up with it.
_FUTURE_SECONDS = 1.0


class Journal:
    """Writes records up to the job's limits, one for output (lines and logs), one for reports (progress and metrics).

    What is left out is counted where it is left out. Of reports beyond their limit the newest progress of each step and
    the newest value of each metric are written at growing intervals, and at the end. Times never go back.
    """

    def __init__(self, append: Append, limit: int, max_events: int) -> None:
        self._append = append
        events = int(max_events * _SHARE_OF_A_KIND)
        self._limits = f"{limit} bytes or {events} events"
        self._room = int(max_events * _SHARE_OF_BOTH)
        self._output = _Share(limit, events)
        self._reports = _Share(limit, events)
        self._last = 0.0
        self._started = self._flushed = self._said = monotonic()
        self._held: dict[tuple[str, str], tuple[Report, int]] = {}
        self._gap = 0
        self._lines = 0
        self._bytes = 0
        self._left_out_reports = 0

    @property
    def full(self) -> bool:
        """Whether all further output is left out."""
        return self._output.spent

    @property
    def due_at(self) -> float | None:
        """When, by the monotonic clock, `flush` is to be called."""
        return self._flushed + self._pause() if self._held else None

    def line(self, source: str, message: str, level: str = "") -> bytes:
        """A `log` record of now."""
        keys = f'"type":"log","source":"{source}","level":"{level}","message":{_quoted(message)},"fields":{{}}'
        return f'{{"time":{self._now(time()):.6f},{keys}}}\n'.encode("utf-8", "replace")

    def output(self, records: list[bytes]) -> None:
        """Appends lines and logs, or counts them."""
        size = sum(map(len, records))
        if self._output.takes(len(records), size, self._room):
            self._room -= len(records)
            self._append(b"".join(records), OUTPUT_ROOM)
            return
        for record in records:
            if self._output.takes(1, len(record), self._room):
                self._room -= 1
                self._append(record, OUTPUT_ROOM)
            else:
                self.leave_out(1, len(record))

    def leave_out(self, lines: int, size: int) -> None:
        """Counts output that is not written."""
        if not self._output.spent:
            self._output.spent = True
            self.say(f"The job's output has reached its limit of {self._limits}: what follows is left out.")
            self._said = monotonic()
        self._gap += lines
        self._lines += lines
        self._bytes += size

    def log(self, line: bytes, record: Report) -> None:
        """Appends a record of the job's own log, or counts it."""
        self.output([self._timed(line, record)])

    def report(self, line: bytes, record: Report) -> None:
        """Appends progress or metrics, or holds what is newest."""
        if self._reports.takes(1, len(line), self._room):
            self._room -= 1
            self._mark_gap(False)
            self._append(self._timed(line, record), REPORT_ROOM)
            return
        if not self._reports.spent:
            self._reports.spent = True
            more = "of what follows, the newest is written at growing intervals, and at the end."
            self.say(f"The job's progress and metrics have reached their limit of {self._limits}: {more}")
        self._hold(record, len(line))
        if monotonic() >= self._flushed + self._pause():
            self.flush()

    def always(self, line: bytes, record: Report) -> None:
        """Appends what has no limit: artifacts, and how the job ended."""
        self.flush()
        if record["type"] == "artifact" or self._gap < self._lines:  # else the sum, which comes next, says the same
            self._mark_gap(True)
        self._append(self._timed(line, record))

    def flush(self) -> None:
        """Writes the reports that are held."""
        self._flushed = monotonic()
        if not self._held:
            return
        held, self._held = self._held, {}
        self._mark_gap(False)
        self._append(b"".join(self._text({**record, "time": self._now(record["time"])}) for record, _ in held.values()))

    def close(self) -> None:
        """Writes what is held, and how much was left out."""
        self.flush()
        if self._lines or self._bytes:
            self.say(f"Left out {self._lines} lines of output in all, {self._bytes} bytes.")
        if self._left_out_reports:
            self.say(f"Left out {self._left_out_reports} older values of progress and metrics.")

    def warn(self, message: str) -> None:
        """Says something of the job that is no fault of it, as output."""
        self.output([self.line("SERVICE", message, "WARNING")])

    def say(self, message: str) -> None:
        """Says what became of something that the job said."""
        self._append(self.line("SERVICE", message, "WARNING"))

    def _mark_gap(self, at_once: bool) -> None:
        """Says how much output was left out at this place; not before every one of a quick succession of reports."""
        if self._gap and (at_once or monotonic() >= self._said + self._pause()):
            self.say(f"Left out {self._gap} lines of output here.")
            self._gap = 0
            self._said = monotonic()

    def _pause(self) -> float:
        return max(_SHORTEST_PAUSE_SECONDS, (self._flushed - self._started) * _PAUSE_SHARE)

    def _hold(self, record: Report, size: int) -> None:
        key = (record["type"], str(record.get("step")))
        before = self._held.get(key)
        if before is None and len(self._held) >= _HELD_STEPS:
            self._left_out_reports += 1
            return
        if before is not None and record["type"] == "metrics":
            if before[1] + size > _HELD_BYTES and not _replaces(record, before[0]):
                self._append(self._text({**before[0], "time": self._now(before[0]["time"])}))
            else:
                size += 0 if _replaces(record, before[0]) else before[1]
                record = _merged(before[0], record)
        if before is not None:
            self._left_out_reports += 1
        self._held[key] = record, size

    def _now(self, when: float) -> float:
        self._last = max(self._last, min(when, time()))
        return self._last

    def _timed(self, line: bytes, record: Report) -> bytes:
        """The line, at no earlier time than the one before it."""
        when = record["time"]
        if self._last <= when <= time() + _FUTURE_SECONDS:
            self._last = when
            return line
        self._last = max(self._last, time())
        if line.startswith(b'{"time":'):
            return b'{"time":%.6f%b' % (self._last, line[line.index(b",") :])
        return self._text({**record, "time": self._last})

    def _text(self, record: Report) -> bytes:
        return dumps(record).encode() + b"\n"


class _Share:
    """What one kind of records may still fill."""

    __slots__ = ("_bytes", "_events", "spent")

    def __init__(self, size: int, events: int) -> None:
        self._bytes = size
        self._events = events
        self.spent = False

    def takes(self, events: int, size: int, room: int) -> bool:
        """Whether records of so many bytes have a place in it; then it is taken."""
        if self.spent or size > self._bytes or events > self._events or events > room:
            return False
        self._bytes -= size
        self._events -= events
        return True


def _replaces(newer: Report, older: Report) -> bool:
    """Whether newer metrics name all that older ones do."""
    values = newer.get("values")
    before = older.get("values")
    return not isinstance(values, dict) or not isinstance(before, dict) or before.keys() <= values.keys()


def _merged(older: Report, newer: Report) -> Report:
    """The newest value of each metric."""
    if _replaces(newer, older):
        return newer
    kept = {key: value for key, value in older["values"].items() if key not in newer["values"]}
    starts = tuple(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in kept)
    pointers = [each for each in older.get("non_finite", ()) if f"/{each[1:].split('/', 1)[0]}" in starts]
    pointers += newer.get("non_finite", ())
    merged = {**newer, "values": {**kept, **newer["values"]}}
    if pointers:
        merged["non_finite"] = pointers
    return merged
