"""The store of pods: versions, tags, several processes at once, pruning, and one file."""

from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import orjson
import pytest

from replay_proxy.cli.pod.places import found
from replay_proxy.config import Settings
from replay_proxy.errors import UsageError
from replay_proxy.pods.archive import new_file, read_archive, write_archive
from replay_proxy.pods.limits import Limits, PodError
from replay_proxy.pods.names import check_name, check_tag, parse_reference
from replay_proxy.pods.oci import parts
from replay_proxy.pods.oci.layout import SPOOLS, Layout, blob_path
from replay_proxy.pods.store import NoSuchPodError, PodStore
from tests.pods.samples import saved


def test_versions_are_entries_of_an_oci_index(tmp_path: Path) -> None:
    """Any OCI tool finds each version by `NAME-NUMBER`, and its blobs by their digests."""
    store = PodStore(tmp_path / "pods")
    saved(store, "shop", b"one", message="first")
    second = saved(store, "shop", b"one", b"two")
    saved(store, "shop-2", b"three")
    index = orjson.loads((store.root / "index.json").read_bytes())
    assert orjson.loads((store.root / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    refs = [each["annotations"]["org.opencontainers.image.ref.name"] for each in index["manifests"]]
    assert refs == ["shop-1", "shop-2", "shop-2-1"]
    assert [str(each) for each in store.versions("shop")] == ["shop:1", "shop:2"]
    assert store.find(parse_reference("shop")).digest == second.digest
    manifest = orjson.loads((store.root / blob_path(second.digest)).read_bytes())
    assert manifest["artifactType"].startswith("application/vnd.replay-proxy.pod")
    assert all((store.root / blob_path(each["digest"])).is_file() for each in manifest["layers"])


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    """The number of a removed version stays taken while the pod lives; a tag goes with its version."""
    store = PodStore(tmp_path)
    for body in (b"1", b"2", b"3"):
        saved(store, "shop", body)
    store.tag(parse_reference("shop:3"), "stable")
    assert store.find(parse_reference("shop:stable")).number == 3
    store.tag(parse_reference("shop:2"), "stable")
    assert store.find(parse_reference("shop:stable")).number == 2
    store.remove(parse_reference("shop:3"))
    store.remove(parse_reference("shop:stable"))
    assert [str(each) for each in store.versions()] == ["shop:1"]
    with pytest.raises(NoSuchPodError):
        store.find(parse_reference("shop:stable"))
    assert saved(store, "shop", b"4").number == 4
    assert len(store.remove(parse_reference("shop"))) == 2
    count, _size = store.prune()
    assert count == 9
    assert not list(store.layout.stored())
    (tmp_path / SPOOLS / "unfinished").write_bytes(b"by a process that was killed")
    assert store.prune() == (1, 28)
    assert store.prune() == (0, 0)


def _save_ten(root: str, worker: int) -> None:
    store = PodStore(Path(root))
    for turn in range(10):
        saved(store, "shop", f"{worker} {turn}".encode())
        if turn == 5:
            store.prune()


def test_processes_that_save_at_once_keep_all_their_versions(tmp_path: Path) -> None:
    """Forty versions by four processes, some of which prune meanwhile: forty numbers, and every blob is there."""
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_save_ten, args=(str(tmp_path), each)) for each in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(60)
    store = PodStore(tmp_path)
    versions = store.versions("shop")
    assert [each.number for each in versions] == list(range(1, 41))
    bodies = {b"".join(store.layout.read(layer)) for each in versions for layer in store.manifest(each).layers}
    assert bodies == {f"{worker} {turn}".encode() for worker in range(4) for turn in range(10)}


@pytest.mark.parametrize("bodies", [0, 60])
def test_a_file_is_a_layout_that_reads_back(tmp_path: Path, bodies: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same version makes the same file, private to its owner; it comes back with the digest that it had, of parts or not."""
    monkeypatch.setattr(parts, "BODIES_MAX", 20)
    store = PodStore(tmp_path / "pods")
    version = saved(store, "shop", b"one", b"two" * 100_000, *(b"%d" % each for each in range(bodies)))
    with new_file(tmp_path / "shop.pod") as sink:
        write_archive(store.layout, version, sink)
    again = BytesIO()
    write_archive(store.layout, version, again)
    assert (tmp_path / "shop.pod").read_bytes() == again.getvalue()
    assert stat.S_IMODE((tmp_path / "shop.pod").stat().st_mode) == 0o600
    with pytest.raises(UsageError), new_file(tmp_path / "shop.pod"):
        pass
    other = PodStore(tmp_path / "other")
    with other.layout.writing():
        descriptor, manifest, known = read_archive(BytesIO(again.getvalue()), other.layout, "shop.pod")
        data = other.layout.manifest_bytes(descriptor)
        taken = other.add("shop", manifest, number=known[1] if known else None, data=data)
    assert (known, taken.digest) == (("shop", 1), version.digest)
    assert bool(manifest.parts) == bool(bodies)


def test_what_is_not_what_its_digest_says_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that was changed is refused when it is read, taken in, or named; limits hold before anything is used."""
    store = PodStore(tmp_path / "pods")
    version = saved(store, "shop", b"one", b"two")
    layer = store.manifest(version).layers[0]
    (store.root / blob_path(layer.digest)).write_bytes(b"eno")
    with pytest.raises(PodError, match="does not have the content"):
        list(store.layout.read(layer))
    with pytest.raises(PodError, match="came as"):
        store.layout.take(layer, [b"eno"])
    assert not list((store.root / "blobs" / "tmp").iterdir())
    with pytest.raises(PodError, match="more than 1"):
        Layout(store.root, Limits(layers=1)).manifest(version.descriptor)
    with pytest.raises(PodError, match="more than 5 bytes"):
        Layout(store.root, Limits(size_bytes=5)).manifest(version.descriptor)
    monkeypatch.setattr(parts, "BODIES_MAX", 20)
    many = saved(store, "many", *(b"%d" % each for each in range(60)))
    with pytest.raises(PodError, match="60 layers, more than 59"):
        Layout(store.root, Limits(layers=59)).manifest(many.descriptor)
    part = store.manifest(many).parts[1].descriptor
    held = (store.root / blob_path(part.digest)).read_bytes()
    (store.root / blob_path(part.digest)).write_bytes(held.replace(b"0", b"1", 1))
    with pytest.raises(PodError, match="does not have the content"):
        store.manifest(many)
    (store.root / blob_path(layer.digest)).unlink()
    (store.root / blob_path(layer.digest)).symlink_to("/etc/passwd")
    with pytest.raises(Exception, match="symbolic link"):
        list(store.layout.read(layer))


@pytest.mark.parametrize("check", [check_name, check_tag, lambda text: parse_reference(f"shop:{text}")])
def test_a_name_that_is_too_long_is_told_its_length(check: Callable[[str], object]) -> None:
    check("a" * 100)
    with pytest.raises(UsageError, match=r"is 101 characters long; .* has 100 at most"):
        check("a" * 101)


def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.pod"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="it is a pipe"), found(str(pipe), Settings()):
        pass
