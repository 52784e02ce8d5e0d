"""What is no regular file has the name of one in a data directory: it is never followed, and never waited for."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest

from replay_proxy.cli.main import main
from replay_proxy.errors import StorageError, UnsafeFileError
from replay_proxy.journal.compaction.file_swap import BACKUP_NAME, BACKUP_STAGED_NAME, STAGED_NAME
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.read.index_cache import INDEX_NAME
from replay_proxy.journal.storage.disk_reserve import RESERVE_NAME
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.storage.lock import LOCK_NAME
from replay_proxy.journal.write.writer import JournalWriter
from replay_proxy.proxy.lifecycle.restoring.session_file import FILE_NAME, TEMPORARY
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.replay.planning.plan_cache import PLAN_NAME
from replay_proxy.replay.session_state import SessionState
from tests.journal import samples
from tests.support.processes import Proxy

PRECIOUS = b"what somebody else has"
LIMIT_SECONDS = 20


def link(path: Path) -> None:
    path.symlink_to(path.parents[1] / "outside")


def dangling(path: Path) -> None:
    path.symlink_to(path.parents[1] / "nowhere")


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(path.parent)  # the address of a socket may have about a hundred bytes
        try:
            bound.bind(path.name)
        finally:
            os.chdir(here)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which never ends
    except PermissionError:
        pytest.skip("only root makes devices")


KINDS: dict[str, Callable[[Path], None]] = {
    "link": link,
    "dangling": dangling,
    "pipe": os.mkfifo,
    "socket": unix_socket,
    "device": device,
    "directory": Path.mkdir,
}
NAMES = (
    JOURNAL_NAME,
    LOCK_NAME,
    RESERVE_NAME,
    FILE_NAME,
    TEMPORARY,
    INDEX_NAME,
    PLAN_NAME,
    STAGED_NAME,
    BACKUP_STAGED_NAME,
    BACKUP_NAME,
    f"{JOURNAL_NAME}.tmp",
    "blobs",
    "blobs/spool",
)
VERBS = (
    ("check",),
    ("check", "--repair"),
    ("plan",),
    ("aliases",),
    ("compact",),
    ("export", "--output", "{out}"),
)
DOCUMENTED = {0, 2, 3, 4, 5, 6}


@pytest.fixture(autouse=True)
def _in_time() -> Iterator[None]:
    def late(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def recording(tmp_path: Path, name: str, kind: str) -> Path:
    """A recording in which `name` is of another kind."""
    directory = tmp_path / "r"
    samples.write_journal(directory, [samples.create_queue("a")])
    (tmp_path / "outside").write_bytes(PRECIOUS)
    path = directory / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    if not (name == "blobs" and kind == "directory"):
        KINDS[kind](path)
    return directory


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
async def test_a_writer_begins_or_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    directory = recording(tmp_path, name, kind)
    try:
        writer = await JournalWriter.open(directory)
        try:
            await writer.append(samples.create_queue("b"))
        finally:
            await writer.close()
    except StorageError as error:
        assert str(directory) in error.message
        assert error.hint
    assert (tmp_path / "outside").read_bytes() == PRECIOUS
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_no_verb_waits_or_follows(tmp_path: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    directory = recording(tmp_path, name, kind)
    for verb, *words in VERBS:
        code = main([verb, *(word.format(out=tmp_path / "out") for word in words), "--data-dir", str(directory)])
        told = capsys.readouterr()
        assert code in DOCUMENTED, (verb, code)
        if code not in (0, 3):
            assert "error: " in told.err, (verb, told)
        assert PRECIOUS.decode() not in told.out + told.err
    assert (tmp_path / "outside").read_bytes() == PRECIOUS


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "dangling"])
def test_the_error_says_what_it_is(tmp_path: Path, kind: str) -> None:
    directory = recording(tmp_path, JOURNAL_NAME, kind)
    with pytest.raises(UnsafeFileError, match=f"{JOURNAL_NAME}: it is a .*, not a file") as caught:
        SessionStore(directory, refuse).save(SessionState())
        asyncio.run(JournalWriter.open(directory))
    assert caught.value.exit_code == 4
    assert "only regular files" in caught.value.hint


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "directory"])
def test_a_session_takes_the_place_of_what_is_no_file(tmp_path: Path, kind: str) -> None:
    directory = recording(tmp_path, FILE_NAME, kind)
    SessionStore(directory, refuse).save(SessionState())
    assert (directory / FILE_NAME).is_file()
    assert not (directory / FILE_NAME).is_symlink()
    assert (tmp_path / "outside").read_bytes() == PRECIOUS


def test_descriptors_of_what_is_refused_are_closed(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  the number is all that is asked
    for name in ("pipe", "directory"):
        with pytest.raises(OSError, match="not a file"):
            Files(tmp_path).open_read(name)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"session":1,"aliases":[{}],"keys":{}}', b'"' + b"[" * 5000])
def test_a_damaged_session_is_told_by_aliases(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = recording(tmp_path, FILE_NAME, "pipe")
    (directory / FILE_NAME).unlink()
    (directory / FILE_NAME).write_bytes(content)
    assert main(["aliases", "--data-dir", str(directory)]) == 4
    assert "session.json is damaged" in capsys.readouterr().err


@pytest.mark.emulator
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_serve_starts_in_front_of_a_living_emulator(
    tmp_path: Path,
    start_proxy: Callable[..., Proxy],
    start_emulator: Callable[..., object],
    kind: str,
) -> None:
    signal.alarm(120)
    emulator = start_emulator("moto")
    proxy = start_proxy("--upstream", emulator.url)  # type: ignore[attr-defined]
    proxy.kill()
    file = proxy.data_dir / FILE_NAME
    file.unlink()
    (tmp_path / "outside").write_bytes(PRECIOUS)
    KINDS[kind](file)
    proxy = proxy.again()
    assert "not a file" in proxy.log
    assert (tmp_path / "outside").read_bytes() == PRECIOUS


async def refuse(_request: object) -> object:
    raise AssertionError("nothing is sent")
