"""A call with its request and its answer, as JSON.

Parameters and results are read by the models; what is sensitive is hidden, and what is long is shown by its beginning. Of notes
only those are shown that say how a record came about: others hold what ciphertexts hide.
"""

from __future__ import annotations

from typing import Any, Final

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, Body, Request
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.recorded_call import BlobLoader, with_bodies
from replay_proxy.reports.aws_command import aws_command
from replay_proxy.resources.properties.attributes import leaf, tree
from replay_proxy.resources.resource import shown
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import protocol_model

_TEXT_MAX: Final = 64 * 1024
_NOTES: Final = ("after", "partial", "answer", "seen_by")


def call_document(record: Record, load: BlobLoader) -> dict[str, Any]:
    """Return a record as JSON values (`callInFull` in docs/schemas/inspect.schema.json)."""
    head = record.head
    document: dict[str, Any] = {
        "seq": record.seq,
        "time": record.time,
        "ms": record.duration_ms,
        "kind": record.kind.value,
        "service": head.service if head is not None else "",
        "operation": head.operation if head is not None else "",
        "account": head.account if head is not None else "",
        "region": head.region if head is not None else "",
        "status": record.answer.status,
        "aws": "",
        "request": {"method": record.request.method, "target": _target(record)},
        "answer": {"status": record.answer.status},
        "notes": {name: shown(tree(None, record.notes[name])) for name in _NOTES if name in record.notes},
    }
    request, answer = record.request, record.answer
    if head is None:
        document["request"]["body"] = _body(request.body)
        document["answer"]["body"] = _body(answer.body)
        return document
    try:
        request, answer = with_bodies(record, head, load)
    except (RecordingError, StorageError) as error:
        document["request"]["unreadable"] = error.message
    try:
        shape = protocol_model(head.service, head.operation, head.protocol).input_shape
        parameters = tree(shape, parse_parameters(head, request))
        document["request"]["parameters"] = shown(parameters)
        document["aws"] = aws_command(head, parameters)
    except (MalformedMessage, LookupError) as error:
        document["request"]["unreadable"] = str(error)
        document["request"]["body"] = _body(request.body)
    document["answer"] |= _answer(record, request, answer)
    return document


def _target(record: Record) -> str:
    """Return where a request went; of one whose parameters are shown without its query, which may hold secrets among them."""
    target = record.request.target[:_TEXT_MAX]
    return target if record.head is None else target.partition("?")[0]


def _answer(record: Record, request: Request, answer: Answer) -> dict[str, Any]:
    head = record.head
    assert head is not None
    try:
        outcome = parse_answer(head, answer, request)
        if not outcome.ok:
            return {"error": outcome.error_code, "message": outcome.error_message}
        shape = protocol_model(head.service, head.operation, head.protocol).output_shape
        return {"result": shown(tree(shape, outcome.parsed))}
    except (MalformedMessage, LookupError) as error:
        return {"unreadable": str(error), "body": _body(answer.body)}


def _body(body: Body) -> Any:
    """Return a body that no model describes. It may hold secrets under any name, so only a short beginning is shown."""
    if isinstance(body, BlobRef):
        return {"preview": "", "bytes": body.size, "sha256": body.sha256}
    return shown(leaf(body))
