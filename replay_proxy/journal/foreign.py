"""Recordings of other tools, as records: LocalStack's legacy files, moto's recorder files, mitmproxy's flows, and HAR.

| format | how it is recognised | what it lacks |
|---|---|---|
| LocalStack | an object a line with `a`, `m`, `p` (see `legacy`) | times; of answers all but the body, or that, too |
| moto's recorder | an object a line with `method`, `url`, `headers`, `body`, `body_encoded` | times; answers |
| mitmproxy | tagged netstrings (see `foreign_mitmproxy`) | nothing |
| HAR 1.2 | one JSON document with `log.entries` | nothing, if bodies were captured |

Only calls that change state and did not fail are taken; what is left out is counted by reason. The note `"answer"` of a
record says what is known of its answer: nothing where it is `missing`, so that a replay can be judged by its own status
only.

A HAR file is one document and is held in memory; the others are read line by line.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from replay_proxy.errors import RecordingError
from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.journal.codec import MAX_LINE, LineError
from replay_proxy.journal.durable import storage_error
from replay_proxy.journal.fields import answer_to_keep, request_to_keep
from replay_proxy.journal.foreign_mitmproxy import flows, looks_like_flows
from replay_proxy.journal.legacy import NEVER, changes_state, is_legacy_line, legacy_record, wire
from replay_proxy.journal.records import FORMAT_NAME, JOURNAL_NAME, Kind, Record
from replay_proxy.wire.recognise import recognise
from replay_proxy.wire.signing import scrub


class Format(StrEnum):
    """Whose file it is."""

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
class Tally:
    """What became of the calls of foreign files: how many were taken, and how many left out, by reason."""

    taken: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def expand(paths: Iterable[Path]) -> list[Path]:
    """The files to read; a directory stands for LocalStack's files in it, in an order in which they can be replayed."""
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
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


def _place(path: Path) -> tuple[int, str]:
    service = path.stem.removeprefix("api_calls_").removesuffix("_api_calls")
    return (_SERVICE_ORDER.index(service) if service in _SERVICE_ORDER else len(_SERVICE_ORDER), service)


def detect(path: Path) -> Format:
    """Whose file it is. Raises RecordingError where it is nobody's that we know, StorageError if it cannot be read."""
    try:
        with path.open("rb") as source:
            first = source.readline(MAX_LINE).lstrip(b"\xef\xbb\xbf \t\r\n") or source.read(4096).lstrip()
    except OSError as error:
        raise storage_error("read the file to import", path, error) from error
    if FORMAT_NAME.encode() in first[:4096]:
        raise RecordingError(
            f"{path} is a recording of replay-proxy already", hint="use its directory with --data-dir (DATA_DIR)"
        )
    if is_legacy_line(first):
        return Format.LOCALSTACK
    with suppress(orjson.JSONDecodeError):
        value = orjson.loads(first)
        if isinstance(value, dict) and {"method", "url", "headers"} <= value.keys():
            return Format.MOTO
    if b'"log"' in first[:4096] or first.strip() == b"{":
        return Format.HAR
    if looks_like_flows(first):
        return Format.MITMPROXY
    raise RecordingError(
        f"{path} is no recording that can be imported",
        hint="LocalStack's recorded_api_calls.json, moto's recorder files, mitmproxy's flow files and HAR files can",
    )


def records(path: Path, tally: Tally) -> Iterator[Record]:
    """The calls of a foreign file that are worth replaying, numbered 0; the others are counted in `tally`.

    Raises:
        RecordingError: it is not what it seemed, with the place. StorageError: it cannot be read.
    """
    form = detect(path)
    readers = {Format.HAR: _har, Format.MITMPROXY: _mitmproxy}
    for record in readers[form](path, tally) if form in readers else _by_line(path, form):
        if record.head is None and form is not Format.LOCALSTACK:
            tally.left_out["not an AWS API call"] += 1
        elif not changes_state(record):
            tally.left_out["it only reads"] += 1
        else:
            tally.taken += 1
            yield record


def _by_line(path: Path, form: Format) -> Iterator[Record]:
    offset = 0
    try:
        with path.open("rb") as source:
            for number, line in enumerate(iter(lambda: source.readline(MAX_LINE + 1), b""), 1):
                if line.strip():
                    try:
                        yield legacy_record(line, 0) if form is Format.LOCALSTACK else _moto(line)
                    except LineError as error:
                        if not line.endswith(b"\n"):
                            return  # its writer was killed in the middle of it
                        raise RecordingError(
                            f"{path}: line {number}, at byte {offset}, cannot be read: {error}",
                            hint="remove the line if what it recorded is not needed",
                        ) from error
                offset += len(line)
    except OSError as error:
        raise storage_error("read the file to import", path, error) from error


