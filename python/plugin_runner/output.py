"""What a job's process writes, as records: whole lines, of bounded length."""

from __future__ import annotations

from json import JSONDecoder
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, NoReturn

    from plugin_runner.journal import Journal

TAIL_BYTES = 4096

_ENDINGS = ("result", "error")
_REPORTS = ("progress", "metrics")
_KINDS = (*_ENDINGS, *_REPORTS, "log", "artifact")


# A bar that is drawn hundreds of times a second becomes a line so often, in seconds, and one more for its last state.
REDRAW_SECONDS = 1.0


class TextStream:
    """The job's stdout or stderr: cuts it into lines, and long lines short.

    What is drawn over itself after a carriage return, as bars of progress are, becomes a line while it moves, at most
    one in `REDRAW_SECONDS`; its last state always does.
    """

    def __init__(self, source: str, line_limit: int, journal: Journal, echo: Callable[[bytes], object] | None) -> None:
        self._echo = echo
        self._source = source
        self._limit = line_limit
        self._journal = journal
        self._line = b""
        self._cut = 0
        self._is_drawn = False  # whether the open line had a carriage return
        self._state: bytes | None = None  # the last whole state of a drawn line that is not written yet
        self._written: bytes | None = None  # the state of it that was written last
        self._last_redraw = 0.0
        self._drops_open_line = False
        self.tail = b""

    def feed(self, chunk: bytes) -> None:
        self.tail = chunk[-TAIL_BYTES:] if len(chunk) >= TAIL_BYTES else self.tail[len(chunk) - TAIL_BYTES :] + chunk
        if self._journal.full:
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
        self._journal.output(records)

    def end(self) -> None:
        """A last line without its end is a line."""
        if self._line or self._cut or self._state:
            records: list[bytes] = []
            self._end_line(records)
            self._journal.output(records)
        elif self._drops_open_line:
            self._journal.leave_out(1, 0)

    def _drop(self, chunk: bytes) -> None:
        self._journal.leave_out(chunk.count(b"\n"), len(self._line) + self._cut + len(chunk))
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
        return self._journal.line(self._source, f"{text}… [+{self._cut} bytes]" if self._cut else text)


class EventStream:
    """The child's own records: relays whole, well-formed lines, and at most one ending.

    What Python prints comes the same way, in lines that begin with the number of their stream: see `printed_frame`.
    """

    def __init__(self, journal: Journal, line_limit: int, stdout: TextStream, stderr: TextStream) -> None:
        self._journal = journal
        self._limit = line_limit
        self._printed = {b"1": stdout, b"2": stderr}
        self._rest = bytearray()
        self._overlong = False
        self.within: dict[str, Any] = {}
        """The last word of the child on the time that it takes to load code."""
        self.ended = False
        self.stopped = False  # whether the child had been told to stop before it ended

    def feed(self, chunk: bytes) -> None:
        *lines, rest = chunk.split(b"\n")
        together: list[bytes] = []
        stream = b""
        for line in lines:
            if self._rest or self._overlong:
                self._rest += line
                line = bytes(self._rest)
                self._rest.clear()
            kind = b"" if self._overlong else line[:1]
            if together and kind != stream:
                self._printed[stream].feed(printed_text(b"".join(together)))
                together = []
            stream = kind
            if kind in self._printed:
                together.append(line[1:])
            elif line or self._overlong:  # an empty line sets off what a killed process wrote half
                self._relay(line)
            self._overlong = False
        if together:
            self._printed[stream].feed(printed_text(b"".join(together)))
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
        if kind == "within":
            self.within = record
            return None
        if kind not in _KINDS or type(record.get("time")) not in (int, float):
            return self._refuse("it is no record")
        if kind == "log" and record.get("source") != "LOGGER":
            return self._refuse("its source is not LOGGER")
        if kind in _ENDINGS:
            if self.ended:
                return self._refuse("the job had ended before")
            self.ended = True
            self.stopped = record.get("stopped") is True
            for stream in self._printed.values():
                stream.end()
        write = self._journal.log if kind == "log" else self._journal.always
        if kind in _REPORTS:
            write = self._journal.report
        return write(line + b"\n", record)

    def _refuse(self, why: str) -> None:
        self._journal.warn(f"Dropped a record of the job: {why}.")


# A frame is one line: the newlines in it travel as a byte that no UTF-8 has.
_NEWLINE, _NO_TEXT, _ODD = b"\n", b"\xff", b"\xfe"
_FRAMED = bytes.maketrans(_NO_TEXT + _NEWLINE, _ODD + _NO_TEXT)
_PRINTED = bytes.maketrans(_NO_TEXT, _NEWLINE)


def printed_frame(stream: bytes, text: bytes) -> bytes:
    """What was printed to a stream (`1` or `2`), as a line among records."""
    return b"%b%b\n" % (stream, text.translate(_FRAMED))


def printed_text(framed: bytes) -> bytes:
    """What was printed, of one frame or several of a stream."""
    return framed.translate(_PRINTED)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_decode: Callable[[str], Any] = JSONDecoder(parse_constant=_no_constant).decode
