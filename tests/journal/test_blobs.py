"""Large bodies: complete or not there, named by their content, and verified before their last byte is given."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import BlobRef
from replay_proxy.journal.storage.blobs import BlobStore
from tests.journal.disks import FaultyFiles, FullDisk


async def content(store: BlobStore, ref: BlobRef, size: int = 1000) -> bytes:
    return b"".join([chunk async for chunk in store.chunks(ref, size)])


@pytest.mark.parametrize("durable", [True, False])
async def test_a_body_comes_back_as_it_was_written(tmp_path: Path, durable: bool) -> None:
    store = BlobStore(tmp_path, durable=durable)
    spool = store.begin()
    whole = os.urandom(300_001)
    for start in range(0, len(whole), 70_000):
        spool.write(whole[start : start + 70_000])
    assert spool.size == len(whole)
    ref = await spool.commit()
    assert ref == BlobRef(hashlib.sha256(whole).hexdigest(), len(whole))
    assert store.path(ref).read_bytes() == whole
    assert await content(store, ref, 4096) == whole
    assert [path.name for path in (tmp_path / "blobs" / "tmp").iterdir()] == []


async def test_an_empty_body(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    ref = await store.put(b"")
    assert await content(store, ref) == b""


async def test_the_same_content_is_one_file(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    assert await store.put(b"same") == await store.put(b"same")
    assert len(list(store.stored())) == 1


async def test_storing_again_heals_a_damaged_file(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    ref = await store.put(b"content")
    store.path(ref).write_bytes(b"c0ntent")
    await store.put(b"content")
    assert await content(store, ref) == b"content"


async def test_an_abort_leaves_nothing(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    spool = store.begin()
    spool.write(b"x")
    spool.abort()
    spool.abort()
    assert list(store.stored()) == []
    assert [path.name for path in (tmp_path / "blobs" / "tmp").iterdir()] == []
    with pytest.raises(StorageError, match="after its end"):
        spool.write(b"y")


async def test_two_spools_at_a_time_do_not_mix(tmp_path: Path) -> None:
    store = BlobStore(tmp_path)
    one, two = store.begin(), store.begin()
    one.write(b"1")
    two.write(b"2")
    one.write(b"1")
    assert await content(store, await two.commit()) == b"2"
    assert await content(store, await one.commit()) == b"11"


class TestDamage:
    @pytest.mark.parametrize("size", [1, 1000, 5000])
    async def test_the_last_chunk_is_held_back_until_the_whole_is_right(self, tmp_path: Path, size: int) -> None:
        store = BlobStore(tmp_path)
        whole = os.urandom(5000)
        ref = await store.put(whole)
        store.path(ref).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        given_: list[bytes] = []
        with pytest.raises(RecordingError, match="does not have the content"):
            async for chunk in store.chunks(ref, size):
                given_ += [chunk]
        assert len(b"".join(given_)) <= 5000 - size

    async def test_another_length(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path)
        ref = await store.put(b"12345")
        store.path(ref).write_bytes(b"1234")
        with pytest.raises(RecordingError, match="has 4 bytes, not 5"):
            store.verify(ref)

    async def test_a_missing_file(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path)
        ref = BlobRef("ab" * 32, 1)
        with pytest.raises(RecordingError, match="is missing") as caught:
            store.verify(ref)
        assert ref.sha256 in caught.value.message
        assert "copy of the recording" in caught.value.hint

    async def test_a_link_in_place_of_a_blob_or_its_directory_is_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "r").mkdir()
        store = BlobStore(tmp_path / "r")
        ref = await store.put(b"content")
        path = store.path(ref)
        path.rename(tmp_path / "outside")
        path.symlink_to(tmp_path / "outside")
        with pytest.raises(StorageError):
            store.verify(ref)
        path.unlink()
        path.parent.rename(tmp_path / "aside")
        path.parent.symlink_to(tmp_path / "aside")
        (tmp_path / "outside").rename(tmp_path / "aside" / ref.sha256)
        with pytest.raises(StorageError):
            store.verify(ref)


class TestFailingDisk:
    async def test_a_full_disk_while_spooling(self, tmp_path: Path) -> None:
        disk = FullDisk()
        store = BlobStore(tmp_path, files=FaultyFiles(tmp_path, disk))
        spool = store.begin()
        spool.write(b"x" * 1000)
        disk.full = True
        with pytest.raises(StorageError, match="No space left"):
            spool.write(b"x" * 1000)
        disk.full = False
        assert [path.name for path in (tmp_path / "blobs" / "tmp").iterdir()] == []

    @pytest.mark.parametrize("operation", ["sync", "rename", "make_dir"])
    async def test_a_commit_that_fails_leaves_no_blob(self, tmp_path: Path, operation: str) -> None:
        broken = False
        store = BlobStore(
            tmp_path, files=FaultyFiles(tmp_path, lambda op: errno.EIO if broken and op == operation else 0)
        )
        spool = store.begin()
        spool.write(b"x")
        broken = True
        with pytest.raises(StorageError, match="Input/output error"):
            await spool.commit()
        assert [path.name for path in (tmp_path / "blobs" / "tmp").iterdir()] == []
        assert list(store.stored()) == [] or operation == "sync"

    async def test_directories_that_were_removed_are_made_again(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path)
        await store.put(b"one")
        (tmp_path / "blobs" / "tmp").rmdir()
        with pytest.raises(StorageError):
            store.begin()
        assert await content(store, await store.put(b"two")) == b"two"


class TestTidying:
    async def test_abandoned_spools_are_removed_at_a_start(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path)
        ref = await store.put(b"kept")
        store.begin().write(b"abandoned")
        assert BlobStore(tmp_path).recover(younger_than=60) == 1
        assert [path.name for path in (tmp_path / "blobs" / "tmp").iterdir()] == []
        assert await content(store, ref) == b"kept"

    async def test_young_blobs_of_an_earlier_process_are_synced(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path, durable=False)
        young, old = await store.put(b"young"), await store.put(b"old")
        past = time.time() - 1000
        for path in (store.path(old), store.path(old).parent):
            os.utime(path, (past, past))
        synced: list[str] = []

        class Watched(FaultyFiles):
            def open_read(self, name: str) -> int:
                synced.append(name)
                return super().open_read(name)

        again = BlobStore(tmp_path, files=Watched(tmp_path, lambda _op: 0))
        again.recover(younger_than=60)
        again.sync()
        assert [name.rpartition("/")[2] for name in synced] == [young.sha256]

    async def test_what_nothing_refers_to(self, tmp_path: Path) -> None:
        store = BlobStore(tmp_path)
        one, two = await store.put(b"one"), await store.put(b"two")
        (tmp_path / "blobs" / "README").write_text("not a blob")
        (tmp_path / "blobs" / one.sha256[:2] / "note").write_text("not a blob")
        assert list(store.unreferenced({one.sha256})) == [two]
        store.remove(two.sha256)
        assert list(store.stored()) == [one]


@given(st.lists(st.binary(max_size=50), max_size=10))
def test_the_name_is_the_hash_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    import asyncio

    store = BlobStore(tmp_path_factory.mktemp("blobs"), durable=False)
    spool = store.begin()
    for chunk in chunks:
        spool.write(chunk)
    ref = asyncio.run(spool.commit())
    whole = b"".join(chunks)
    assert ref == BlobRef(hashlib.sha256(whole).hexdigest(), len(whole))
    assert b"".join(store.read(ref, 7)) == whole
