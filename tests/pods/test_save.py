"""Versions made of recordings: the same state gives the same layers, and what is unpacked is what was saved."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from hashlib import sha256
from itertools import count
from pathlib import Path

import pytest

from replay_proxy.journal.format.encode import encode_record
from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.limits import Limits, PodError
from replay_proxy.pods.load_at_rest import load_at_rest
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.names import parse_reference
from replay_proxy.pods.oci.descriptor import (
    CALLS,
    CONFIG_TYPE,
    EMPTY_CONFIG,
    FORMAT_VERSION_KEY,
    JOURNAL_TYPE,
    RESOURCES,
    SERVICES,
    STATE,
    UNPACKED,
    Descriptor,
    descriptor_of,
)
from replay_proxy.pods.oci.layout import blob_path
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.state.save import save_recording
from replay_proxy.pods.state.save_request import SaveReport, SaveRequest
from replay_proxy.pods.state.segments import SegmentWriter, packed
from replay_proxy.pods.state.unpack import metamodel_in, records_of, unpack
from replay_proxy.pods.store import PodStore
from tests.reports.shop import shop


def _save(folder: Path, store: PodStore, name: str = "shop", **more: object) -> SaveReport:
    return save_recording(Files(folder), store, SaveRequest(name, **more))  # type: ignore[arg-type]


def test_the_same_state_gives_the_same_layers(tmp_path: Path) -> None:
    """Saved twice, from a recording and from what was unpacked of it, by whomever: digest by digest; the manifest differs."""
    store = PodStore(tmp_path / "pods")
    tape = shop()
    tape.call("s3", "PutObject", {"Bucket": "b", "Key": "k", "Body": "x" * 300_000}, protocol="rest-xml")
    recording = tape.write(tmp_path / "recording")
    first = _save(recording, store, message="first")
    second = _save(recording, store, author="somebody")
    again = store.manifest(store.find(parse_reference("shop:1")))
    count = unpack(store.layout, again, tmp_path / "again", "shop:1")
    third = _save(tmp_path / "again", PodStore(tmp_path / "other"))
    manifests = [again, store.manifest(store.find(parse_reference("shop:2")))]
    manifests.append(PodStore(tmp_path / "other").manifest(PodStore(tmp_path / "other").latest()[0]))
    assert manifests[0].layers == manifests[1].layers == manifests[2].layers
    assert first.state == second.state == third.state
    assert (first.digest != second.digest, second.new_bytes) == (True, 0)
    assert manifests[1].parent == first.digest
    assert (count, first.services) == (first.calls, ["dynamodb", "lambda", "s3", "sqs"])
    assert len(again.bodies) == 1
    document = metamodel_in(store.layout, again, "shop:1")
    assert {each["type"] for each in document["resources"]} >= {"AWS::SQS::Queue", "AWS::DynamoDB::Table"}  # type: ignore[attr-defined]
    assert b"hunter22" not in b"".join(gzip.decompress(b"".join(store.layout.read(again.metamodel))).splitlines())  # type: ignore[arg-type]


def test_what_is_unpacked_is_what_was_saved(tmp_path: Path) -> None:
    """Each record comes back as it was, but for its number."""
    store = PodStore(tmp_path / "pods")
    recording = shop().write(tmp_path / "recording")
    report = _save(recording, store, services=("sqs",))
    unpack(store.layout, store.manifest(store.latest()[0]), tmp_path / "again", "shop:1")
    found = [encode_record(replace(each, seq=0), 0) for each in read(tmp_path / "again").records()]
    saved = [encode_record(replace(each, seq=0), 0) for each in read(recording).records() if each.head.service == "sqs"]  # type: ignore[union-attr]
    assert [each for each in saved if each in found] == found
    assert len(found) == report.calls > 3


def test_a_pod_carries_the_smoke_tests_of_its_recording(tmp_path: Path) -> None:
    """The file beside the journal goes along, but for a redacted version; where another one is, that stays."""
    store = PodStore(tmp_path / "pods")
    recording = shop().write(tmp_path / "recording")
    assert store.latest() == []
    _save(recording, store)
    assert store.manifest(store.latest()[0]).smoke is None
    (recording / "replay-smoke.yaml").write_text("checks: []\n")
    _save(recording, store)
    version = store.latest()[0]
    manifest = store.manifest(version)
    assert (manifest.annotations[FORMAT_VERSION_KEY], manifest.smoke is not None) == ("2", True)
    unpack(store.layout, manifest, tmp_path / "again", "shop:2")
    other = shop().write(tmp_path / "other")
    report = asyncio.run(load_at_rest(other, read(tmp_path / "again"), MergeStrategy.OVERWRITE, dry_run=False))
    assert (report.calls > 0, (other / "replay-smoke.yaml").read_text()) == (True, "checks: []\n")
    (other / "replay-smoke.yaml").write_text("mine: 1\n")
    asyncio.run(load_at_rest(other, read(tmp_path / "again"), MergeStrategy.OVERWRITE, dry_run=False))
    assert (other / "replay-smoke.yaml").read_text() == "mine: 1\n"
    redacted = _save(recording, store, redact=True)
    assert store.manifest(store.latest()[0]).smoke is None
    assert any("replay-smoke.yaml is not in it" in each for each in redacted.warnings)


def test_versions_share_what_they_have_in_common(tmp_path: Path) -> None:
    """One line put in among many changes one segment, or two, wherever it is."""
    stored: dict[str, int] = {}

    def store(data: bytes, media_type: str) -> Descriptor:
        found = descriptor_of(data, media_type)
        stored[found.digest] = found.size
        return found

    lines = [b'{"n":%d,"text":"%s"}\n' % (each, b"%x" % (each * 7919) * 40) for each in range(6000)]
    for number, some in enumerate((lines, [*lines[:3000], b'{"n":"new"}\n', *lines[3001:]])):
        writer = SegmentWriter(store)
        for line in some:
            writer.add(line)
        writer.finish()
        if not number:
            before = len(stored)
            assert before == len(writer.segments) > 4
    assert len(stored) - before <= 2


def test_a_strangers_journal_is_bounded_and_verified(tmp_path: Path) -> None:
    """What unpacks too large, is no record, refers elsewhere, or is torn is refused with a reason."""
    store = PodStore(tmp_path, Limits(ratio=2))

    def version(data: bytes) -> Manifest:
        with store.layout.writing():
            store.layout.put(EMPTY_CONFIG, CONFIG_TYPE)
            return Manifest((store.layout.put(data, JOURNAL_TYPE),), {})

    line = b'{"time":"2026-01-01T00:00:00.000000Z","ms":1.0,"kind":"mutation"'
    blob = b',"request":{"method":"GET","target":"/","headers":[],"body_blob":{"sha256":"%s","size":1}}' % (b"a" * 64)
    refers = line + blob + b',"answer":{"status":200,"reason":"OK","headers":[],"body":""}}\n'
    plain = refers.replace(blob, blob.replace(b'"body_blob":{"sha256":"%s","size":1}' % (b"a" * 64), b'"body":""'))
    hostile = {
        b"x" * 64: "is damaged",
        packed([b" " * (200 << 20)]): "unpacks to more than",
        packed([b"no record\n"]): "line 1 is no record",
        packed([b'{"mark":"reset","time":"2026-01-01T00:00:00Z"}\n']): "is no call",
        packed([line]): "middle of a line",
        packed([plain])[:-4]: "ends too early",
        packed([plain]) + b"more": "follows its end",
        packed([refers]): "does not name",
    }
    for data, reason in hostile.items():
        with pytest.raises(PodError, match=reason):
            list(records_of(store.layout, version(data), "theirs"))
    nothing = b'{"time":null,"ms":null,"kind":"mutation","request":[],"answer":null}\n'
    with pytest.raises(PodError, match="line 1 is no call: its ms is not a number"):
        list(records_of(store.layout, version(packed([nothing])), "theirs"))
    good = version(packed([b"{}\n"]))
    (tmp_path / blob_path(good.journal[0].digest)).write_bytes(b"other")
    with pytest.raises(PodError, match="bytes, not"):
        list(records_of(store.layout, good, "theirs"))


def test_a_version_that_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    """Whatever its blobs are: a journal that was emptied, cut off or changed, and what was said of it was not."""
    store = PodStore(tmp_path / "pods")
    line = (
        b'{"time":"2026-01-01T00:00:00.000000Z","ms":1.0,"kind":"mutation","service":"sqs","operation":"CreateQueue",'
        b'"protocol":"json","request":{"method":"POST","target":"/","headers":[],"body":"%s"},'
        b'"answer":{"status":200,"reason":"OK","headers":[],"body":"{}"}}\n'
    )
    lines = [line % b"1", line % b"2"]
    said = {STATE: f"sha256:{sha256(b''.join(lines)).hexdigest()}", CALLS: "2", SERVICES: "sqs", RESOURCES: "2"}

    def read(layers: list[bytes], annotations: dict[str, str]) -> int:
        with store.layout.writing():
            held = tuple(store.layout.put(packed([each]), JOURNAL_TYPE) for each in layers)
        return unpack(store.layout, Manifest(held, annotations), tmp_path / f"r{next(_folders)}", "theirs")

    assert read(lines, said) == 2
    assert read([], {STATE: f"sha256:{sha256().hexdigest()}", CALLS: "0", SERVICES: ""}) == 0
    refused: list[tuple[list[bytes], dict[str, str], str]] = [
        ([], said, "says that it holds 2 calls, and holds 0"),
        ([b""], said, "says that it holds 2 calls, and holds 0"),
        ([], {}, "does not say that it is empty"),
        (lines[:1], {**said, CALLS: "1"}, "another state than the one whose digest"),
        ([lines[0], line % b"3"], said, "another state"),
        (lines[::-1], said, "another state"),
        (lines, {**said, SERVICES: "s3,sqs"}, "calls to 's3,sqs', and holds others"),
        (lines, {**said, CALLS: "two"}, "is no number"),
        (lines, {**said, CALLS: "9" * 30}, "is no number"),
        (lines, {**said, RESOURCES: "-5"}, "is no number"),
        (lines, {**said, UNPACKED: "\u0663"}, "is no number"),
        (lines, {**said, STATE: "none"}, "is no digest"),
    ]
    for layers, stated, reason in refused:
        with pytest.raises(PodError, match=reason):
            read(layers, stated)


_folders = count()
