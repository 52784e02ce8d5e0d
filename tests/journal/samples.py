"""Records to test with: one by hand, and any that can be, for hypothesis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from replay_proxy.exchange import Answer, BlobRef, CallHead, Headers, Request
from replay_proxy.journal.format.encode import encode_header, encode_record
from replay_proxy.journal.format.records import (
    JOURNAL_NAME,
    UNSIGNED,
    Record,
    RecordingHeader,
    RecordKind,
    utc_now,
)
from replay_proxy.wire.signing.sigv4 import Credential

HEADER = RecordingHeader("0d6d2ab5-11a1-4df7-9a3e-0d4d2f0a3f1c", "2026-01-31T12:00:00.000000Z", {"name": "moto"})
TARGET = "AmazonSQS.CreateQueue"


def create_queue(name: str = "orders", *, seq: int = 0, **notes: Any) -> Record:
    """A `CreateQueue` of SQS and its answer, as an SDK and an emulator write them."""
    url = f"http://127.0.0.1:4566/000000000000/{name}"
    return Record(
        seq=seq,
        time=utc_now(),
        duration_ms=1.25,
        kind=RecordKind.MUTATION,
        head=CallHead("sqs", "CreateQueue", "json", "", "us-east-1", "test"),
        request=Request(
            "POST",
            "/",
            Headers(
                [
                    ("Host", "127.0.0.1:4566"),
                    ("Content-Type", "application/x-amz-json-1.0"),
                    ("X-Amz-Target", TARGET),
                ]
            ),
            b'{"QueueName":"%s"}' % name.encode(),
        ),
        answer=Answer(
            200,
            Headers([("Content-Type", "application/x-amz-json-1.0")]),
            b'{"QueueUrl":"%s"}' % url.encode(),
        ),
        credential=Credential("test", "us-east-1", "sqs", "header"),
        notes=notes,
    )


def of_service(service: str, name: str = "x") -> Record:
    """A record whose call belongs to `service`."""
    record = create_queue(name)
    head = CallHead(service, "CreateThing", "json", "", "us-east-1", "test")
    return Record(0, record.time, 1.0, RecordKind.MUTATION, head, record.request, record.answer, record.credential, {})


def write_journal(data_dir: Path, records: list[Record]) -> bytes:
    """A journal file with these records, numbered from 1, made without the writer. Gives its bytes."""
    data_dir.mkdir(parents=True, exist_ok=True)
    lines = [encode_header(HEADER)] + [encode_record(record, seq) for seq, record in enumerate(records, 1)]
    (data_dir / JOURNAL_NAME).write_bytes(b"".join(lines))
    return b"".join(lines)


# Whatever the wire can carry: every character of wire text, every byte in a body.
wire_text = st.text(st.characters(max_codepoint=255), max_size=40)
headers = st.lists(st.tuples(wire_text, wire_text), max_size=6).map(Headers)
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
blob_refs = st.builds(BlobRef, st.text("0123456789abcdef", min_size=64, max_size=64), st.integers(0, 1 << 50))
bodies = st.one_of(st.binary(max_size=200), words.map(lambda text: text.encode()), blob_refs)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
credentials = st.one_of(st.just(UNSIGNED), st.builds(Credential, words, words, words, words))
heads = st.none() | st.builds(CallHead, words, words, words, words, words, words)
records = st.builds(
    Record,
    seq=st.integers(1, (1 << 63) - 1),
    time=words,
    duration_ms=st.floats(0, 1e9).map(lambda ms: round(ms, 3)),
    kind=st.sampled_from(RecordKind),
    head=heads,
    request=st.builds(Request, wire_text, wire_text, headers, bodies),
    answer=st.builds(Answer, st.integers(100, 999), headers, bodies, wire_text),
    credential=credentials,
    notes=st.dictionaries(words, json_values, max_size=3),
)
