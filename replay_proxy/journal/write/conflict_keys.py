"""What two concurrent calls of one service could both touch, as far as their parameters name it.

`conflict_locks` has the theory; what a call touches in general says `replay_proxy.footprint`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from replay_proxy.exchange import CallHead
from replay_proxy.footprint import data_parts
from replay_proxy.footprint.account_settings import concerns_the_account
from replay_proxy.footprint.additions import adds
from replay_proxy.footprint.data_parts import MESSAGE_OPERATIONS
from replay_proxy.footprint.members.naming_members import names_something
from replay_proxy.footprint.names.resource_names import arn_resource_parts, arn_service, last_part
from replay_proxy.footprint.parameter_texts import parameter_texts
from replay_proxy.wire.mutability.judge import Effect, judge

# Resources of these services are referred to by calls of every other; the reference does not change them.
_OFTEN_REFERRED: Final = frozenset({"iam", "kms", "sns", "sqs", "lambda", "s3", "logs", "acm", "secretsmanager", "ec2"})


@dataclass(frozen=True, slots=True)
class ConflictKeys:
    """What a call touches. own: things that it writes. inside: things that it writes into, without changing the whole.

    alone: it may touch anything of its service.
    """

    own: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    alone: bool = False


ALONE: Final = ConflictKeys(alone=True)


def conflict_keys_of(
    head: CallHead, params: Mapping[str, Any], hash_keys: Mapping[tuple[str, str], str] | None = None
) -> ConflictKeys:
    """Return what the call with these parameters touches; `hash_keys`: the hash key's name by account and table.

    Raises LookupError, TypeError or AttributeError where the parameters are not what the model promises.
    """
    service, operation = head.service, head.operation
    if service == "s3" and "Bucket" in params:
        return _object(operation, params)
    if service == "dynamodb":
        if data_parts.writes_items(operation):
            return _of_items(head.account, data_parts.items_written(operation, params), hash_keys or {})
        if "Statement" in params or "Statements" in params or "TransactStatements" in params:
            return ALONE
    if service in ("sqs", "sns") and operation in MESSAGE_OPERATIONS:
        return _messages(params)
    if service == "kinesis" and operation in ("PutRecord", "PutRecords"):
        stream = last_part(params.get("StreamName") or params["StreamARN"])
        keys = [entry["PartitionKey"] for entry in params.get("Records", [params])]
        return _parts(stream, keys)
    if service == "logs" and operation == "PutLogEvents":
        return _parts(params["logGroupName"], [params["logStreamName"]])
    if service == "firehose" and operation in ("PutRecord", "PutRecordBatch"):
        return ConflictKeys(inside=frozenset({params["DeliveryStreamName"]}))
    if (service, operation) in (("events", "PutEvents"), ("cloudwatch", "PutMetricData")):
        return ConflictKeys()
    if judge(service, operation).effect is not Effect.MUTATES:
        return ConflictKeys()  # recorded because of what it gives out
    if concerns_the_account(service, operation):
        return ALONE
    named = {each.text for each in parameter_texts(head, params) if names_something(each.member)}
    names = frozenset(name for text in named for name in _spellings(text, service))
    if not names and not adds(operation):
        return ALONE
    return ConflictKeys(own=names)


# -- the parts of resources --------------------------------------------------------------------------------------------


def _parts(whole: str, parts: Iterable[str]) -> ConflictKeys:
    return ConflictKeys(frozenset(f"{whole}\0{part}" for part in parts), frozenset({whole}))


def _object(operation: str, params: Mapping[str, Any]) -> ConflictKeys:
    bucket = params["Bucket"]
    key = params.get("Key")
    if key is not None and operation in ("UploadPart", "UploadPartCopy"):
        # The parts of an upload are written side by side, and are one object only when it is completed.
        part = f"{bucket}\0{key}\0{params.get('UploadId')}\0{params.get('PartNumber')}"
        return ConflictKeys(frozenset({part}), frozenset({bucket, f"{bucket}\0{key}"}))
    if key is not None or operation == "DeleteObjects":
        return _parts(bucket, [each for _bucket, each in data_parts.objects_written(params)])
    return ConflictKeys(own=frozenset({bucket}))


def _messages(params: Mapping[str, Any]) -> ConflictKeys:
    place = params.get("QueueUrl") or params.get("TopicArn") or params.get("TargetArn")
    if place is None:
        return ConflictKeys()  # a text message to a telephone
    entries = params.get("Entries") or params.get("PublishBatchRequestEntries") or [params]
    groups = {str(entry[name]) for entry in entries for name in ("MessageGroupId", "ReceiptHandle") if name in entry}
    return _parts(last_part(place), groups)


def _of_items(
    account: str, items: Iterable[tuple[str, Mapping[str, Any]]], hash_keys: Mapping[tuple[str, str], str]
) -> ConflictKeys:
    """Return the items by their hash keys; in a table whose key is not known, by each of their attributes.

    Two items with the same key share that attribute, known or not, so both ways of naming meet.
    """
    own, tables = set(), set()
    for given, item in items:
        table = last_part(given)
        tables.add(table)
        key = hash_keys.get((account, table))
        for name in (key,) if key is not None and key in item else item:
            own.add(f"{table}\0{name}\0{data_parts.key_text(item[name])}")
    return ConflictKeys(frozenset(own), frozenset(tables))


# -- the names in parameters -------------------------------------------------------------------------------------------


def _spellings(text: str, service: str) -> Iterator[str]:
    """Return what the name, the ARN and the URL of a resource have in common; nothing for a mere reference."""
    if not text.startswith("arn:"):
        yield last_part(text) if "/" in text else text
        return
    named_service = arn_service(text)
    if named_service == service or named_service not in _OFTEN_REFERRED:
        yield from arn_resource_parts(text)
