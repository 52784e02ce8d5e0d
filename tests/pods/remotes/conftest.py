"""The kinds of remotes that every test of them is run against."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest

from replay_proxy.pods.remotes.bucket.bucket_session import bucket_client
from replay_proxy.pods.remotes.location import RemoteLocation
from tests.support.processes import Emulator, Process, left_out
from tests.support.storages import NO_RCLONE, Rclone, Registry, rclone, registry_missing

_LONG = left_out(1)
FOLDER_AND_REGISTRY = (
    "folder",
    pytest.param("registry", marks=pytest.mark.skipif(bool(registry_missing()), reason=str(registry_missing()))),
)
_RCLONE = pytest.mark.skipif(rclone() is None, reason=NO_RCLONE)
KINDS = (
    *FOLDER_AND_REGISTRY,
    "moto",
    pytest.param("ministack", marks=pytest.mark.skipif(bool(_LONG), reason=str(_LONG))),
    pytest.param("rclone", marks=[_RCLONE, pytest.mark.skipif(bool(_LONG), reason=str(_LONG))]),
)
"""A folder, an OCI registry, and S3: of emulators, and of something else that serves it."""
STORAGES = (
    *FOLDER_AND_REGISTRY,
    pytest.param("moto", marks=pytest.mark.skipif(bool(_LONG), reason=str(_LONG))),
    pytest.param("ministack", marks=pytest.mark.skipif(bool(_LONG), reason=str(_LONG))),
    pytest.param("rclone", marks=_RCLONE),
)
"""The same, with the one by default that knows no conditional writes."""

Place = Callable[[str], RemoteLocation]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Return a new empty remote of a kind; its server is started once."""
    scratch = tmp_path_factory.mktemp("storages")
    servers: dict[str, Process] = {}
    monkeypatch = pytest.MonkeyPatch()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)

    def make(kind: str) -> RemoteLocation:
        fresh = secrets.token_hex(4)
        if kind == "folder":
            return RemoteLocation(str(scratch / fresh))
        if kind not in servers:
            servers[kind] = (
                Registry(scratch)
                if kind == "registry"
                else Rclone(scratch)
                if kind == "rclone"
                else Emulator(kind, scratch)
            )
            if kind in ("moto", "ministack"):
                bucket_client(endpoint_url=servers[kind].url).create_bucket(Bucket="pods")
        if kind == "registry":
            return RemoteLocation(f"oci://{servers[kind].url.removeprefix('http://')}/team/{fresh}")
        return RemoteLocation(f"s3://pods/{fresh}", endpoint_url=servers[kind].url)

    yield make
    for each in servers.values():
        each.stop()
    monkeypatch.undo()
