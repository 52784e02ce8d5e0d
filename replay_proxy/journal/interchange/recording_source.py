"""Recordings wherever they lie, opened for reading: a directory, a file, an archive as CI systems hand out, standard input.

Of an archive nothing is unpacked but the journal and the bodies beside it, under names that are checked, into a folder that is
removed afterwards. An archive may lie in another one: build systems pack what is packed already.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import sys
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from replay_proxy.errors import RecordingError, StorageError, UsageError
from replay_proxy.journal.format.records import JOURNAL_NAME
from replay_proxy.journal.read.journal_file import require_recording
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.files import storage_error

UNPACKED_BYTES_MAX: Final = 8 << 30
MEMBERS_MAX: Final = 1_000_000
_BLOB: Final = re.compile(r"blobs/([0-9A-Fa-f]{2})/([0-9A-Fa-f]{64})")
_NESTED_MAX: Final = 2
_DEPTH_MAX: Final = 6
_CHUNK: Final = 1 << 20
_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
_NO_RECORDING: Final = f"a recording is a folder with {JOURNAL_NAME} in it"
_OTHER: Final = f"give a recording: a folder with {JOURNAL_NAME} in it, an archive of one, or that file"


@contextmanager
def open_recording(where: str) -> Iterator[Recording]:
    """Open a recording for reading; what had to be unpacked is removed at the end.

    where: the path of a directory, a journal or an archive; `-` for standard input, which may be a journal or an archive.

    Raises:
        UsageError: there is no such file. RecordingError: there is no recording in it, several, or it is damaged.
        StorageError: it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="replay-proxy-") as scratch:
        name = "standard input" if where == "-" else where
        try:
            recording = read(_folder(where, Path(scratch)))
            if recording.data_dir.is_relative_to(scratch):
                recording.origin = name
                recording.warnings[:] = [each.replace(str(recording.path), name) for each in recording.warnings]
            yield recording
        except (RecordingError, StorageError) as error:
            if scratch not in error.message:
                raise
            raise _of_origin(error, scratch, name) from error
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise RecordingError(
                f"{where}: the archive cannot be unpacked: {error}", hint="was it transferred whole? fetch it once more"
            ) from error


def _of_origin(error: RecordingError | StorageError, scratch: str, name: str) -> RecordingError | StorageError:
    """Return an error about what was unpacked as one about what it came from: nobody knows the unpacked files."""
    message = re.sub(rf"{re.escape(scratch)}/[\w./-]*", lambda _path: name, error.message)
    return type(error)(message, hint=_OTHER if "--data-dir" in error.hint else error.hint)


def _folder(where: str, scratch: Path) -> Path:
    if where == "-":
        return _of_stream(sys.stdin.buffer, "standard input", scratch)
    path = Path(where).expanduser()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(f"{where} does not exist", hint=f"{_NO_RECORDING}; archives and `-` are taken, too") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {where!r}: {error}", hint="check the path") from None
    if stat.S_ISDIR(mode):
        return _of_directory(path)
    if path.name == JOURNAL_NAME and stat.S_ISREG(mode):
        require_recording(path.parent)
        return path.parent
    try:
        with path.open("rb") as source:
            return _of_stream(source, where, scratch)
    except OSError as error:
        raise storage_error("read", path, error) from error


def _of_directory(path: Path) -> Path:
    """Return the directory, or the one below it that is a recording: build systems unpack artifacts into folders of their own."""
    if (path / JOURNAL_NAME).exists():
        return path
    found: list[Path] = []
    for folder, folders, files in os.walk(path):
        if len(Path(folder).relative_to(path).parts) >= _DEPTH_MAX:
            folders.clear()
        folders[:] = [each for each in folders if each not in ("blobs", ".git", "node_modules")]
        if JOURNAL_NAME in files:
            found.append(Path(folder))
    if not found:
        require_recording(path)
    if len(found) > 1:
        some = ", ".join(map(str, found[:5]))
        raise RecordingError(f"{path} holds {len(found)} recordings: {some}", hint="name one of them")
    return found[0]


def _of_stream(source: IO[bytes], name: str, scratch: Path) -> Path:
    """Take in a journal or an archive; return the folder of the recording."""
    held = scratch / "source"
    with held.open("wb") as target:
        _copy(source, target, name, _Budget())
    return _of_file(held, name, scratch, 0)


