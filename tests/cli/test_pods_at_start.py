"""Pods of AUTO_LOAD_POD and of a folder, of which one is damaged: none is loaded, whatever stands before it."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from replay_proxy.cli.main import main
from replay_proxy.cli.pod.at_start import load_at_start
from replay_proxy.config import Settings, add_options, resolve
from replay_proxy.pods.limits import PodError
from replay_proxy.pods.names import parse_reference
from replay_proxy.pods.oci.layout import blob_path
from replay_proxy.pods.store import PodStore
from tests.reports.shop import shop
from tests.resources.recordings import queue


@pytest.fixture
def store(tmp_path: Path) -> PodStore:
    """A store with the pods `a` and `b`."""
    for name in ("a", "b"):
        tape = shop()
        queue(tape, f"of-{name}")
        tape.write(tmp_path / name)
        words = ["pod", "save", name, "--data-dir", str(tmp_path / name), "--pods-dir", str(tmp_path / "pods")]
        assert main(words) == 0
    return PodStore(tmp_path / "pods")


def _settings(store: PodStore, *words: str) -> Settings:
    parser = ArgumentParser()
    add_options(parser, "serve")
    places = ("--data-dir", str(store.root.parent / "new"), "--pods-dir", str(store.root))
    return resolve(parser.parse_args([*places, *words]))


async def test_a_pod_of_the_store_that_is_damaged(store: PodStore) -> None:
    """It is the second of two, in a blob that its manifest names; mended, both are loaded, once."""
    version = store.find(parse_reference("b"))
    theirs = {each.digest for each in store.manifest(store.find(parse_reference("a"))).journal}
    own = next(each.digest for each in store.manifest(version).journal if each.digest not in theirs)
    blob = store.root / blob_path(own)
    content = blob.read_bytes()
    blob.write_bytes(bytes(len(content)))
    settings = _settings(store, "--auto-load-pod", "a,b")
    with pytest.raises(PodError, match="does not have the content"):
        await load_at_start(settings, "moto")
    assert not (store.root.parent / "new").exists()
    blob.write_bytes(content)
    assert await load_at_start(settings, "moto") == 2
    assert await load_at_start(settings, "moto") == 0


async def test_a_pod_file_of_the_folder_that_is_damaged(store: PodStore, tmp_path: Path) -> None:
    """The last file of the folder, after a pod of AUTO_LOAD_POD, is cut off; the error has its name."""
    folder = tmp_path / "init"
    folder.mkdir()
    for number in (1, 2):
        words = ["pod", "save", str(folder / f"{number}.pod"), "--data-dir", str(tmp_path / "b")]
        assert main(words) == 0
    whole = (folder / "2.pod").read_bytes()
    (folder / "2.pod").write_bytes(whole[: len(whole) // 2])
    settings = _settings(store, "--auto-load-pod", "a", "--init-pods-dir", str(folder))
    with pytest.raises(PodError, match=r"2\.pod"):
        await load_at_start(settings, "moto")
    assert not (tmp_path / "new").exists()


async def test_a_pod_that_is_named_twice_is_loaded_once(store: PodStore) -> None:
    assert await load_at_start(_settings(store, "--auto-load-pod", "a,b,a"), "moto") == 2
