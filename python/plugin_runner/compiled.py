"""The compiled code of plugins, kept by the content of its sources."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import SourceFileLoader
    from types import CodeType

# Of PEP 552: by a hash of the source, which is not to be checked by others.
_HASH_BASED = b"\x01\x00\x00\x00"


def keep_by_content(root: str) -> None:
    """Makes modules under `root` be loaded as they are written now.

    Python takes compiled code for that of any source of the same size and time, and many copies keep their times. Where
    there is no place for compiled code apart from the sources, these stand in a place that is never changed.
    """
    from importlib.machinery import SourceFileLoader

    if not sys.pycache_prefix:
        return
    get_code = SourceFileLoader.get_code
    inside = root + os.sep

    def by_content(loader: SourceFileLoader, name: str) -> CodeType | None:
        path = loader.get_filename(name)
        return _code(loader, path) if path.startswith(inside) else get_code(loader, name)

    SourceFileLoader.get_code = by_content  # type: ignore[method-assign,assignment]


def _code(loader: SourceFileLoader, path: str) -> CodeType:
    from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash

    source = loader.get_data(path)
    mark = source_hash(source)
    head = MAGIC_NUMBER + _HASH_BASED + mark
    file = cache_from_source(path, optimization=f"{sys.flags.optimize}{mark.hex()}")
    code = _read(file, head)
    if code is None:
        code = loader.source_to_code(source, path)
        if not sys.dont_write_bytecode:
            _write(file, head, code)
    return code


def _read(file: str, head: bytes) -> CodeType | None:
    import marshal

    try:
        with open(file, "rb") as kept:
            data = kept.read()
        code: CodeType | None = marshal.loads(data[len(head) :]) if data.startswith(head) else None
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return code


def _write(file: str, head: bytes, code: CodeType) -> None:
    import marshal

    draft = f"{file}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(draft, "wb") as kept:
            kept.write(head + marshal.dumps(code))
        os.replace(draft, file)
    except OSError:  # a full disk: the code is compiled again the next time
        pass