def _moto(line: bytes) -> Record:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise LineError(f"it is not JSON: {error.msg}, at its byte {error.pos}") from error
    if not isinstance(value, dict):
        raise LineError("it is not a JSON object")
    method, url, headers = value.get("method"), value.get("url"), value.get("headers")
    body = value.get("body") or ""
    if not isinstance(method, str) or not isinstance(url, str) or not isinstance(headers, dict):
        raise LineError("it has no method, url and headers of moto's recorder")
    if not isinstance(body, str):
        raise LineError("its body is not text")
    content = _bytes(body, encoded=bool(value.get("body_encoded")))
    pairs = [(wire(name), wire(text)) for name, text in headers.items() if isinstance(text, str)]
    return _record("moto", method, url, pairs, content, Answer(200, Headers()), {"answer": "missing"})


def _har(path: Path, tally: Tally) -> Iterator[Record]:
    try:
        document = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
        entries = document["log"]["entries"]
    except OSError as error:
        raise storage_error("read the file to import", path, error) from error
    except (orjson.JSONDecodeError, LookupError, TypeError) as error:
        raise RecordingError(f"{path} is no HAR file: {error}", hint="its log.entries are needed") from error
    if not isinstance(entries, list):
        raise RecordingError(f"{path} is no HAR file: log.entries is no list", hint="export it again")
    for index, entry in enumerate(entries):
        try:
            status = int(entry["response"]["status"])
            if not 200 <= status < 400:
                tally.left_out["it failed"] += 1
                continue
            yield _har_entry(entry, status)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(
                f"{path}: entry {index} of log.entries cannot be read: {error!r}", hint="remove it, or export again"
            ) from error


def _har_entry(entry: dict[str, Any], status: int) -> Record:
    sent, received = entry["request"], entry["response"]
    posted = sent.get("postData") or {}
    if "text" in posted:
        body = _bytes(posted["text"] or "", encoded=posted.get("encoding") == "base64")
    else:
        body = urlencode([(pair["name"], pair.get("value", "")) for pair in posted.get("params") or []]).encode()
    pairs = [(wire(pair["name"]), wire(pair["value"])) for pair in sent["headers"]]
    content = received.get("content") or {}
    text = content.get("text")
    # The content of a HAR is decoded already, whatever the headers say of the wire.
    answered = [(wire(pair["name"]), wire(pair["value"])) for pair in received["headers"]]
    coded = ("content-encoding", "content-length")
    answer = Answer(
        status,
        Headers(pair for pair in answered if pair[0].lower() not in coded and not pair[0].startswith(":")),
        _bytes(text, encoded=content.get("encoding") == "base64") if text else b"",
        wire(received.get("statusText") or ""),
    )
    known = "complete" if text is not None or not content.get("size") else "missing"
    record = _record("har", sent["method"], sent["url"], pairs, body, answer, {"answer": known})
    return replace(
        record, time=_time(entry.get("startedDateTime")), duration_ms=max(0.0, float(entry.get("time") or 0))
    )


def _mitmproxy(path: Path, tally: Tally) -> Iterator[Record]:
    for flow in flows(path):
        if flow.answer is None:
            tally.left_out["it has no answer"] += 1
        elif not 200 <= flow.answer.status < 400:
            tally.left_out["it failed"] += 1
        else:
            known = "complete" if flow.complete else "missing"
            record = _from_messages("mitmproxy", flow.request, flow.answer, {"answer": known})
            yield replace(record, time=flow.began or NEVER, duration_ms=flow.duration_ms)


def _record(
    tool: str,
    method: str,
    url: str,
    pairs: list[tuple[str, str]],
    body: bytes,
    answer: Answer,
    notes: dict[str, Any],
) -> Record:
    parts = urlsplit(url)
    target = wire(parts.path or "/") + (f"?{wire(parts.query)}" if parts.query else "")
    headers = Headers(pair for pair in pairs if not pair[0].startswith(":"))
    if "host" not in headers and parts.netloc:
        headers = Headers([("Host", wire(parts.netloc)), *headers])
    return _from_messages(tool, Request(method.upper(), target, headers, body), answer, notes)


def _from_messages(tool: str, sent: Request, answer: Answer, notes: dict[str, Any]) -> Record:
    kept, credential = scrub(sent)
    return Record(
        seq=0,
        time=NEVER,
        duration_ms=0.0,
        kind=Kind.MUTATION,
        head=recognise(sent),
        request=request_to_keep(kept),
        answer=answer_to_keep(answer),
        credential=credential,
        notes={"imported_from": tool, **notes},
    )


def _bytes(text: str, *, encoded: bool) -> bytes:
    if not encoded:
        return text.encode("utf-8", "surrogatepass")
    try:
        return b64decode(text.encode("utf-8", "replace"), validate=True)
    except binascii.Error as error:
        raise LineError(f"its body is not base64: {error}") from error


def _time(text: object) -> str:
    if isinstance(text, str):
        with suppress(ValueError):
            moment = datetime.fromisoformat(text)
            return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    return NEVER
