"""Temporary files and folders on a disk that is full, or takes nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from replay_proxy.errors import StorageError
from replay_proxy.journal.storage.scratch import scratch_file, scratch_folder
from tests.journal.test_full_disk import small_disk  # noqa: F401 - a fixture


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    with scratch_file(tmp_path) as file:
        file.write(b"some content")
        file.seek(5)
        assert file.read() == b"content"
        assert os.fstat(file.fileno()).st_size == len(b"some content")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [1000, 100_000, 8 << 20])
def test_a_full_disk_is_told_with_its_folder_also_where_the_rest_is_written_last(
    small_disk: Path,  # noqa: F811 - the fixture
    size: int,
) -> None:
    """A rest that waits for its turn is written when somebody goes to the beginning, or at the end, when nobody needs it."""
    with pytest.raises(OSError, match="No space"), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    with (
        pytest.raises(StorageError, match="No space left on device") as caught,
        scratch_file(small_disk, "--x") as file,
    ):
        for _ in range(8):
            file.write(bytes(size))
        file.seek(0)
    assert str(small_disk) in caught.value.message
    assert "another place with --x" in caught.value.hint
    with scratch_file(small_disk) as file:
        file.write(b"nobody reads that")


@pytest.fixture
def no_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A machine on which no folder takes temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("no_temporary_folder")
def test_where_nothing_takes_temporary_files_that_is_told() -> None:
    with pytest.raises(StorageError, match="cannot make a temporary folder") as caught, scratch_folder():
        pass
    assert "TMPDIR" in caught.value.hint
    with pytest.raises(StorageError, match="cannot make a temporary file") as caught:
        scratch_file()
    assert "TMPDIR" in caught.value.hint
