"""A push that is killed at any moment leaves a remote that reads as before, or as after; and the next push goes through."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from pathlib import Path

import pytest

from replay_proxy.pods.remotes.location import RemoteLocation, open_remote
from replay_proxy.pods.remotes.transfer import pull, push
from replay_proxy.pods.store import PodStore, Version
from tests.pods.remotes.conftest import FOLDER_AND_REGISTRY, Place
from tests.pods.samples import saved
from tests.support.processes import amount, left_out

_LONG = left_out(1)
KINDS = (
    *FOLDER_AND_REGISTRY,
    *(
        pytest.param(kind, marks=pytest.mark.skipif(bool(_LONG), reason=str(_LONG)))
        for kind in ("moto", "ministack", "rclone")
    ),
)


def _push(store: PodStore, version: Version, location: RemoteLocation) -> int:
    return push(
        store.layout, version.name, store.layout.manifest_bytes(version.descriptor), open_remote(location)
    ).number


@pytest.mark.parametrize("kind", KINDS)
def test_a_push_is_killed_at_any_moment(kind: str, place: Place, tmp_path: Path) -> None:
    """Every version that the remote lists loads, none is lost, and at most the one that was being pushed is new."""
    location, store, draw = place(kind), PodStore(tmp_path / "mine"), random.Random(kind)
    first = saved(store, "shop", os.urandom(9 << 20), b"first")
    begun = time.monotonic()
    _push(store, first, location)
    usual_s = time.monotonic() - begun
    known = {1: first.digest}
    fork = multiprocessing.get_context("fork")
    for turn in range(amount(4, 20)):
        version = saved(store, "shop", os.urandom(9 << 20), bytes([turn]))
        process = fork.Process(target=_push, args=(store, version, location))
        process.start()
        process.join(draw.uniform(0, usual_s * 1.2))
        process.kill()
        process.join()
        numbers = open_remote(location).numbers("shop")
        new = set(numbers) - known.keys()
        assert known.keys() <= set(numbers)
        assert len(new) <= 1
        known |= dict.fromkeys(new, version.digest)
    last = saved(store, "shop", b"last")
    number = _push(store, last, location)
    assert number > max(known)
    theirs, remote = PodStore(tmp_path / "theirs"), open_remote(location)
    for each, digest in {**known, number: last.digest}.items():
        assert pull(theirs, "shop", each, remote)[0].digest == digest
    assert dict(remote.describe([("shop", number)]))["shop", number].digest == last.digest
