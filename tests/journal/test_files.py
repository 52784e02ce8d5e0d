"""Files: nothing half-made, nothing outside the root, every error with something to do."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from replay_proxy.journal.storage.files import Files, replace, storage_error, write_all
from tests.journal.disks import FaultyFiles


def files_in(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


class TestReplace:
    def test_a_new_file_takes_the_place_of_the_old(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"old")
        assert replace(Files(tmp_path), "f", [b"ne", b"w"], temporary="f.tmp") == 3
        assert files_in(tmp_path) == {"f": b"new"}

    def test_what_an_earlier_attempt_left_is_no_obstacle(self, tmp_path: Path) -> None:
        (tmp_path / "f.tmp").write_bytes(b"half")
        replace(Files(tmp_path), "f", [b"new"], temporary="f.tmp")
        assert files_in(tmp_path) == {"f": b"new"}

    @pytest.mark.parametrize("operation", ["create", "write", "sync", "rename"])
    def test_a_failure_leaves_the_old_one(self, tmp_path: Path, operation: str) -> None:
        (tmp_path / "f").write_bytes(b"old")
        files = FaultyFiles(tmp_path, lambda op: errno.EIO if op == operation else 0)
        with pytest.raises(OSError, match="Input/output error"):
            replace(files, "f", [b"new"], temporary="f.tmp")
        assert files_in(tmp_path) == {"f": b"old"}

    def test_a_failure_of_whoever_gives_the_content_leaves_the_old_one(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_bytes(b"old")

        def content() -> object:
            yield b"new"
            raise ValueError

        with pytest.raises(ValueError):
            replace(Files(tmp_path), "f", content(), temporary="f.tmp")  # type: ignore[arg-type]  # it is an iterator
        assert files_in(tmp_path) == {"f": b"old"}


def test_a_file_that_takes_nothing_is_an_error_not_a_loop(tmp_path: Path) -> None:
    class Stuck(Files):
        def write(self, fd: int, data: bytes | memoryview) -> int:
            return 0

    files = Stuck(tmp_path)
    fd = files.create("f")
    with pytest.raises(OSError, match="takes no more"):
        write_all(files, fd, b"x")
    files.close(fd)


@pytest.mark.parametrize("name", ["", ".", "..", "../f", "a/../../f", "a/..", "/etc/passwd"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    with pytest.raises(ValueError, match="not the name of"):
        Files(tmp_path / "root").create(name)


def test_links_on_the_way_are_not_followed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    files = Files(root)
    for attempt in (
        lambda: files.create("link/f"),
        lambda: files.list_dir("link"),
        lambda: files.make_dir("link/d"),
        lambda: files.sync_dir("link"),
    ):
        with pytest.raises(OSError):
            attempt()
    assert list((tmp_path / "outside").iterdir()) == []


def test_descriptors_are_not_left_open(tmp_path: Path) -> None:
    files = Files(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  the number is all that is asked
    for _ in range(20):
        files.make_dir("d")
        replace(files, "d/f", [b"x"], temporary="d/t")
        files.list_dir("d")
        files.stat("d/f")
        files.unlink("d/f")
        for name in ("none/f", "d/none"):
            with pytest.raises(FileNotFoundError):
                files.open_read(name)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO, errno.EDQUOT, errno.EBADF])
def test_every_error_says_what_why_where_and_what_to_do(number: int) -> None:
    error = storage_error("append to the recording", "/data/f", OSError(number, os.strerror(number)))
    assert error.message == f"cannot append to the recording: /data/f: {os.strerror(number)}"
    assert error.hint
    assert error.exit_code == 5