def _of_file(held: Path, name: str, scratch: Path, depth: int) -> Path:
    if depth > _NESTED_MAX:
        raise RecordingError(f"{name}: archives within archives within archives", hint="unpack it, and name the folder")
    folder = scratch / f"unpacked-{depth}"
    folder.mkdir(mode=0o700)
    with held.open("rb") as file:
        start = file.read(512)
    if zipfile.is_zipfile(held):
        inner = _unpack_zip(held, name, folder)
    elif _is_tar(held):
        inner = _unpack_tar(held, name, folder)
    elif start.startswith(b"\x1f\x8b"):
        inner = folder / "inner"
        with gzip.open(held) as packed, inner.open("wb") as target:
            _copy(packed, target, name, _Budget())
    elif b"\0" in start:
        raise RecordingError(f"{name} is neither a recording nor a ZIP or tar archive", hint=_NO_RECORDING)
    else:
        held.replace(folder / JOURNAL_NAME)
        return folder
    return folder if inner is None else _of_file(inner, name, scratch, depth + 1)


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, zlib.error):
        return False


def _unpack_zip(held: Path, name: str, folder: Path) -> Path | None:
    """Unpack the recording in a ZIP archive; return the archive within it where it has no recording, but one of those."""
    with zipfile.ZipFile(held) as archive:
        members = {each.filename: each for each in archive.infolist()[:MEMBERS_MAX] if not each.is_dir()}
        if any(each.flag_bits & 1 for each in members.values()):
            raise RecordingError(
                f"{name} is encrypted", hint="decrypt it first; `replay-proxy import` reads encrypted exports"
            )
        budget = _Budget()

        def take(member: str, target: IO[bytes]) -> None:
            with archive.open(members[member]) as source:
                _copy(source, target, name, budget)

        return _unpack(list(members), take, name, folder)


def _unpack_tar(held: Path, name: str, folder: Path) -> Path | None:
    with tarfile.open(held) as archive:
        members: dict[str, tarfile.TarInfo] = {}
        for each in archive:
            if len(members) >= MEMBERS_MAX:
                break
            if each.isreg():
                members[each.name] = each
        budget = _Budget()

        def take(member: str, target: IO[bytes]) -> None:
            source = archive.extractfile(members[member])
            assert source is not None
            _copy(source, target, name, budget)

        return _unpack(list(members), take, name, folder)


def _unpack(members: list[str], take: object, name: str, folder: Path) -> Path | None:
    assert callable(take)
    journals = [each for each in members if PurePosixPath(each.replace("\\", "/")).name == JOURNAL_NAME]
    if not journals:
        inner = [each for each in members if each.lower().endswith(_ARCHIVES)]
        if len(inner) == 1:
            with (folder / "inner").open("wb") as target:
                take(inner[0], target)
            return folder / "inner"
        raise RecordingError(f"there is no {JOURNAL_NAME} in {name}", hint=_NO_RECORDING)
    if len(journals) > 1:
        some = ", ".join(journals[:5])
        raise RecordingError(f"{name} holds {len(journals)} recordings: {some}", hint="unpack it, and name one of them")
    prefix = journals[0][: -len(JOURNAL_NAME)]
    with (folder / JOURNAL_NAME).open("wb") as target:
        take(journals[0], target)
    for member in members:
        match = _BLOB.fullmatch(member.removeprefix(prefix).replace("\\", "/")) if member.startswith(prefix) else None
        if match is not None:
            below = folder / "blobs" / match[1]
            below.mkdir(mode=0o700, parents=True, exist_ok=True)
            with (below / match[2]).open("wb") as target:
                take(member, target)
    return None


class _Budget:
    """How many bytes may still be unpacked."""

    def __init__(self) -> None:
        self.left = UNPACKED_BYTES_MAX


def _copy(source: IO[bytes] | gzip.GzipFile, target: IO[bytes], name: str, budget: _Budget) -> None:
    while chunk := source.read(_CHUNK):
        budget.left -= len(chunk)
        if budget.left < 0:
            raise RecordingError(
                f"{name} unpacks to more than {UNPACKED_BYTES_MAX >> 30} GiB",
                hint="unpack it yourself, and name the folder",
            )
        if shutil.disk_usage(Path(target.name).parent).free < len(chunk) + _CHUNK:
            raise StorageError(f"no space left to unpack {name}", hint="TMPDIR names where it is unpacked")
        target.write(chunk)
