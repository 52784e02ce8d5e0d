"""Recordings of other tools, as records: LocalStack's legacy files, moto's recorder files, mitmproxy's flows, and HAR.

| format | how it is recognised | what it lacks |
|---|---|---|
| LocalStack | an object a line with `a`, `m`, `p` (`localstack_legacy`) | times; of answers all but the body, or that, too |
| moto's recorder | an object a line with `method`, `url`, `headers`, `body`, `body_encoded` | times; answers |
| mitmproxy | tagged netstrings (`mitmproxy`) | nothing |
| HAR 1.2 | one JSON document with `log.entries` (`har`) | nothing, if bodies were captured |

Only calls that change state and did not fail are taken; what is left out is counted by reason. The note `"answer"` of a
record says what is known of its answer: nothing where it is `missing`, so that a replay can be judged by its own status
only.

All are read one call at a time, within the bounds of `source_files`.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Answer, Headers
from replay_proxy.journal.format.checksum import LineError
from replay_proxy.journal.format.localstack_legacy import NEVER, changes_state, legacy_record_of, wire
from replay_proxy.journal.format.records import FORMAT_NAME, JOURNAL_NAME, Record
from replay_proxy.journal.interchange.foreign.foreign_calls import (
    body_of,
    record_of,
    record_of_messages,
    refuse_unsendable,
)
from replay_proxy.journal.interchange.foreign.given_keys import GivenKeys
from replay_proxy.journal.interchange.foreign.har import har_records
from replay_proxy.journal.interchange.foreign.mitmproxy import flows, looks_like_flows
from replay_proxy.journal.interchange.foreign.source_files import (
    ENTRY_BYTES_MAX,
    NotJson,
    members,
    object_of,
    opened,
)


class Format(StrEnum):
    """The tool that wrote a file, or its format."""

    LOCALSTACK = "localstack"
    MOTO = "moto"
    HAR = "har"
    MITMPROXY = "mitmproxy"


# LocalStack's files per service say nothing of the order between services. Referred-to services come first.
_SERVICE_ORDER: Final = (
    "iam", "kms", "s3", "sqs", "dynamodb", "kinesis", "secretsmanager", "ssm", "logs", "es", "sns", "firehose",
    "lambda", "dynamodbstreams", "stepfunctions", "events", "cloudwatch", "apigateway", "route53", "cloudformation",
)  # fmt: skip


@dataclass(slots=True)
class ImportTally:
    """What became of the calls of foreign files: how many were taken, and how many left out, by reason."""

    taken: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def expand(paths: Iterable[Path]) -> list[Path]:
    """Return the files to read. A directory stands for LocalStack's files in it, in an order in which they can be replayed."""
    files: list[Path] = []
    for path in paths:
        if not is_directory(path):
            files.append(path)
            continue
        found = [path / JOURNAL_NAME] if (path / JOURNAL_NAME).exists() else []
        found += sorted({*path.glob("api_calls_*.json"), *path.glob("*_api_calls.json")} - set(found), key=_place)
        if not found:
            raise RecordingError(
                f"{path} holds no recorded_api_calls.json and no api_calls_SERVICE.json",
                hint="name the files to import",
            )
        files += found
    return files


def is_directory(path: Path) -> bool:
    """Whether a path is a directory. What cannot be looked at is none, and whoever opens it says why."""
    return os.path.isdir(path)  # noqa: PTH112  unlike Path.is_dir, it raises nothing


def _place(path: Path) -> tuple[int, str]:
    service = path.stem.removeprefix("api_calls_").removesuffix("_api_calls")
    return (_SERVICE_ORDER.index(service) if service in _SERVICE_ORDER else len(_SERVICE_ORDER), service)


_LOCALSTACK: Final = frozenset("amp")
_MOTO: Final = frozenset({"method", "url", "headers"})
_HAR: Final = frozenset({"log"})
_OURS: Final = frozenset({"format", "version"})


