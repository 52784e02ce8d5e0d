"""Encrypted exports that somebody who knows the passphrase made to do harm: nothing but a recording comes out of one."""

from __future__ import annotations

import hashlib
import io
import struct
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import JOURNAL_NAME, RecordingHeader
from replay_proxy.journal.interchange.encrypted_archive import decrypt_recording
from replay_proxy.journal.interchange.encryption import MAGIC, EncryptingWriter
from replay_proxy.journal.storage.blobs import blob_name
from tests.journal import samples

pytest.importorskip("cryptography")

JOURNAL = encode_header(RecordingHeader("id", "2026-01-01T00:00:00.000000Z"))
BLOB = blob_name(hashlib.sha256(b"x").hexdigest())


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = len(content), kind, link
    return made.tobuf(tarfile.PAX_FORMAT) + content + bytes(-len(content) % 512)


def with_holes(size: int) -> bytes:
    """A member of one byte that says it has `size`, all but the last of them holes (GNU's format 1.0)."""
    data = b"1\n%d\n1\n" % (size - 1)
    content = data + bytes(512 - len(data)) + b"x" + bytes(511)
    made = tarfile.TarInfo("./GNUSparseFile.0/blob")
    made.size = 513
    made.pax_headers = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": BLOB,
        "GNU.sparse.realsize": str(size),
    }
    return made.tobuf(tarfile.PAX_FORMAT) + content


def old_holes(size: int) -> bytes:
    """The same in GNU's old format."""
    made = tarfile.TarInfo(BLOB)
    made.type = tarfile.GNUTYPE_SPARSE
    buffer = bytearray(made.tobuf(tarfile.GNU_FORMAT))
    buffer[483:495] = b"%011o\0" % size
    buffer[148:156] = b" " * 8
    buffer[148:156] = b"%06o\0 " % sum(buffer)
    return bytes(buffer)


def huge_header() -> bytes:
    """A header of 200 MB, which tarfile would read at once."""
    made = tarfile.TarInfo("././@PaxHeader")
    made.type, made.size = tarfile.XHDTYPE, 200 << 20
    return made.tobuf(tarfile.USTAR_FORMAT)


def header_after_header() -> bytes:
    made = tarfile.TarInfo("././@PaxHeader")
    record = b"13 path=abcd\n"
    made.type, made.size = tarfile.XHDTYPE, len(record)
    return (made.tobuf(tarfile.USTAR_FORMAT) + record + bytes(512 - len(record))) * 5000


def negative() -> bytes:
    made = tarfile.TarInfo(BLOB)
    buffer = bytearray(made.tobuf(tarfile.GNU_FORMAT))
    buffer[124:136] = b"\xff" + struct.pack(">11s", b"\xff" * 11)
    buffer[148:156] = b" " * 8
    buffer[148:156] = b"%06o\0 " % sum(buffer)
    return bytes(buffer)


WRONG: dict[str, Callable[[], bytes]] = {
    "a path out of it": lambda: member("../outside", b"x"),
    "an absolute path": lambda: member("/tmp/outside", b"x"),
    "a path with a step back": lambda: member(f"blobs/../{JOURNAL_NAME}", b"x"),
    "a path of its own": lambda: member("session.json", b"x"),
    "the reserve": lambda: member("recording.lock", b"x"),
    "a symbolic link": lambda: member(BLOB, kind=tarfile.SYMTYPE, link="/etc/passwd"),
    "a hard link": lambda: member(BLOB, kind=tarfile.LNKTYPE, link=JOURNAL_NAME),
    "a device": lambda: member(BLOB, kind=tarfile.CHRTYPE),
    "a block device": lambda: member(BLOB, kind=tarfile.BLKTYPE),
    "a FIFO": lambda: member(BLOB, kind=tarfile.FIFOTYPE),
    "a directory": lambda: member("blobs", kind=tarfile.DIRTYPE),
    "a contiguous file": lambda: member(BLOB, b"x", kind=tarfile.CONTTYPE),
    "an unknown type": lambda: member(BLOB, b"x", kind=b"Z"),
    "a journal twice": lambda: member(JOURNAL_NAME, JOURNAL),
    "a body twice": lambda: member(BLOB, b"x") * 2,
    "a terabyte of holes": lambda: with_holes(1 << 40),
    "a terabyte of old holes": lambda: old_holes(1 << 33),
    "a header of 200 MB": huge_header,
    "headers without a file": header_after_header,
    "a long name": lambda: member("././@LongLink", b"x" * 1000, kind=tarfile.GNUTYPE_LONGNAME),
    "a negative length": negative,
    "a length beyond the end": lambda: member(BLOB, b"x" * 2000)[:1024],
}


