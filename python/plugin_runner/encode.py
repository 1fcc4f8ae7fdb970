"""Python values as JSON, as docs/values.md and docs/protocol.md have it."""

from __future__ import annotations

from json.encoder import JSONEncoder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Union

    Path = Union[tuple["Path", Union[str, int]], None]

LARGEST_INTEGER = 2**53 - 1

# Decoders of Protobuf refuse messages nested deeper than 100. Of those a value may use this many: an object takes three
# (Struct, its map's entry, Value), a list two. The same numbers stand in contract/limits.json.
MESSAGE_LEVELS = 95
OBJECT_LEVELS = 3
LIST_LEVELS = 2

FAULTS_LIMIT = 100

# A larger array among fields or defaults is shown as its `str()`.
SHOWN_ITEMS = 1 << 18

# Steps from a rich type to plain JSON: a tensor to an array to a list. More never end.
_LONGEST_CHAIN = 8
_INFINITY = float("inf")
# The service refuses it: it is no name but a command to many readers of JavaScript.
_FORBIDDEN = "__proto__"

_dumps = JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode


class Unencodable(Exception):
    """A value that has no JSON, and where it stands."""

    def __init__(self, path: Path, what: str, kind: str) -> None:
        super().__init__(what)
        self.path = path
        self.what = what
        self.kind = kind


class TooLarge(Exception):
    """A value with more items than the limit has bytes."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Walk:
    """One walk over a value, which makes plain JSON of it and notes what JSON cannot say.

    At a place without JSON stands null, or with `lenient` a text for people. NaN and infinities become texts, whose
    places are `non_finite`, unless `keep_floats`.
    """

    __slots__ = (
        "_checks_text",
        "_items_limit",
        "_keeps_floats",
        "_lenient",
        "_open",
        "fault_count",
        "faults",
        "places",
    )

    def __init__(
        self,
        lenient: bool = False,
        keep_floats: bool = False,
        check_text: bool = True,
        items_limit: int | None = None,
    ) -> None:
        self._lenient = lenient
        self._keeps_floats = keep_floats
        self._checks_text = check_text or lenient
        self._items_limit = items_limit
        self._open: set[int] = set()
        self.faults: list[Unencodable] = []
        self.fault_count = 0
        self.places: list[Path] = []

    @property
    def non_finite(self) -> list[str]:
        """JSON pointers to the texts that stand for a number."""
        return [pointer(path) for path in self.places]

    def value(self, value: Any, path: Path = None, room: int = MESSAGE_LEVELS) -> Any:
        """The value as None, bool, int, float, str, list and dict alone."""
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value, path) if self._checks_text else value
        if kind is int:
            if -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
                return value
            return self._fault(value, path, "is an integer beyond 2^53: return it as a string", "int")
        if kind is float:
            return value if -_INFINITY < value < _INFINITY else self._non_finite(value, path)
        if kind is dict:
            return self._object(value, path, room - OBJECT_LEVELS)
        if kind is list or kind is tuple:
            return self._list(value, path, room - LIST_LEVELS)
        return self._other(value, path, room)

    def _list(self, items: Any, path: Path, room: int) -> Any:
        if room < 0 or id(items) in self._open:
            return self._endless(items, path, room)
        self._open.add(id(items))
        value = self.value
        made = [value(item, (path, index), room) for index, item in enumerate(items)]
        self._open.discard(id(items))
        return made

    def _object(self, fields: Any, path: Path, room: int) -> Any:
        if room < 0 or id(fields) in self._open:
            return self._endless(fields, path, room)
        self._open.add(id(fields))
        made: dict[str, Any] = {}
        originals: dict[str, object] = {}
        # A copy: another thread of the plugin may still change it.
        for key, item in list(fields.items()):
            name = key if type(key) is str and not self._checks_text else self._key(key, path)
            if name in originals:
                name = self._doubled(name, key, originals[name], path, made)
            if name == _FORBIDDEN:
                self._fault(None, (path, name), "is a name that is not allowed", "str")
            elif name is not None:
                originals[name] = key
                made[name] = self.value(item, (path, name), room)
        self._open.discard(id(fields))
        return made

    def _doubled(self, name: str, key: object, other: object, path: Path, made: dict[str, Any]) -> str | None:
        """Two keys with one text: nothing can stand there; for people both do."""
        if self._lenient:
            return f"{name} ({type(key).__name__})"
        both = f"{_shown_key(other)} and {_shown_key(key)}"
        made[name] = self._fault(None, (path, name), f"stands for two keys, {both}", type(key).__name__)
        return None

    def _key(self, key: object, path: Path) -> str | None:
        """A key's text; None after a fault."""
        text: Any = key
        try:
            if type(text) is not str:
                from plugin_runner.simplify import key_text

                text = key_text(key)
            text.encode()
        except UnicodeEncodeError:
            if self._lenient:
                return shown_text(text)
            self._fault(None, (path, shown_text(text)), "is a key that is not valid Unicode", "str")
            return None
        except Exception as fault:
            if self._lenient:
                return shown_text(key)
            known = isinstance(fault, Unencodable)
            what = str(fault) if known else f"has a key that cannot be read ({shown_text(fault)})"
            self._fault(None, (path, shown_text(key)), what, type(key).__name__)
            return None
        return text  # type: ignore[no-any-return]

    def _other(self, value: Any, path: Path, room: int) -> Any:
        """A richer type: made simpler, step by step, until JSON knows it."""
        from plugin_runner.simplify import PLAIN, simpler

        if id(value) in self._open:
            return self._endless(value, path, room)
        simple = value
        self._open.add(id(value))
        try:
            for _ in range(_LONGEST_CHAIN):
                simple = simpler(simple, self._items_limit)
                if type(simple) in PLAIN:
                    return self.value(simple, path, room)
            return self._fault(value, path, f"is of type {type(value).__name__}", type(value).__name__)
        except TooLarge:
            if not self._lenient:
                raise
            return self._fault(value, path, "is too large", type(value).__name__)
        except Unencodable as fault:
            return self._fault(value, path, fault.what, fault.kind)
        except Exception as fault:  # the value's own code
            said = f"cannot be read ({type(fault).__name__}: {shown_text(fault)})"
            return self._fault(value, path, said, type(value).__name__)
        finally:
            self._open.discard(id(value))

    def _text(self, value: str, path: Path) -> Any:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            if self._lenient:
                return shown_text(value)
            at = f"U+{ord(value[error.start]):04X} at {error.start}"
            return self._fault(value, path, f"is text that is not valid Unicode ({at})", "str")
        return value

    def _non_finite(self, value: float, path: Path) -> Any:
        if self._keeps_floats:
            return value
        self.places.append(path)
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"

    def _endless(self, value: object, path: Path, room: int) -> Any:
        what = "contains itself" if id(value) in self._open else _TOO_DEEP
        return self._fault(value, path, what, type(value).__name__)

    def _fault(self, value: object, path: Path, what: str, kind: str) -> Any:
        self.fault_count += 1
        if len(self.faults) < FAULTS_LIMIT:
            self.faults.append(Unencodable(path, what, kind))
        return shown_text(value) if self._lenient else None


