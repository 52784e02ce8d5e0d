"""A real OCI registry: what an independent client reads and writes, credentials, a registry that deletes nothing."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from pathlib import Path

import orjson
import pytest

from replay_proxy.errors import RemoteError, RemoteUnavailableError
from replay_proxy.pods.oci import parts
from replay_proxy.pods.remotes.location import RemoteLocation, open_remote
from replay_proxy.pods.remotes.transfer import pull, push
from replay_proxy.pods.store import PodStore, Version
from tests.pods.samples import saved
from tests.support.storages import Registry, registry_missing, skopeo, skopeo_missing

pytestmark = pytest.mark.skipif(bool(registry_missing()), reason=str(registry_missing()))
TYPE = "application/vnd.replay-proxy.pod.v1+json"


def _push(store: PodStore, version: Version, location: RemoteLocation) -> int:
    return push(
        store.layout, version.name, store.layout.manifest_bytes(version.descriptor), open_remote(location)
    ).number


@pytest.mark.skipif(bool(skopeo_missing()), reason=str(skopeo_missing()))
def test_skopeo_understands_it_and_what_skopeo_copied_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the registry to a folder, from a folder to the registry: the same manifests, digest by digest."""
    registry = Registry(tmp_path)
    try:
        location = RemoteLocation(f"oci://{registry.host}/team/pods")
        store = PodStore(tmp_path / "store")
        version = saved(store, "shop", b"one", b"two", message="hello")
        _push(store, version, location)
        there = f"docker://{registry.host}/team/pods"
        raw = skopeo("inspect", "--raw", "--tls-verify=false", f"{there}:shop-1")
        assert raw.encode() == store.layout.manifest_bytes(version.descriptor)
        assert orjson.loads(raw)["config"]["mediaType"].startswith("application/vnd.replay-proxy.pod")
        folder = tmp_path / "copied"
        skopeo("copy", "--src-tls-verify=false", f"{there}:shop-1", f"oci:{folder}:shop-1")
        theirs = PodStore(tmp_path / "theirs")
        pulled, _moved = pull(theirs, "shop", 1, open_remote(RemoteLocation(str(folder))))
        assert pulled.state == version.state
        assert theirs.manifest(pulled).layers == store.manifest(version).layers
        second = saved(store, "shop", b"one", b"three")
        skopeo("copy", "--dest-tls-verify=false", f"oci:{store.root}:shop-2", f"{there}:shop-2")
        remote = open_remote(location)
        assert remote.numbers("shop") == [1, 2]
        pulled, moved = pull(theirs, "shop", 2, remote)
        assert theirs.manifest(pulled).layers == store.manifest(second).layers
        assert moved.moved_bytes == 5
        monkeypatch.setattr(parts, "BODIES_MAX", 20)
        many = saved(store, "shop", *(b"%d" % each for each in range(60)))
        _push(store, many, location)
        with pytest.raises(subprocess.CalledProcessError):  # one instance of several: it would not be all of it
            skopeo("copy", "--src-tls-verify=false", f"{there}:shop-3", f"oci:{tmp_path / 'one'}:shop-3")
        skopeo("copy", "--all", "--src-tls-verify=false", f"{there}:shop-3", f"oci:{folder}:shop-3")
        skopeo("copy", "--all", "--dest-tls-verify=false", f"oci:{folder}:shop-3", f"{there}:shop-4")
        pulled, _moved = pull(theirs, "shop", 4, remote)
        assert theirs.manifest(pulled).layers == store.manifest(many).layers
    finally:
        registry.end()


def test_credentials_are_those_of_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its configuration, from a login helper; without them, and with wrong ones, an error at once that says what to do."""
    registry = Registry(tmp_path, accounts=True)
    try:
        location = RemoteLocation(f"oci://{registry.host}/team/pods")
        store = PodStore(tmp_path / "store")
        version = saved(store, "shop", os.urandom(9 << 20))
        config = tmp_path / "docker" / "config.json"
        config.parent.mkdir()
        monkeypatch.setenv("DOCKER_CONFIG", str(config.parent))
        begun = time.monotonic()
        with pytest.raises(RemoteError, match="credentials") as refused:
            _push(store, version, location)
        assert "docker login" in refused.value.hint
        wrong = base64.b64encode(b"reader:wrong").decode()
        config.write_bytes(orjson.dumps({"auths": {registry.host: {"auth": wrong}}}))
        with pytest.raises(RemoteError, match="credentials"):
            _push(store, version, location)
        assert time.monotonic() - begun < 20
        right = base64.b64encode(b"reader:secret").decode()
        config.write_bytes(orjson.dumps({"auths": {f"http://{registry.host}": {"auth": right}}}))
        assert _push(store, version, location) == 1
        helper = tmp_path / "bin" / "docker-credential-test"
        helper.parent.mkdir()
        helper.write_text(
            '#!/bin/sh\nread -r server\necho "{\\"Username\\": \\"reader\\", \\"Secret\\": \\"secret\\"}"\n'
        )
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", f"{helper.parent}:{os.environ['PATH']}")
        config.write_bytes(orjson.dumps({"credHelpers": {registry.host: "test"}}))
        assert _push(store, version, location) == 2
    finally:
        registry.end()


def test_a_registry_that_deletes_nothing(tmp_path: Path) -> None:
    """Numbers are unique there, too; a version cannot be removed, and the error says so, as it does where nobody answers."""
    registry = Registry(tmp_path, delete=False)
    try:
        location = RemoteLocation(f"oci://{registry.host}/pods")
        store = PodStore(tmp_path / "store")
        for number in (1, 2):
            assert _push(store, saved(store, "shop", bytes([number])), location) == number
        remote = open_remote(location)
        assert dict(remote.catalogue()) == {"shop": [1, 2]}
        with pytest.raises(RemoteError, match="deletes nothing"):
            remote.delete_version("shop", 2)
        assert _push(store, saved(store, "shop", b"3"), location) == 3
        registry.kill()
        with pytest.raises(RemoteUnavailableError, match="does not answer"):
            _push(store, saved(store, "shop", b"4"), location)
    finally:
        registry.end()


def test_of_a_manifest_with_several_tags_none_is_deleted_alone(tmp_path: Path) -> None:
    """Where the registry deletes by digest only; the message names the others, in the order of their numbers."""
    registry = Registry(tmp_path)
    try:
        location = RemoteLocation(f"oci://{registry.host}/pods")
        store = PodStore(tmp_path / "store")
        version = saved(store, "shop", b"content")
        _push(store, version, location)
        _push(store, saved(store, "shop", b"other"), location)
        _push(store, version, location)
        remote = open_remote(location)
        with pytest.raises(RemoteError, match="cannot delete shop:1 alone: shop:3 has the same manifest"):
            remote.delete_version("shop", 1)
        for _number in range(9):
            _push(store, version, location)
        named = r"shop:1, shop:3, shop:4, shop:5, shop:6, shop:7, shop:8, shop:9, shop:10, shop:11 have"
        with pytest.raises(RemoteError, match=f"cannot delete shop:12 alone: {named} the same manifest") as refused:
            remote.delete_version("shop", 12)
        assert version.digest in refused.value.hint
        assert remote.numbers("shop") == list(range(1, 13))
    finally:
        registry.end()