def detect(path: Path) -> Format:
    """Return the format of a file. Raises RecordingError where it is none that is known, StorageError if it cannot be read."""
    with opened(path) as source:
        if looks_like_flows(source.read(64)):
            return Format.MITMPROXY
    found = members(path, (_LOCALSTACK, _MOTO, _HAR, _OURS))
    if found.get("format") == FORMAT_NAME:
        raise RecordingError(
            f"{path} is a recording of replay-proxy already", hint="use its directory with --data-dir (DATA_DIR)"
        )
    for form, names in ((Format.LOCALSTACK, _LOCALSTACK), (Format.MOTO, _MOTO), (Format.HAR, _HAR)):
        if names <= found.keys():
            return form
    raise RecordingError(
        f"{path} is no recording that can be imported",
        hint="LocalStack's recorded_api_calls.json, moto's recorder files, mitmproxy's flow files and HAR files can",
    )


def records(path: Path, tally: ImportTally) -> Iterator[Record]:
    """Yield the calls of another tool's file that are worth replaying, numbered 0. The others are counted in `tally`.

    Raises:
        RecordingError: it is not what it seemed, or a call in it is no request, with the place.
        StorageError: it cannot be read.
    """
    form, given_keys = detect(path), GivenKeys()
    for record in map(given_keys.taken, _found(path, form, tally)):
        if record.head is None and form is not Format.LOCALSTACK:
            tally.left_out["not an AWS API call"] += 1
        elif not changes_state(record):
            tally.left_out["it only reads"] += 1
        else:
            tally.taken += 1
            yield record


def _found(path: Path, form: Format, tally: ImportTally) -> Iterator[Record]:
    if form is Format.MITMPROXY:
        return _mitmproxy(path, tally)
    if form is Format.HAR:
        return har_records(path, lambda: tally.left_out.update(["it failed"]))
    return _by_line(path, form)


def _by_line(path: Path, form: Format) -> Iterator[Record]:
    with opened(path) as source:
        for number, line in enumerate(iter(lambda: source.readline(ENTRY_BYTES_MAX + 1), b""), 1):
            if not line.strip():
                continue
            try:
                if len(line) > ENTRY_BYTES_MAX:
                    raise LineError(f"it has more than {ENTRY_BYTES_MAX} bytes")
                value = object_of(line)
                record = legacy_record_of(value, 0) if form is Format.LOCALSTACK else _moto(value)
                refuse_unsendable(record.request)
            except LineError as error:
                if isinstance(error, NotJson) and not line.endswith(b"\n"):
                    return  # its writer was killed in the middle of it
                raise RecordingError(
                    f"{path}: line {number}, at byte {source.tell() - len(line)}, cannot be read: {error}",
                    hint="remove the line if what it recorded is not needed",
                ) from error
            yield record


def _moto(value: dict[str, Any]) -> Record:
    method, url, headers = value.get("method"), value.get("url"), value.get("headers")
    body = value.get("body") or ""
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(headers, dict):
        raise LineError("it has no method, url and headers of moto's recorder")
    if not isinstance(body, str):
        raise LineError("its body is not text")
    content = body_of(body, encoded=bool(value.get("body_encoded")))
    pairs = [(wire(name), wire(text)) for name, text in headers.items() if isinstance(text, str)]
    return record_of("moto", method, url, pairs, content, Answer(200, Headers()), {"answer": "missing"})


def _mitmproxy(path: Path, tally: ImportTally) -> Iterator[Record]:
    for flow in flows(path):
        if flow.answer is None:
            tally.left_out["it has no answer"] += 1
        elif not 200 <= flow.answer.status < 400:
            tally.left_out["it failed"] += 1
        else:
            known = "complete" if flow.complete else "missing"
            try:
                record = record_of_messages("mitmproxy", flow.request, flow.answer, {"answer": known})
            except LineError as error:
                raise RecordingError(
                    f"{path}: the flow at byte {flow.offset} cannot be taken: {error}",
                    hint="leave it out: mitmdump -nr FILE -w OUT with a filter that it does not match",
                ) from error
            yield replace(record, time=flow.began or NEVER, duration_ms=flow.duration_ms)
