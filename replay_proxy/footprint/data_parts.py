"""The parts of resources that writes of data concern.

Data is finer than its resource, because there is much of it: an object is known by its bucket and key, an item by its table
and hash key, and the messages of a queue, the records of a stream, the events of a log stream by what holds them. Calls
name these in members that the models do not mark; here they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import orjson

from replay_proxy.footprint.resource_kinds import table
from replay_proxy.wire.mutability.judge import is_data

MESSAGE_OPERATIONS: Final = frozenset(
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
"""The operations of SQS and SNS that write messages and nothing else."""
OBJECT_WRITES: Final = frozenset({"PutObject", "PostObject", "CopyObject", "CompleteMultipartUpload"})
"""The operations of S3 that write a whole object. A form sent by a browser (`PostObject`) is one of them."""
_ITEM_OPERATIONS: Final = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})


def objects_written(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return bucket and key of each object that a call to S3 writes. Raises KeyError where it names none."""
    bucket = params["Bucket"]
    if "Delete" in params:
        return [(bucket, entry["Key"]) for entry in params["Delete"]["Objects"]]
    return [(bucket, params["Key"])]


def copy_source(params: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return bucket and key of the object that a copy reads; None where the call is no copy."""
    source = params.get("CopySource")
    if isinstance(source, str):
        bucket, _, key = unquote(source.partition("?versionId=")[0]).lstrip("/").partition("/")
        return bucket, key
    if isinstance(source, Mapping):
        return str(source.get("Bucket", "")), str(source.get("Key"))
    return None


def objects_read(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Return bucket and key of the objects that parameters refer to: the code of a function, a script.

    They stand in members (`S3Bucket` and `S3Key`), or as a URI. depth: levels of the parameters that are looked at.
    """
    if isinstance(value, str) and value.startswith("s3://"):
        bucket, _, key = value.removeprefix("s3://").partition("/")
        yield bucket, key
    elif isinstance(value, Mapping) and depth:
        named = {name.lower().removeprefix("s3"): each for name, each in value.items() if isinstance(each, str)}
        if "bucket" in named and "key" in named:
            yield named["bucket"], named["key"]
        for each in value.values():
            yield from objects_read(each, depth - 1)
    elif isinstance(value, list) and depth:
        for each in value:
            yield from objects_read(each, depth - 1)


def writes_items(operation: str) -> bool:
    """Tell whether an operation of DynamoDB writes items that it names by their keys."""
    return operation in _ITEM_OPERATIONS


def items_written(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return table and item (or key) of each item that a call to DynamoDB writes.

    Raises KeyError where it cannot be told (PartiQL).
    """
    if operation == "BatchWriteItem":
        for table, writes in params["RequestItems"].items():
            for write in writes:
                yield table, write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
    elif operation == "TransactWriteItems":
        for entry in params["TransactItems"]:
            for action in entry.values():
                yield action["TableName"], action.get("Item") or action["Key"]
    else:
        yield params["TableName"], params["Item"] if "Item" in params else params["Key"]


def hash_key_of(params: Mapping[str, Any]) -> str | None:
    """Return the name of the hash key that a CreateTable declares; None where it declares none."""
    keys: Iterable[Mapping[str, Any]] = params.get("KeySchema", ())
    return next((str(key["AttributeName"]) for key in keys if key.get("KeyType") == "HASH"), None)


def begins_stream(params: Mapping[str, Any]) -> bool:
    """Tell whether a call that makes or changes a table gives it a stream of its changes."""
    specification = params.get("StreamSpecification")
    return isinstance(specification, Mapping) and bool(specification.get("StreamEnabled"))


def key_text(value: Any) -> str:
    """Return the value of an item's key as a text that equal keys share: `1` and `1.0` are one number."""
    return orjson.dumps(_plain(value), default=repr, option=orjson.OPT_SORT_KEYS).decode()


def _plain(key: Any) -> Any:
    try:
        return {"N": str(Decimal(key["N"]).normalize())} if "N" in key else key
    except (InvalidOperation, TypeError):
        return key


def referring_params(service: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a write of data that may refer to something beside the resource that holds the data.

    Those are left out that name the resource and the part of it, and those that say something of the data itself.
    """
    own = _own_members(service)
    return {member: value for member, value in params.items() if member not in own}


def writes_parts_alone(service: str, operation: str, params: Mapping[str, Any]) -> bool:
    """Tell whether a call writes data into the resource that it names, and does nothing else.

    A call that also names other things, and no part of the data, is about more: an export of a log group into a bucket.
    """
    if not is_data(service, operation):
        return False
    for entry in table()["data"]:
        if entry["service"] == service:
            return any(member in params for member in entry["parts"]) or not referring_params(service, params)
    return False


@lru_cache(maxsize=64)
def _own_members(service: str) -> frozenset[str]:
    entries = [entry for entry in table()["data"] if entry["service"] == service]
    return frozenset(member for entry in entries for member in (*entry["members"], *entry["parts"]))
