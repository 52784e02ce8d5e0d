"""In which order concurrent calls are recorded: one that the emulator could have executed them in.

The proxy sees when a request is sent and when its answer arrives, not when the emulator executes it in between. Where
one answer arrived before another request was sent, the order is certain, and it is the journal's: a record gets its
number when its answer is there. Where two calls overlap, the emulator may have executed them either way round; if both
write the same thing, the journal could end with the value that the emulator does not have.

So calls that could touch the same thing take turns: the later one is sent when the answer of the earlier one is
recorded. Overlapping calls that cannot touch the same thing commute, and any order of them is one that the emulator
could have executed; they do not wait for each other.

What can two overlapping calls have in common? To touch the same resource both must *name* it. An identifier that the
emulator invents cannot be named by anybody before the answer that brings it. So two overlapping calls of one service
and account can only touch the same thing if they share the value of a parameter that names something: a member called
`...Name`, `...Id`, `...Arn`, `...Url`. Sharing one by chance costs a wait and nothing else. Calls that name nothing
and create something (`CreateVpc`) commute; those that name nothing and change something (account settings) run alone.
So do calls whose parameters cannot be read.

Writes of data are finer, because they are many: an S3 object, an item of a DynamoDB table by its hash key, a message
group of a FIFO queue are things of their own *inside* a bucket, a table, a queue. Such a call waits for calls on the
whole (`DeleteTable`) and on the same part, not for its neighbours. Messages of a standard queue have no order at all.

Cost: a call that overlaps with no other state-changing call of its service is put into a list and taken out again (a
few microseconds); its parameters are not parsed. Only where calls overlap are the names of both worked out, once each.

What this does not cover, because the proxy cannot see it: two calls of different services that touch the same thing (a
`DeleteRole` beside the `CreateFunction` that refers to it), and what the emulator does by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.parameters import parse_parameters

# Members whose values name something, in the spelling of all protocols.
_NAMING: Final = re.compile(r"(?:name|identifier|id|arn|url|alias|bucket|domain)s?$", re.IGNORECASE)
# Members of that spelling that name no resource: an attribute, a member of an enumeration.
_NOT_NAMING: Final = frozenset({"AttributeName", "attributeName", "HeaderName", "StatusCodeId", "DeviceName"})
# Operations that make something new, or add to a stream of facts; two that name nothing cannot be in each other's way.
_ADDING: Final = re.compile(
    r"(?:Create|Run|Allocate|Request|Import|Register|Start|Publish|Generate|Purchase|Copy|PutEvents|PutMetric|Send)"
)
# Resources of these services are referred to by calls of every other; the reference does not change them.
_OFTEN_REFERRED: Final = frozenset({"iam", "kms", "sns", "sqs", "lambda", "s3", "logs", "acm", "secretsmanager", "ec2"})
# One name is one thing, whichever account uses it.
_ACROSS_ACCOUNTS: Final = frozenset({"s3", "s3control"})
_DEPTH: Final = 4
_PARTS: Final = re.compile(r"[:/]")


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a call touches. own: things that it writes. inside: things that it writes into, without changing the whole.

    alone: it may touch anything of its service.
    """

    own: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    alone: bool = False

    def meets(self, other: Subjects) -> bool:
        """Could the two touch the same thing?"""
        if self.alone or other.alone:
            return True
        return not (
            self.own.isdisjoint(other.own) and self.own.isdisjoint(other.inside) and self.inside.isdisjoint(other.own)
        )


ALONE: Final = Subjects(alone=True)


@dataclass(eq=False, slots=True)
class _Call:
    head: CallHead
    request: Request
    done: asyncio.Event
    subjects: Subjects | None = None


