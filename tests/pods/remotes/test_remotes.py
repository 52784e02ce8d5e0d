"""What every kind of remote does: versions, tags, only what is missing, nothing unverified."""

from __future__ import annotations

import os
import random
import stat
import threading
from pathlib import Path

import pytest

from replay_proxy.errors import RemoteError, RemoteUnavailableError
from replay_proxy.pods.limits import PodError
from replay_proxy.pods.names import parse_reference
from replay_proxy.pods.oci import parts
from replay_proxy.pods.oci.descriptor import BODY_TYPE, MESSAGE, Descriptor
from replay_proxy.pods.oci.layout import blob_path
from replay_proxy.pods.remotes.location import RemoteLocation, open_remote
from replay_proxy.pods.remotes.transfer import Transfer, find_number, pull, push
from replay_proxy.pods.store import PodStore, Version
from tests.pods.remotes.conftest import FOLDER_AND_REGISTRY, KINDS, STORAGES, Place
from tests.pods.samples import saved


def _push(store: PodStore, version: Version, location: RemoteLocation, name: str = "") -> Transfer:
    data = store.layout.manifest_bytes(version.descriptor)
    return push(store.layout, name or version.name, data, open_remote(location))


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_pushed_comes_back(kind: str, place: Place, tmp_path: Path) -> None:
    """Versions, the pod's name, tags, large blobs in parts; of the second version only what the first one lacks."""
    location = place(kind)
    mine, theirs = PodStore(tmp_path / "mine"), PodStore(tmp_path / "theirs")
    large = random.Random(1).randbytes(9 << 20)
    first = saved(mine, "shop", b"small", large, message="first")
    second = saved(mine, "shop", b"other", large, message="second")
    assert _push(mine, first, location).number == 1
    moved = _push(mine, second, location)
    assert (moved.number, moved.moved_blobs, moved.moved_bytes, moved.blobs) == (2, 1, 5, 3)
    _push(mine, first, location, "shop-2")
    remote = open_remote(location)
    assert dict(remote.catalogue()) == {"shop": [1, 2], "shop-2": [1]}
    assert (remote.numbers("shop"), remote.numbers("nothing")) == ([1, 2], [])
    described = remote.describe([("shop", 2), ("shop", 1), ("nothing", 1)])
    assert {key: each.digest for key, each in described.items()} == {
        ("shop", 1): first.digest,
        ("shop", 2): second.digest,
    }
    assert described["shop", 2].annotations[MESSAGE] == "second"
    remote.set_tag("shop", "stable", 1)
    assert dict(remote.tags("shop")) == {"stable": 1}
    assert find_number(remote, parse_reference("shop:stable")) == 1
    assert find_number(remote, parse_reference("shop")) == find_number(remote, parse_reference("shop:latest")) == 2
    seen: list[tuple[int, int]] = []
    version, moved = pull(theirs, "shop", 2, remote, progress=lambda done, total: seen.append((done, total)))
    assert (str(version), version.digest, moved.moved_blobs) == ("shop:2", second.digest, 3)
    assert seen[-1] == (moved.moved_bytes, moved.moved_bytes)
    assert b"".join(theirs.layout.read(theirs.manifest(version).layers[1])) == large
    version, moved = pull(theirs, "shop", 1, remote)
    assert (str(version), version.digest, moved.moved_bytes) == ("shop:1", first.digest, 5)
    for wanted in ("shop:7", "nothing"):
        with pytest.raises(RemoteError, match="does not hold"):
            reference = parse_reference(wanted)
            pull(theirs, reference.name, find_number(remote, reference), remote)


