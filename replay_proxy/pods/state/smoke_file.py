"""The file of smoke tests that a recording carries (`replay-smoke.yaml` beside its journal), and a pod with it.

It is text to the pod, and nothing runs it by itself: `replay-proxy doctor --smoke` does, when somebody asks.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from replay_proxy.journal.storage.files import storage_error
from replay_proxy.pods.limits import damaged
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.oci.manifest import Manifest

SMOKE_NAME: Final = "replay-smoke.yaml"
SMOKE_BYTES_MAX: Final = 1 << 20


def carried_by_recording(data_dir: Path) -> bytes | None:
    """Return the file beside a journal; None where there is none, or what is there is no file of this kind."""
    try:
        fd = os.open(data_dir / SMOKE_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        content = file.read(SMOKE_BYTES_MAX + 1)
    return content if len(content) <= SMOKE_BYTES_MAX else None


def carried_by_version(layout: Layout, manifest: Manifest, where: str) -> bytes | None:
    """Return the file that a version carries; None where it has none. where: for messages. Raises PodError, StorageError."""
    found = manifest.smoke
    if found is None:
        return None
    if found.size > SMOKE_BYTES_MAX:
        raise damaged(f"{where}: its smoke tests have {found.size} bytes, more than {SMOKE_BYTES_MAX}")
    return b"".join(layout.read(found))


def take_smoke_tests(pod: Path, data_dir: Path) -> bool:
    """Write the file that an unpacked version carries, if it does, beside a journal, unless one is there; that stays.

    Return whether nothing of it is missing there. Raises StorageError.
    """
    content = carried_by_recording(pod)
    if content is None:
        return True
    path = data_dir / SMOKE_NAME
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return carried_by_recording(data_dir) == content
    except OSError as error:
        raise storage_error("write the smoke tests", path, error) from error
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise storage_error("write the smoke tests", path, error) from error
    return True
