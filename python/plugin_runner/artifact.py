"""Files that an action makes known."""

from __future__ import annotations

import hashlib
import os
import shutil
from mimetypes import guess_type
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from plugin_runner.sink import Sink

# Of linux/fs.h: makes one file share the blocks of another until either is written to.
_FICLONE = 0x40049409


def make_known(
    sink: Sink,
    work_dir: str,
    artifacts_dir: str,
    path: str | os.PathLike[str],
    name: str | None,
    media_type: str | None,
    metadata: dict[str, Any] | None,
) -> str:
    """`Context.artifact`."""
    folder = Path(work_dir).resolve()
    file = (folder / path).resolve(strict=True)
    if not file.is_file():
        raise IsADirectoryError(f"{file} is no file; an artifact is one file, so pack a folder first")
    name = str(name) if name else Path(path).name
    if artifacts_dir:
        file = _copied(file, Path(artifacts_dir))
    elif folder not in file.parents:
        file = _copied(file, folder / "artifacts")
    if sink.keeps_artifacts:
        sink.artifact(
            {
                "name": name,
                "uri": file.as_uri(),
                "media_type": media_type or guess_type(name)[0] or "application/octet-stream",
                "size_bytes": file.stat().st_size,
                "sha256": _sha256(file),
                "metadata": metadata or {},
            }
        )
    return file.as_uri()


def _copied(file: Path, folder: Path) -> Path:
    """A copy of its own for each artifact, also of equal names: the action may write to its file again."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while True:
        copy = folder / (file.name if number == 1 else f"{file.stem}-{number}{file.suffix}")
        try:
            with open(copy, "xb") as target:
                _fill(target.fileno(), file, copy)
            return copy
        except FileExistsError:
            number += 1


def _fill(target: int, file: Path, copy: Path) -> None:
    try:
        with open(file, "rb") as source:
            _copy(source.fileno(), target)
            os.fchmod(target, os.fstat(source.fileno()).st_mode & 0o777)
    except BaseException:
        copy.unlink()  # half of a file is nobody's artifact
        raise


def _copy(source: int, target: int) -> None:
    """Shares the blocks where the file system can, as Btrfs and XFS do."""
    try:
        import fcntl

        fcntl.ioctl(target, _FICLONE, source)
    except (ImportError, OSError):
        with open(source, "rb", closefd=False) as reader, open(target, "wb", closefd=False) as writer:
            shutil.copyfileobj(reader, writer, 1 << 20)


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as source:
        for chunk in iter(lambda: source.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