@pytest.mark.parametrize("kind", KINDS)
def test_of_many_bodies_the_parts_are_sent_that_changed(
    kind: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With many bodies a version is an index of parts: one body that is exchanged costs its own bytes, and two parts."""
    monkeypatch.setattr(parts, "BODIES_MAX", 10)
    monkeypatch.setattr(parts, "BODIES_PER_PART", 4)
    location = place(kind)
    mine, theirs = PodStore(tmp_path / "mine"), PodStore(tmp_path / "theirs")
    bodies = [b"body %d" % each for each in range(40)]
    first = saved(mine, "shop", *bodies)
    second = saved(mine, "shop", *bodies[1:], b"another")
    before, after = (
        {each.descriptor.digest: each.descriptor.size for each in mine.manifest(version).parts}
        for version in (first, second)
    )
    assert _push(mine, first, location).moved_blobs == 41 + len(before)
    moved = _push(mine, second, location)
    changed = after.keys() - before.keys()
    assert len(changed) < 4 < len(before)
    assert (moved.moved_blobs, moved.moved_bytes) == (1 + len(changed), 7 + sum(after[each] for each in changed))
    remote = open_remote(location)
    assert remote.describe([("shop", 2)])["shop", 2].digest == second.digest
    version, _moved = pull(theirs, "shop", 2, remote)
    assert (version.digest, theirs.manifest(version).layers) == (second.digest, mine.manifest(second).layers)
    theirs.remove(parse_reference("shop:2"))
    assert theirs.prune()[0] == 1 + 41 + len(after)


@pytest.mark.parametrize("kind", [*FOLDER_AND_REGISTRY, STORAGES[2], STORAGES[3]])
def test_a_removed_number_is_not_given_again(kind: str, place: Place, tmp_path: Path) -> None:
    """What somebody was told as `shop:2` is never something else; its tags go with it."""
    location, store = place(kind), PodStore(tmp_path)
    for body in (b"1", b"2"):
        _push(store, saved(store, "shop", body), location)
    remote = open_remote(location)
    remote.set_tag("shop", "good", 2)
    remote.delete_version("shop", 2)
    assert remote.numbers("shop") == [1]
    assert dict(remote.tags("shop")) == {}
    with pytest.raises(RemoteError, match="does not hold"):
        remote.delete_version("shop", 2)
    assert _push(store, saved(store, "shop", b"3"), location).number == 3


@pytest.mark.parametrize("kind", STORAGES)
def test_many_who_push_at_once_keep_their_versions(kind: str, place: Place, tmp_path: Path) -> None:
    """Each gets a number of its own, without gaps, and each version is what was pushed under it."""
    location = place(kind)
    people, turns = (4, 2) if kind in ("folder", "registry") else (3, 1)
    told: dict[int, str] = {}

    def work(person: int) -> None:
        store = PodStore(tmp_path / str(person))
        for turn in range(turns):
            version = saved(store, "shop", f"{person} {turn}".encode())
            told[_push(store, version, location).number] = version.digest

    threads = [threading.Thread(target=work, args=(person,)) for person in range(people)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(told) == list(range(1, people * turns + 1))
    remote, store = open_remote(location), PodStore(tmp_path / "all")
    assert remote.numbers("shop") == sorted(told)
    assert {number: pull(store, "shop", number, remote)[0].digest for number in told} == told


@pytest.mark.parametrize("kind", FOLDER_AND_REGISTRY)
def test_the_same_version_pushed_again_is_another_one(kind: str, place: Place, tmp_path: Path) -> None:
    """A push makes a version, also of what is there already; nothing is transferred."""
    location, store = place(kind), PodStore(tmp_path)
    version = saved(store, "shop", b"1")
    _push(store, version, location)
    again = _push(store, version, location)
    assert (again.number, again.moved_bytes) == (2, 0)


def test_what_a_folder_damaged_is_not_used(place: Place, tmp_path: Path) -> None:
    """Another content, another length, nothing: each is an error, and the store has no such version."""
    location = place("folder")
    mine = PodStore(tmp_path / "mine")
    version = saved(mine, "shop", b"content")
    _push(mine, version, location)
    path = Path(location.url) / blob_path(mine.manifest(version).layers[0].digest)
    for content in (b"CONTENT", b"content and more", b"cont", None):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        theirs = PodStore(tmp_path / "theirs")
        with pytest.raises((PodError, RemoteError)):
            pull(theirs, "shop", 1, open_remote(location))
        assert theirs.versions() == []
        assert [each for each in theirs.layout.stored() if each.size == 7] == []


def test_a_push_mends_what_a_folder_damaged(place: Place, tmp_path: Path) -> None:
    """A pull names the file and what mends it; a push does not rely on it, and replaces it and nothing else."""
    location = place("folder")
    mine = PodStore(tmp_path / "mine")
    version = saved(mine, "shop", b"content", b"whole")
    _push(mine, version, location)
    path = Path(location.url) / blob_path(mine.manifest(version).layers[0].digest)
    path.write_bytes(b"CONTENT")
    theirs = PodStore(tmp_path / "theirs")
    with pytest.raises(PodError, match=str(path)) as refused:
        pull(theirs, "shop", 1, open_remote(location))
    assert "push the version there once more" in refused.value.hint
    moved = _push(mine, version, location)
    assert (moved.number, moved.moved_blobs, moved.moved_bytes) == (2, 1, 7)
    for number in (1, 2):
        assert pull(theirs, "shop", number, open_remote(location))[0].digest == version.digest


def test_a_damaged_index_is_told_with_what_helps(place: Place, tmp_path: Path) -> None:
    """Of the store, and of a remote: nothing can be fetched or saved while it is there."""
    location, mine = place("folder"), PodStore(tmp_path / "mine")
    version = saved(mine, "shop", b"content")
    _push(mine, version, location)
    for folder in (Path(location.url), mine.root):
        (folder / "index.json").write_text("{bad")
    for refused in (lambda: saved(mine, "shop", b"more"), lambda: open_remote(location).catalogue()):
        with pytest.raises(PodError, match=r"index\.json is no JSON") as error:
            refused()
        assert error.value.hint.startswith("put a copy of that file back; without one, move")


def test_a_damaged_blob_does_not_leave(place: Place, tmp_path: Path) -> None:
    """It is verified before it is sent, whoever verifies it there."""
    location, store = place("moto"), PodStore(tmp_path)
    version = saved(store, "shop", b"content")
    (store.root / blob_path(store.manifest(version).layers[0].digest)).write_bytes(b"CONTENT")
    with pytest.raises(PodError):
        _push(store, version, location)
    assert open_remote(location).catalogue() == {}


def test_a_shared_folder_is_as_open_as_it_was_made(tmp_path: Path) -> None:
    """What is pushed into a folder of a group is read and written by the group; into a private one by its owner."""
    store = PodStore(tmp_path / "store")
    version = saved(store, "shop", b"1")
    for mode, file_mode in ((0o2770, 0o660), (0o700, 0o600)):
        folder = tmp_path / oct(mode)
        folder.mkdir()
        folder.chmod(mode)
        _push(store, version, RemoteLocation(str(folder)))
        modes = {stat.S_IMODE(each.stat().st_mode) for each in folder.rglob("*") if each.is_file()}
        folders = {stat.S_IMODE(each.stat().st_mode) for each in folder.rglob("*") if each.is_dir()}
        assert (modes, folders) == ({file_mode}, {mode})


def test_an_upload_in_parts_goes_on_where_it_ended(place: Place, tmp_path: Path) -> None:
    """Parts that another process sent before it was killed are not sent again."""
    from replay_proxy.pods.remotes.bucket.bucket_session import bucket_client
    from replay_proxy.pods.remotes.bucket.multipart import upload

    location = place("moto")
    client = bucket_client(endpoint_url=location.endpoint_url)
    source = tmp_path / "large"
    source.write_bytes(os.urandom(20 << 20))

    class Killed(BaseException):
        pass

    through = 0

    def sent(count: int) -> None:
        nonlocal through
        through += count
        if through >= 16 << 20:
            raise Killed

    with pytest.raises(Killed):
        upload(client, "pods", "large", source, 20 << 20, sent)
    sizes: list[int] = []
    client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: sizes.append(len(params["body"])))
    upload(client, "pods", "large", source, 20 << 20, lambda _count: None)
    assert sizes == [4 << 20]
    assert client.get_object(Bucket="pods", Key="large")["Body"].read() == source.read_bytes()
    assert "Uploads" not in client.list_multipart_uploads(Bucket="pods")


def test_a_download_goes_on_where_it_broke(tmp_path: Path) -> None:
    """A connection that breaks in the middle costs what was not there yet, and never a digest."""
    from replay_proxy.pods.remotes.folder import FolderRemote
    from replay_proxy.pods.remotes.transfer import received

    store = PodStore(tmp_path)
    content = os.urandom(5 << 20)
    layer = store.manifest(saved(store, "shop", content)).layers[0]
    starts: list[int] = []

    class Breaking(FolderRemote):
        def read_blob(self, blob: Descriptor, start: int = 0):  # type: ignore[no-untyped-def]
            starts.append(start)
            for chunk in super().read_blob(blob, start):
                yield chunk[:1000] if len(starts) < 3 else chunk
                if len(starts) < 3:
                    raise RemoteUnavailableError("broken", hint="again")

    other = PodStore(tmp_path / "other")
    other.layout.take(Descriptor(BODY_TYPE, layer.digest, layer.size), received(Breaking(tmp_path), layer))
    assert starts == [0, 1000, 2000]
