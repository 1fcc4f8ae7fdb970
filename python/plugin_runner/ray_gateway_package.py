"""Packages of plugins, as the dashboard keeps them: fetched from the cluster's store and unpacked once a node."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile


def unpack(package: str) -> str | None:
    """The folder with the content of a package `gcs://<name>.zip`; None when the cluster does not have it."""
    folder = os.path.join(own_folder(), "packages", os.path.basename(package)[: -len(".zip")])
    if os.path.isdir(folder):
        return folder
    content = _fetch(package)
    if content is None:
        return None
    os.makedirs(os.path.dirname(folder), mode=0o700, exist_ok=True)
    unfinished = tempfile.mkdtemp(dir=os.path.dirname(folder), prefix=".unpacking-")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                path = archive.extract(entry, unfinished)
                if entry.external_attr >> 16 & 0o100:
                    os.chmod(path, 0o755)
        os.rename(unfinished, folder)
    except OSError:
        if not os.path.isdir(folder):  # another host of this node may have been quicker
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def is_stored(package: str) -> bool:
    """Whether the cluster has a package: it forgets those that no job has used for a while."""
    from ray.experimental.internal_kv import _internal_kv_exists

    return bool(_internal_kv_exists(package.encode()))


def own_folder() -> str:
    """A folder of this node and Ray session, which goes with the session's other files."""
    from ray._private.worker import global_worker

    return os.path.join(global_worker.node.get_session_dir_path(), "plugin-runner")


def _fetch(package: str) -> bytes | None:
    from ray.experimental.internal_kv import _internal_kv_get

    content: bytes | None = _internal_kv_get(package.encode())
    return content
