"""Changes that were over: what went on by itself after a call, under an id by which clients ask how far it is.

Route 53 answers a change of records with the id of a change, Cloud Map with that of an operation. A restore makes again what
is still there, and the emulator knows its changes. It does not make again what was deleted since, or set anew; but a client
may still wait for the change by which that came about (`terraform destroy` does). Where the emulator does not know a change
that the recording has shown, it is over. Which services have changes is data (`data/changes.json`).

Pure: in clients' identifiers.
"""

from __future__ import annotations

import datetime
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import orjson

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.footprint.names.resource_names import last_part
from replay_proxy.replay.runs.answers import MARK
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import operation_model

_DATA = Path(__file__).parent / "data" / "changes.json"
CHANGES_MAX = 2_000
"""Changes that are remembered, the latest."""
_NOT_FOUND = range(400, 501)
_LEFT_OUT = ("content-length", "content-encoding", "content-type", "x-amzn-errortype")


@dataclass(frozen=True, slots=True)
class Kind:
    """How the changes of one service are shown; see the data."""

    service: str
    asked: str
    by: str
    member: str
    id: str
    status: str
    over: str
    given: str = ""

    def gives(self, operation: str) -> bool:
        """Return whether an operation gives out changes."""
        try:
            shown = operation_model(self.service, operation).output_shape
            wanted = operation_model(self.service, self.asked).output_shape.members[self.member]
        except LookupError:
            return False
        if operation == self.asked or shown is None:
            return False
        found = shown.members.get(self.given or self.member)
        return found is not None and (bool(self.given) or found.name == wanted.name)


@lru_cache(maxsize=1)
def kinds() -> Mapping[str, Kind]:
    """Return the kinds of changes, by service."""
    return {each["service"]: Kind(**each) for each in orjson.loads(_DATA.read_bytes())["changes"]}


@lru_cache(maxsize=4096)
def gives_change(service: str, operation: str) -> bool:
    """Return whether a call answers with a change that clients may ask about."""
    kind = kinds().get(service)
    return kind is not None and kind.gives(operation)


class FinishedChanges:
    """The changes of calls that a restore did not make again."""

    def __init__(self) -> None:
        self._changes: OrderedDict[tuple[str, str, str], dict[str, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._changes)

    def take(self, head: CallHead, request: Request, answer: Answer) -> None:
        """Take in a call that gave out a change and is not made again."""
        kind = kinds().get(head.service)
        if kind is None or not kind.gives(head.operation):
            return
        with suppress(MalformedMessage):
            shown = parse_answer(head, answer, request).parsed
            change = {kind.id: shown.get(kind.given)} if kind.given else shown.get(kind.member)
            if isinstance(change, dict) and isinstance(name := change.get(kind.id), str):
                self._changes[head.service, head.account, last_part(name)] = {**change, kind.status: kind.over}
                if len(self._changes) > CHANGES_MAX:
                    self._changes.popitem(last=False)

    def may_answer(self, head: CallHead | None) -> bool:
        """Return whether an answer to this call may have to be made up from what is known. Quick."""
        if head is None or not self._changes:
            return False
        kind = kinds().get(head.service)
        return kind is not None and head.operation == kind.asked

    def answer(self, head: CallHead, request: Request, answer: Answer) -> Answer:
        """Return the emulator's answer to a question about a change; another where it does not know one that was over."""
        kind = kinds().get(head.service)
        if kind is None or head.operation != kind.asked or answer.status not in _NOT_FOUND:
            return answer
        try:
            name = parse_parameters(head, request).get(kind.by)
        except MalformedMessage:
            return answer
        change = self._changes.get((head.service, head.account, last_part(name))) if isinstance(name, str) else None
        return answer if change is None else _made(head, kind, change, answer)


def _made(head: CallHead, kind: Kind, change: Mapping[str, Any], answer: Answer) -> Answer:
    if head.protocol == "rest-xml":
        content_type, body = "text/xml", _xml(kind, change)
    else:
        content_type = "application/x-amz-json-1.1" if head.protocol == "json" else "application/json"
        body = orjson.dumps({kind.member: {member: _json(value) for member, value in change.items()}})
    fields = (*answer.headers.without(*_LEFT_OUT).pairs, ("Content-Type", content_type))
    headers = Headers((*fields, (MARK, "recording"), ("Content-Length", str(len(body)))))
    return Answer(200, headers, body, HTTPStatus(200).phrase)


def _xml(kind: Kind, shown: Mapping[str, Any]) -> bytes:
    """Return the answer as XML: the members of a change are texts and points in time."""
    namespace = operation_model(kind.service, kind.asked).service_model.metadata.get("xmlNamespace", "")
    if not namespace:
        version = operation_model(kind.service, kind.asked).service_model.api_version
        namespace = f"https://{kind.service}.amazonaws.com/doc/{version}/"
    members = "".join(f"<{name}>{escape(_text(value))}</{name}>" for name, value in shown.items())
    root, change = f"{kind.asked}Response", f"<{kind.member}>{members}</{kind.member}>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{namespace}">{change}</{root}>'.encode()


def _text(value: Any) -> str:
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _json(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if isinstance(value, dict):
        return {name: _json(each) for name, each in value.items()}
    return [_json(each) for each in value] if isinstance(value, list) else value
