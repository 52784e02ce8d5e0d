"""One writer a recording, and no lock that outlives its holder."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.storage.lock import LOCK_NAME, RecordingLock, holder
from replay_proxy.journal.write.writer import JournalWriter
from tests.journal.disks import FaultyFiles

HOLDER = """
import sys, time
from pathlib import Path
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.storage.lock import RecordingLock
lock = RecordingLock.acquire(Files(Path(sys.argv[1])))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_is_refused_with_the_first_one_named(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(RecordingError) as caught:
            RecordingLock.acquire(Files(tmp_path))
        assert f"process {process.pid} on {socket.gethostname()}" in caught.value.message
        assert "--data-dir" in caught.value.hint
        assert str(process.pid) in holder(tmp_path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    # The holder was killed and could not clean up: its file is there, and means nothing.
    assert (tmp_path / LOCK_NAME).stat().st_size > 0
    assert holder(tmp_path) == ""
    RecordingLock.acquire(Files(tmp_path)).release()


async def test_a_second_writer_in_the_same_process_is_refused(tmp_path: Path) -> None:
    writer = await JournalWriter.open(tmp_path)
    with pytest.raises(RecordingError, match=f"process {os.getpid()}"):
        await JournalWriter.open(tmp_path)
    await writer.close()
    await (await JournalWriter.open(tmp_path)).close()


def test_a_child_process_does_not_inherit_it(tmp_path: Path) -> None:
    """The emulator that a proxy starts must not keep the recording locked after the proxy's death."""
    lock = RecordingLock.acquire(Files(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
    try:
        lock.release()
        RecordingLock.acquire(Files(tmp_path)).release()
    finally:
        child.kill()
        child.wait()


def test_a_full_disk_does_not_keep_the_lock_from_its_holder(tmp_path: Path) -> None:
    lock = RecordingLock.acquire(FaultyFiles(tmp_path, lambda op: 28 if op in ("write", "cut") else 0))
    with pytest.raises(RecordingError, match="another process"):
        RecordingLock.acquire(Files(tmp_path))
    lock.release()
    lock.release()


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "nowhere") == ""


def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / LOCK_NAME).symlink_to(tmp_path / "outside")
    with pytest.raises(StorageError):
        RecordingLock.acquire(Files(tmp_path / "r"))
    assert not (tmp_path / "outside").exists()