def sealed(path: Path, pieces: Iterable[bytes]) -> Path:
    with path.open("wb") as sink:
        writer = EncryptingWriter(sink, "word")
        for piece in pieces:
            writer.write(piece)
        writer.finish()
    return path


@pytest.mark.parametrize("name", WRONG)
async def test_what_no_recording_holds_is_refused(tmp_path: Path, name: str) -> None:
    file = sealed(tmp_path / "f", [member(JOURNAL_NAME, JOURNAL), WRONG[name](), bytes(1024)])
    target = tmp_path / "below" / "r"
    with pytest.raises(RecordingError) as caught:
        await decrypt_recording(file, target, "word")
    assert caught.value.hint
    assert sorted(each.name for each in target.iterdir()) == ["recording.lock"]
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["below", "f", "r", "recording.lock"]


async def test_a_body_that_is_not_what_its_name_says_is_refused(tmp_path: Path) -> None:
    file = sealed(tmp_path / "f", [member(JOURNAL_NAME, JOURNAL), member(BLOB, b"y"), bytes(1024)])
    with pytest.raises(RecordingError, match="does not have the content that its name says"):
        await decrypt_recording(file, tmp_path / "r", "word")
    assert not (tmp_path / "r" / JOURNAL_NAME).exists()


@pytest.mark.parametrize("beside", [[], [member(BLOB, b"x")]], ids=["missing", "of another length"])
async def test_a_recording_without_a_body_that_it_needs_is_refused(tmp_path: Path, beside: list[bytes]) -> None:
    ref = BlobRef(hashlib.sha256(b"x").hexdigest(), 2 if beside else 1)
    call = samples.create_queue("q")
    call = replace(call, answer=replace(call.answer, body=ref))
    journal = JOURNAL + encode_record(call, 7)
    file = sealed(tmp_path / "f", [member(JOURNAL_NAME, journal), *beside, bytes(1024)])
    with pytest.raises(RecordingError, match="which call 7 needs"):
        await decrypt_recording(file, tmp_path / "r", "word")
    assert sorted(each.name for each in (tmp_path / "r").iterdir()) == ["recording.lock"]


async def test_a_header_that_asks_for_a_gigabyte_is_refused(tmp_path: Path) -> None:
    content = bytearray(sealed(tmp_path / "f", [bytes(1024)]).read_bytes())
    content[len(MAGIC)] = 20
    (tmp_path / "f").write_bytes(content)
    with pytest.raises(RecordingError, match="asks for too much memory"):
        await decrypt_recording(tmp_path / "f", tmp_path / "r", "word")


MEASURED = """
import asyncio, pathlib, sys
from replay_proxy.errors import RecordingError
from replay_proxy.journal.interchange.encrypted_archive import decrypt_recording
try:
    print(asyncio.run(decrypt_recording(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), "word")))
except RecordingError as error:
    print("refused", error.message[-200:])
# Not getrusage: its peak is that of the process that began this one, too.
[peak] = [line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(int(peak.split()[1]) * 1024)
"""


def blobs(count: int, size: int) -> Iterable[bytes]:
    for number in range(count):
        content = number.to_bytes(8, "big") + bytes(size - 8)
        yield member(blob_name(hashlib.sha256(content).hexdigest()), content)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of memory is read as Linux shows it")
@pytest.mark.parametrize(
    ("pieces", "told"),
    [
        (lambda: [member(JOURNAL_NAME, JOURNAL), *blobs(50, 4 << 20), bytes(1024)], "0"),
        (lambda: [member(JOURNAL_NAME, JOURNAL), huge_header(), *[bytes(1 << 20)] * 200, bytes(1024)], "refused"),
        (lambda: [member(JOURNAL_NAME, JOURNAL), *blobs(2_000, 8), bytes(1024)], "0"),
    ],
    ids=["200 MB", "a header of 200 MB", "2,000 small ones"],
)
def test_memory_is_bounded(tmp_path: Path, pieces: Callable[[], Iterable[bytes]], told: str) -> None:
    file = sealed(tmp_path / "f", pieces())
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(file), str(tmp_path / "r")],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    first, peak = done.stdout.splitlines()
    print(f"{int(peak) >> 20} MiB")
    assert first.startswith(told)
    assert int(peak) < 300 << 20


def test_the_archive_that_a_test_makes_is_one() -> None:
    """What is refused above is refused for its own sake."""
    content = b"".join([member(JOURNAL_NAME, JOURNAL), member(BLOB, b"x"), bytes(1024)])
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert archive.getnames() == [JOURNAL_NAME, BLOB]