@dataclass(slots=True)
class Ordering:
    """Lets state-changing calls take turns where they must. Use it from one event loop."""

    _under_way: dict[str, dict[_Call, None]] = field(default_factory=dict)
    _hash_keys: dict[tuple[str, str], str] = field(default_factory=dict)

    @asynccontextmanager
    async def turn(self, head: CallHead, request: Request) -> AsyncIterator[None]:
        """Enter before the request is sent, leave when its record is written (or not to be written).

            async with ordering.turn(head, request):
                answer = await send(request)
                writer.write(record)
            await writer.promised()

        Calls enter in the order in which they ask, so none waits for ever as long as each leaves some time.
        """
        others = self._under_way.setdefault(head.service, {})
        call = _Call(head, request, asyncio.Event())
        earlier = [other for other in others if self._meet(call, other)] if others else []
        others[call] = None
        try:
            for other in earlier:
                await other.done.wait()
            yield
            self.remember(head, request)
        finally:
            call.done.set()
            del others[call]
            if not others:
                self._under_way.pop(head.service, None)

    def remember(self, head: CallHead, request: Request) -> None:
        """Take in what tells the parts of a resource apart: the hash keys of tables. Cheap for every other call.

        `turn` does it for the calls it sees; a restore may do it for the calls that it replays.
        """
        if head.service != "dynamodb" or head.operation not in ("CreateTable", "DeleteTable"):
            return
        try:
            params = parse_parameters(head, request)
            table = (head.account, _last(params["TableName"]))
            if head.operation == "DeleteTable":
                self._hash_keys.pop(table, None)
                return
            keys = [key["AttributeName"] for key in params["KeySchema"] if key["KeyType"] == "HASH"]
            # A table that is there cannot be created again with another key: such a call was refused.
            self._hash_keys.setdefault(table, keys[0])
        except (MalformedMessage, LookupError, TypeError):
            return

    def _meet(self, one: _Call, other: _Call) -> bool:
        accounts = {one.head.account, other.head.account}
        if len(accounts) == 2 and "" not in accounts and one.head.service not in _ACROSS_ACCOUNTS:
            return False  # an empty account is the emulator's default, which may be any
        return self._subjects(one).meets(self._subjects(other))

    def _subjects(self, call: _Call) -> Subjects:
        if call.subjects is None:
            try:
                params = parse_parameters(call.head, call.request)
                call.subjects = subjects(call.head, params, self._hash_keys)
            except (MalformedMessage, LookupError, TypeError, AttributeError):
                call.subjects = ALONE
        return call.subjects


def subjects(
    head: CallHead, params: Mapping[str, Any], hash_keys: Mapping[tuple[str, str], str] | None = None
) -> Subjects:
    """What the call with these parameters touches; `hash_keys`: the hash key's name by account and table."""
    service, operation = head.service, head.operation
    if service == "s3" and "Bucket" in params:
        return _object(operation, params)
    if service == "dynamodb":
        items = _items(operation, params)
        if items is not None:
            return _of_items(head.account, items, hash_keys or {})
        if "Statement" in params or "Statements" in params or "TransactStatements" in params:
            return ALONE
    if service in ("sqs", "sns") and operation in _MESSAGES:
        return _messages(params)
    if service == "kinesis" and operation in ("PutRecord", "PutRecords"):
        stream = _last(params.get("StreamName") or params["StreamARN"])
        keys = [entry["PartitionKey"] for entry in params.get("Records", [params])]
        return _parts(stream, keys)
    if service == "logs" and operation == "PutLogEvents":
        return _parts(params["logGroupName"], [params["logStreamName"]])
    if service == "firehose" and operation in ("PutRecord", "PutRecordBatch"):
        return Subjects(inside=frozenset({params["DeliveryStreamName"]}))
    if (service, operation) in (("events", "PutEvents"), ("cloudwatch", "PutMetricData")):
        return Subjects()
    names = frozenset(_names(params, head.service, _DEPTH))
    if not names and not _ADDING.match(operation):
        return ALONE
    return Subjects(own=names)


# -- the parts of resources --------------------------------------------------------------------------------------------


def _parts(whole: str, parts: Iterable[str]) -> Subjects:
    return Subjects(frozenset(f"{whole}\0{part}" for part in parts), frozenset({whole}))


