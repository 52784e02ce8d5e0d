"""What a call touches, as far as its parameters name it (`ordering` has the theory)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from replay_proxy.exchange import CallHead

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
    if service in ("sqs", "sns") and operation in MESSAGES:
        return _messages(params)
    if service == "kinesis" and operation in ("PutRecord", "PutRecords"):
        stream = last_part(params.get("StreamName") or params["StreamARN"])
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


MESSAGES: Final = frozenset(
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
    return _parts(last_part(place), groups)


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
        table = last_part(given)
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
        yield last_part(text) if "/" in text else text
        return
    parts = text.split(":", 5)
    if len(parts) == 6 and (parts[2] == service or parts[2] not in _OFTEN_REFERRED):
        yield from (part for part in _PARTS.split(parts[5]) if part)


def last_part(text: str) -> str:
    """The name at the end of a name, an ARN or a URL."""
    return _PARTS.split(text.rstrip("/"))[-1]
