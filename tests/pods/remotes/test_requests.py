"""What a push costs does not grow with the versions that are there: as many requests to the second as to the fiftieth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from replay_proxy.pods.oci.descriptor import REF_NAME
from replay_proxy.pods.remotes.bucket.bucket import BucketRemote
from replay_proxy.pods.remotes.location import open_remote
from replay_proxy.pods.remotes.remote import Remote
from replay_proxy.pods.remotes.transfer import push
from replay_proxy.pods.store import PodStore, Version
from tests.pods.remotes.conftest import Place
from tests.pods.remotes.filling import number_anew
from tests.pods.samples import saved
from tests.support.storages import registry_missing

VERSIONS = 50
REGISTRY = pytest.param("registry", marks=pytest.mark.skipif(bool(registry_missing()), reason=str(registry_missing())))


def _counted(remote: Any, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the requests to a remote from now on, by what they ask."""
    found: Counter[str] = Counter()
    if isinstance(remote, BucketRemote):
        remote._client.meta.events.register(
            "before-send.s3", lambda event_name, **_more: found.update([event_name.rpartition(".")[2]])
        )
    else:
        once = remote._session._once

        def counted(method: str, *rest: Any) -> Any:
            found.update([method])
            return once(method, *rest)

        monkeypatch.setattr(remote._session, "_once", counted)
    return found


@pytest.mark.parametrize("kind", ["moto", REGISTRY])
def test_a_push_takes_as_many_requests_whatever_is_there(
    kind: str, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where versions have tags; and what others wrote is in the index after the next push."""
    store, remote = PodStore(tmp_path), open_remote(place(kind))
    versions = [saved(store, "shop", f"version {each}".encode()) for each in range(4)]

    def pushed(version: Version, to: Remote) -> int:
        return push(store.layout, "shop", store.layout.manifest_bytes(version.descriptor), to).number

    assert pushed(versions[0], remote) == 1
    requests = _counted(remote, monkeypatch)
    assert pushed(versions[1], remote) == 2
    to_one = Counter(requests)
    assert sum(to_one.values()) < 25
    number_anew(remote, "shop", 1, range(3, VERSIONS))
    for tag in ("stable", "old", "good"):
        remote.set_tag("shop", tag, 7)
    assert pushed(versions[2], remote) == VERSIONS
    if isinstance(remote, BucketRemote):
        refs = [each.annotations[REF_NAME] for each in remote._index()[0].manifests]
        tags = [f"shop:{tag}" for tag in ("good", "old", "stable")]
        assert refs == [*(f"shop-{number}" for number in range(1, VERSIONS + 1)), *tags]
    requests.clear()
    assert pushed(versions[3], remote) == VERSIONS + 1
    assert requests == to_one
    # A registry tells by the manifest which version has a tag, and so many versions have this one.
    assert set(remote.tags("shop").values()) == {7 if isinstance(remote, BucketRemote) else VERSIONS - 1}
