"""Golden pods: what was written once in a version of the format stays loadable for ever, also by other tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from replay_proxy.pods.archive import read_archive
from replay_proxy.pods.names import PodReference
from replay_proxy.pods.state.unpack import metamodel_in, records_of
from replay_proxy.pods.store import PodStore

DIGESTS = {
    "v1": "sha256:f6195ba743dd49feafe212d6de50a631b2cbe53a2745d5eee9b5a4cd0cf9c5a3",
    "v2": "sha256:99c07faa459107b1d0a7462840de13bcddb6f587768121d86f5e9b9ab912989e",
}
GOLDEN = Path(__file__).parent.parent / "golden" / "pods"


def _taken(path: Path, folder: Path) -> PodStore:
    store = PodStore(folder)
    with path.open("rb") as source, store.layout.writing():
        descriptor, manifest, known = read_archive(source, store.layout, str(path))
        assert known is not None
        store.add(known[0], manifest, number=known[1], data=store.layout.manifest_bytes(descriptor))
    return store


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.pod")), ids=lambda path: path.stem)
def test_a_golden_pod_is_read(path: Path, tmp_path: Path) -> None:
    """Its calls, its large body and its metamodel are what they were."""
    store = _taken(path, tmp_path)
    version = store.find(PodReference("shop"))
    manifest = store.manifest(version)
    records = list(records_of(store.layout, manifest, "golden"))
    assert version.digest == DIGESTS[path.stem]
    assert [each.head.operation for each in records if each.head is not None][:3] == ["CreateQueue"] * 2 + [
        "CreateTable"
    ]
    assert [ref.size for each in records for ref in each.body_refs] == [300_000]
    document = metamodel_in(store.layout, manifest, "golden")
    assert document["version"] == 1


def test_small_bodies_that_lie_beside_the_journal_come_back_in_their_calls(tmp_path: Path) -> None:
    """The small bodies of the second golden pod lie in parts of it; whoever reads its calls does not see that."""
    store = _taken(GOLDEN / "v2.pod", tmp_path)
    manifest = store.manifest(store.find(PodReference("shop")))
    assert (len(manifest.parts), len(manifest.bodies)) == (8, 105)
    records = list(records_of(store.layout, manifest, "golden"))
    puts = [each for each in records if each.head is not None and each.head.operation == "PutObject"]
    assert [each.request.body for each in puts if each.request.body in {b"007" * 40, b"099" * 40}] == [
        b"007" * 40,
        b"099" * 40,
    ]


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed")
def test_an_independent_tool_reads_and_copies_a_pod(tmp_path: Path) -> None:
    """`skopeo inspect --raw` shows the manifest, and what `skopeo copy` copied is read, with the same layers."""
    store = _taken(GOLDEN / "v1.pod", tmp_path / "pods")
    source = f"oci:{store.root}:shop-1"
    shown = subprocess.run(["skopeo", "inspect", "--raw", source], capture_output=True, check=True, timeout=60)
    assert shown.stdout == store.layout.manifest_bytes(store.find(PodReference("shop")).descriptor)
    copy = ["skopeo", "copy", "--insecure-policy", source, f"oci:{tmp_path / 'copy'}:shop-1"]
    subprocess.run(copy, capture_output=True, check=True, timeout=60)
    copied = PodStore(tmp_path / "copy")
    assert copied.manifest(copied.find(PodReference("shop"))).layers == store.manifest(store.latest()[0]).layers