def _object(operation: str, params: Mapping[str, Any]) -> Subjects:
    bucket = params["Bucket"]
    key = params.get("Key")
    if key is not None and operation in ("UploadPart", "UploadPartCopy"):
        # The parts of an upload are written side by side, and are one object only when it is completed.
        part = f"{bucket}\0{key}\0{params.get('UploadId')}\0{params.get('PartNumber')}"
        return Subjects(frozenset({part}), frozenset({bucket, f"{bucket}\0{key}"}))
    if key is not None:
        return _parts(bucket, [key])
    if operation == "DeleteObjects":
        return _parts(bucket, [entry["Key"] for entry in params["Delete"]["Objects"]])
    return Subjects(own=frozenset({bucket}))


_MESSAGES: Final = frozenset(
    {
        "SendMessage",
        "SendMessageBatch",
        "DeleteMessage",
        "DeleteMessageBatch",
        "ChangeMessageVisibility",
        "ChangeMessageVisibilityBatch",
        "Publish",
        "PublishBatch",
    }
)


def _messages(params: Mapping[str, Any]) -> Subjects:
    place = params.get("QueueUrl") or params.get("TopicArn") or params.get("TargetArn")
    if place is None:
        return Subjects()  # a text message to a telephone
    entries = params.get("Entries") or params.get("PublishBatchRequestEntries") or [params]
    groups = {str(entry[name]) for entry in entries for name in ("MessageGroupId", "ReceiptHandle") if name in entry}
    return _parts(_last(place), groups)


def _items(operation: str, params: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]] | None:
    """Table and item (or key) of each item that a call writes; None where it does not write items."""
    if operation in ("PutItem", "UpdateItem", "DeleteItem"):
        return [(params["TableName"], params.get("Item") or params["Key"])]
    if operation == "BatchWriteItem":
        return [
            (table, write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"])
            for table, writes in params["RequestItems"].items()
            for write in writes
        ]
    if operation == "TransactWriteItems":
        actions = [action for entry in params["TransactItems"] for action in entry.values()]
        return [(action["TableName"], action.get("Item") or action["Key"]) for action in actions]
    return None


def _of_items(
    account: str, items: list[tuple[str, Mapping[str, Any]]], hash_keys: Mapping[tuple[str, str], str]
) -> Subjects:
    """An item is known by its hash key; in a table whose key is not known, by each of its attributes.

    Two items with the same key share that attribute, known or not, so both ways of naming meet.
    """
    own, tables = set(), set()
    for given, item in items:
        table = _last(given)
        tables.add(table)
        key = hash_keys.get((account, table))
        for name in (key,) if key is not None and key in item else item:
            value = orjson.dumps(item[name], default=repr, option=orjson.OPT_SORT_KEYS).decode()
            own.add(f"{table}\0{name}\0{value}")
    return Subjects(frozenset(own), frozenset(tables))


# -- the names in parameters -------------------------------------------------------------------------------------------


def _names(value: Any, service: str, depth: int) -> Iterator[str]:
    if isinstance(value, dict):
        for member, below in value.items():
            if isinstance(below, str):
                if _NAMING.search(member) and member not in _NOT_NAMING:
                    yield from _spellings(below, service)
            elif isinstance(below, list) and _NAMING.search(member):
                for each in below:
                    if isinstance(each, str):
                        yield from _spellings(each, service)
                    elif depth:
                        yield from _names(each, service, depth - 1)
            elif depth:
                yield from _names(below, service, depth - 1)
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _names(each, service, depth - 1)


def _spellings(text: str, service: str) -> Iterator[str]:
    """A resource may be named by its name, its ARN or its URL: what all of them have in common."""
    if not text.startswith("arn:"):
        yield _last(text) if "/" in text else text
        return
    parts = text.split(":", 5)
    if len(parts) == 6 and (parts[2] == service or parts[2] not in _OFTEN_REFERRED):
        yield from (part for part in _PARTS.split(parts[5]) if part)


def _last(text: str) -> str:
    return _PARTS.split(text.rstrip("/"))[-1]
