"""Times in requests: conditions on objects, and the moment from which on the records of a stream are asked for.

The client means the original times; the emulator knows those of the restore.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import floor

from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.rewriting.times.remembered_times import RememberedTimes
from replay_proxy.identifiers.rewriting.times.time_owners import object_of, parameters, source_name, stream_records
from replay_proxy.identifiers.rewriting.times.time_texts import format_like, parse_time
from replay_proxy.wire.codecs.build_request import build_request

_CONDITIONS = {
    "if-modified-since": "",
    "if-unmodified-since": "",
    "x-amz-copy-source-if-modified-since": "x-amz-copy-source",
    "x-amz-copy-source-if-unmodified-since": "x-amz-copy-source",
}
_CONDITION = re.compile(rb"modified-since: ", re.IGNORECASE)


def may_be_conditional(data: bytes) -> bool:
    """Return whether these bytes of a request could hold a time as a condition: quick, not exact."""
    return b"AT_TIMESTAMP" in data or (not data.startswith(b"POST") and _CONDITION.search(data) is not None)


def request_to_emulator(times: RememberedTimes, request: Request, head: CallHead) -> Request:
    """Return a request with its conditions in the emulator's times; the identical object where nothing changes."""
    if head.operation == "GetShardIterator":
        return _iterator_request(times, request, head)
    if head.service != "s3":
        return request
    headers = request.headers
    for condition, source in _CONDITIONS.items():
        text = headers.get(condition)
        if not text:
            continue
        name = source_name(headers.get(source)) if source else object_of(parameters(head, request))
        moments = times.moments_of(head, name)
        seconds = parse_time(text)
        if len(moments) == 1 and seconds is not None and floor(moments[0].original) <= seconds < moments[0].ended:
            headers = headers.replaced(condition, format_like(text, moments[0].ended))
    if headers is request.headers:
        return request
    return Request(request.method, request.target, headers, request.body)


def _iterator_request(times: RememberedTimes, request: Request, head: CallHead) -> Request:
    """Return a request for the records from a time on, in the times at which the emulator has them."""
    params = parameters(head, request)
    asked = params.get("Timestamp")
    if params.get("ShardIteratorType") != "AT_TIMESTAMP" or not isinstance(asked, datetime):
        return request
    moments = times.moments_of(head, stream_records(params.get("StreamARN") or params.get("StreamName")))
    if not moments or asked.timestamp() >= min(each.begun for each in moments):
        return request
    # What arrived from then on was put again from then on; what came before, before.
    later = [each.begun for each in moments if each.original >= asked.timestamp()]
    at = min(later, default=max(each.ended for each in moments) + 0.001)
    made = build_request(head, {**params, "Timestamp": datetime.fromtimestamp(at, UTC)}, request.headers.get("host"))
    if request.headers.get("content-type") != made.headers.get("content-type"):
        return request
    headers = (
        request.headers.replaced("Content-Length", str(len(made.body)))
        if isinstance(made.body, bytes)
        else request.headers
    )
    return Request(request.method, request.target, headers, made.body)
