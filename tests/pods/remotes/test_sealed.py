"""Versions that only a passphrase opens, and files behind presigned URLs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from replay_proxy.errors import RecordingError, RemoteError, UsageError
from replay_proxy.pods.archive import read_archive
from replay_proxy.pods.limits import Limits, PodError
from replay_proxy.pods.oci.layout import Layout
from replay_proxy.pods.remotes.download import downloaded
from replay_proxy.pods.remotes.encrypted import fetch, plain_archive, push_encrypted
from replay_proxy.pods.remotes.location import open_bucket, open_remote
from replay_proxy.pods.remotes.shared_file import shared_url
from replay_proxy.pods.remotes.transfer import push
from replay_proxy.pods.store import PodStore
from tests.pods.remotes.conftest import FOLDER_AND_REGISTRY, Place
from tests.pods.samples import saved


@pytest.mark.parametrize("kind", FOLDER_AND_REGISTRY)
def test_an_encrypted_version_needs_its_passphrase(kind: str, place: Place, tmp_path: Path) -> None:
    """It comes back as it was, keeps its number, and shows nothing of its content to the remote."""
    location, mine, theirs = place(kind), PodStore(tmp_path / "mine"), PodStore(tmp_path / "theirs")
    version = saved(mine, "shop", b"hunter22" * 1000, message="about hunter22")
    remote = open_remote(location)
    assert push_encrypted(mine.layout, version, remote, "open sesame").number == 1
    assert b"hunter22" not in remote.read_manifest("shop", 1)
    if kind == "folder":
        assert not [
            each for each in Path(location.url).rglob("*") if each.is_file() and b"hunter22" in each.read_bytes()
        ]
    with pytest.raises(RecordingError, match="passphrase"):
        fetch(theirs, "shop", 1, remote, lambda: "close sesame")
    assert theirs.versions() == []
    fetched, _moved = fetch(theirs, "shop", 1, remote, lambda: "open sesame")
    assert (str(fetched), fetched.digest) == ("shop:1", version.digest)
    again, moved = fetch(theirs, "shop", 1, remote, lambda: "open sesame")
    assert (again.digest, moved.blobs, len(theirs.versions())) == (version.digest, 1, 1)


def test_a_url_is_enough_to_load_a_version(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One URL, without credentials; sealed where it was asked for; refused where it is damaged or too large."""
    location, mine = place("moto"), PodStore(tmp_path / "mine")
    version = saved(mine, "shop", os.urandom(9 << 20), b"small")
    remote = open_bucket(location)
    push(mine.layout, "shop", mine.layout.manifest_bytes(version.descriptor), remote)
    with pytest.raises(UsageError, match="7 days"):
        shared_url(remote, mine, "shop", 1, expires_s=8 * 86400)
    nothing = PodStore(tmp_path / "nothing")
    plain = shared_url(remote, nothing, "shop", 1, expires_s=600)
    sealed = shared_url(remote, mine, "shop", 1, expires_s=600, passphrase="open sesame")
    assert nothing.versions() == []
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for url in (plain, sealed):
        layout = Layout(tmp_path / str(url == plain))
        with (
            downloaded(url, Limits()) as file,
            layout.writing(),
            plain_archive(file, "it", lambda: "open sesame") as archive,
        ):
            descriptor, _manifest, known = read_archive(archive, layout, "it")
        assert (descriptor.digest, known) == (version.digest, ("shop", 1))
    with pytest.raises(PodError, match="larger"), downloaded(plain, Limits(size_bytes=1 << 20)):
        pass
    with pytest.raises(RemoteError, match="404"), downloaded(plain.replace("files/", "other/"), Limits()):
        pass
    with pytest.raises(UsageError, match="no address"), downloaded("http:///nothing", Limits()):
        pass
