"""What a job prints, as records: whole lines, of bounded length, of bounded number."""

from __future__ import annotations

from json import JSONDecoder
from json.encoder import encode_basestring as _quoted
from time import monotonic, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

TAIL_BYTES = 4096

_ENDINGS = ("result", "error")
_LIMITED = ("log", "progress", "metrics")
_KINDS = (*_ENDINGS, *_LIMITED, "artifact")


def log_record(source: str, level: str, message: str) -> bytes:
    """The line of a `log` record."""
    keys = f'"type":"log","source":"{source}","level":"{level}","message":{_quoted(message)},"fields":{{}}'
    return f'{{"time":{time():.6f},{keys}}}\n'.encode("utf-8", "replace")


class Budget:
    """The bytes that a job may still write as log, progress and metrics."""

    def __init__(self, append: Callable[[bytes], None], limit: int) -> None:
        self._append = append
        self._limit = limit
        self._left = limit
        self._dropped_lines = 0
        self._dropped_bytes = 0
        self.spent = False

    def write(self, records: list[bytes]) -> None:
        """Appends the records that there is room for, and counts the others."""
        if not records:
            return
        size = sum(map(len, records))
        if not self.spent and size < self._left:
            self._left -= size
            self._append(b"".join(records))
            return
        kept: list[bytes] = []
        for record in records:
            if not self.spent and len(record) < self._left:
                self._left -= len(record)
                kept.append(record)
                continue
            if not self.spent:
                self.spent = True
                kept.append(log_record("SERVICE", "WARNING", f"Output beyond {self._limit} bytes is dropped."))
            self.drop(1, len(record))
        if kept:
            self._append(b"".join(kept))

    def drop(self, lines: int, size: int) -> None:
        """Counts what is not written."""
        self._dropped_lines += lines
        self._dropped_bytes += size

    def close(self) -> None:
        """Says how much was dropped."""
        if self._dropped_lines or self._dropped_bytes:
            said = f"Dropped {self._dropped_lines} lines of output, {self._dropped_bytes} bytes."
            self._append(log_record("SERVICE", "WARNING", said))


# A bar that is drawn hundreds of times a second becomes a line so often, in seconds, and one more for its last state.
REDRAW_SECONDS = 1.0


class TextStream:
    """The job's stdout or stderr: cuts it into lines, and long lines short.

    What is drawn over itself after a carriage return, as bars of progress are, becomes a line while it moves, at most
    one in `REDRAW_SECONDS`; its last state always does.
    """

    def __init__(self, source: str, line_limit: int, budget: Budget, echo: Callable[[bytes], object] | None) -> None:
        self._echo = echo
        self._source = source
        self._limit = line_limit
        self._budget = budget
        self._line = b""
        self._cut = 0
        self._is_drawn = False  # whether the open line had a carriage return
        self._state: bytes | None = None  # the last whole state of a drawn line that is not written yet
        self._written: bytes | None = None  # the state of it that was written last
        self._last_redraw = 0.0
        self._drops_open_line = False
        self.tail = b""

    def feed(self, chunk: bytes) -> None:
        self.tail = (self.tail + chunk)[-TAIL_BYTES:]
        if self._budget.spent:
            self._drop(chunk)
            return
        if self._echo is not None:
            self._echo(chunk)
        first, *lines = chunk.split(b"\n")
        records: list[bytes] = []
        self._draw(first, records)
        for line in lines:
            self._end_line(records)
            self._draw(line, records)
        if self._is_drawn and self._line:
            self._redraw(self._line, records)
        self._budget.write(records)

    def end(self) -> None:
        """A last line without its end is a line."""
        if self._line or self._cut or self._state:
            records: list[bytes] = []
            self._end_line(records)
            self._budget.write(records)
        elif self._drops_open_line:
            self._budget.drop(1, 0)

    def _drop(self, chunk: bytes) -> None:
        self._budget.drop(chunk.count(b"\n"), len(self._line) + self._cut + len(chunk))
        self._line, self._cut, self._state, self._is_drawn = b"", 0, None, False
        self._drops_open_line = not chunk.endswith(b"\n")

    def _extend(self, part: bytes) -> None:
        room = self._limit - len(self._line)
        self._line += part[:room]
        self._cut += max(len(part) - room, 0)

    def _draw(self, line: bytes, records: list[bytes]) -> None:
        """Takes a part of a line; what a carriage return ends is a state of it."""
        first, *states = line.split(b"\r")
        self._extend(first)
        for state in states:
            self._is_drawn = True
            if self._line:
                self._state = self._line
                self._redraw(self._state, records)
            self._line, self._cut = b"", 0
            self._extend(state)

    def _redraw(self, state: bytes, records: list[bytes]) -> None:
        now = monotonic()
        if state == self._written or now - self._last_redraw < REDRAW_SECONDS:
            return
        self._last_redraw = now
        self._written = state
        records.append(self._record(state))

    def _end_line(self, records: list[bytes]) -> None:
        """A drawn line ends in its last state, which may have been written already."""
        line = self._line or self._state or b""
        if not self._is_drawn or line != self._written:
            records.append(self._record(line))
        self._line, self._cut, self._state, self._written, self._is_drawn = b"", 0, None, None, False

    def _record(self, line: bytes) -> bytes:
        text = line.decode("utf-8", "replace")
        return log_record(self._source, "", f"{text}… [+{self._cut} bytes]" if self._cut else text)


class EventStream:
    """The child's own records: relays whole, well-formed lines, and at most one ending."""

    def __init__(self, append: Callable[[bytes], None], budget: Budget, line_limit: int) -> None:
        self._append = append
        self._budget = budget
        self._limit = line_limit
        self._rest = bytearray()
        self._overlong = False
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._rest += line
            if self._rest or self._overlong:  # an empty line sets off what a killed process wrote half
                self._relay(bytes(self._rest))
            self._rest.clear()
            self._overlong = False
        if len(self._rest) + len(rest) > self._limit:
            self._overlong = True
            self._rest.clear()
        if not self._overlong:
            self._rest += rest

    def end(self) -> None:
        """What is left has no end, so its writer was killed while it wrote."""
        if self._rest or self._overlong:
            self._refuse("it was not written to its end")

    def _relay(self, line: bytes) -> None:
        if self._overlong:
            return self._refuse(f"it is longer than {self._limit} bytes")
        try:
            record = _decode(line.decode())
        except (ValueError, RecursionError):
            return self._refuse("it is not JSON")
        kind = record.get("type") if isinstance(record, dict) else None
        if kind not in _KINDS or type(record.get("time")) not in (int, float):
            return self._refuse("it is no record")
        if kind == "log" and record.get("source") != "LOGGER":
            return self._refuse("its source is not LOGGER")
        if kind in _ENDINGS:
            if self.ended:
                return self._refuse("the job had ended before")
            self.ended = True
        if kind in _LIMITED:
            self._budget.write([line + b"\n"])
        else:
            self._append(line + b"\n")
        return None

    def _refuse(self, why: str) -> None:
        self._budget.write([log_record("SERVICE", "WARNING", f"Dropped a record of the job: {why}.")])


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_decode: Callable[[str], Any] = JSONDecoder(parse_constant=_no_constant).decode