_TOO_DEEP = (
    f"is nested deeper than clients can read: {MESSAGE_LEVELS // OBJECT_LEVELS} objects or "
    f"{MESSAGE_LEVELS // LIST_LEVELS} lists in each other"
)


def dumps(value: object) -> str:
    """The JSON text of what a walk returned."""
    return _dumps(value)


def pointer(path: Path) -> str:
    """A JSON pointer (RFC 6901)."""
    parts: list[str] = []
    while path is not None:
        path, key = path
        parts.append(str(key).replace("~", "~0").replace("/", "~1"))
    return "".join("/" + part for part in reversed(parts))


def plain(value: object) -> Any:
    """The value as None, bool, int, float, str, list and dict alone; NaN and infinities as they are.

    Raises the first `Unencodable`.
    """
    walk = Walk(keep_floats=True)
    made = walk.value(value)
    if walk.faults:
        raise walk.faults[0]
    return made


def lenient(value: object) -> Any:
    """As `plain`, for what must not fail: NaN and infinities become texts, and what has no JSON its `str()`."""
    return Walk(lenient=True, items_limit=SHOWN_ITEMS).value(value)


def lenient_fields(fields: object) -> tuple[dict[str, Any], list[str]]:
    """The fields of a record, where nothing fails, and the pointers to the texts that stand for a number.

    A value that is no dict becomes the field `value`.
    """
    walk = Walk(lenient=True, items_limit=SHOWN_ITEMS)
    return walk.value(dict(fields) if isinstance(fields, dict) else {"value": fields}), walk.non_finite


def _shown_key(key: object) -> str:
    return shown_text(repr(key)) if isinstance(key, (str, bytes)) else shown_text(key)


def record_text(record: object) -> bytes:
    """The JSON of a record of ours, such as an error: what it quotes of a plugin may be no valid Unicode."""
    try:
        return _dumps(record).encode()
    except (UnicodeEncodeError, ValueError):
        return _dumps(lenient(record)).encode()


def shown_text(value: object) -> str:
    """The `str()` of anything as valid Unicode, for people. Never raises."""
    try:
        return str(value).encode("utf-8", "backslashreplace").decode()
    except Exception as fault:  # a plugin's __str__ may raise anything
        return f"<{type(value).__name__}: {type(fault).__name__}>"
