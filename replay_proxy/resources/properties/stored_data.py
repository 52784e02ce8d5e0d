"""The data in resources: objects, items, messages, records and log events, folded from the calls that wrote them.

Of each part a size and a digest are kept, by its key. Sizes are those of what was sent. What cannot be told by key (PartiQL, a
message that was deleted by an unknown receipt) makes the count inexact, and that is said.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from replay_proxy.exchange import BlobRef
from replay_proxy.footprint.data_parts import copy_source, items_written, key_text, writes_items
from replay_proxy.footprint.statements import item_statements
from replay_proxy.replay.recorded_call import SEEN_BY, Call
from replay_proxy.resources.resource import Data, Hidden, Resource

_DIGEST: Final = 8
_TABLE: Final = re.compile(r"""\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+["']?([\w.-]+)""", re.IGNORECASE)
"""The table that a statement of PartiQL writes to."""
Find = Callable[..., Resource | None]
"""Returns the resource of a noun and names in the service and place of the call, making a place for one that is not known."""

UNITS: Final = {"s3": "objects", "dynamodb": "items", "sqs": "messages", "kinesis": "records", "logs": "events"}


class StoredData:
    """Folds calls that write data. Memory: a key, a size and a digest for each part."""

    def __init__(self) -> None:
        self._uploads: dict[str, dict[int, int]] = {}
        self._queue_of: dict[str, Resource] = {}

    def see(self, call: Call, find: Find) -> list[Resource]:
        """Take in a call that may write data; return the resources whose data it wrote, none where it writes none."""
        try:
            match call.service:
                case "s3":
                    return self._objects(call, find)
                case "dynamodb":
                    return self._items(call, find)
                case "sqs":
                    return self._messages(call, find)
                case "kinesis":
                    return self._records(call, find)
                case "logs" if call.operation == "PutLogEvents":
                    return self._events(call, find)
        except (KeyError, TypeError, AttributeError, ValueError):
            # Not what the model promises: it is a call like any other then.
            return []
        return []

    # Objects.

    def _objects(self, call: Call, find: Find) -> list[Resource]:
        params, operation = call.params, call.operation
        if "Key" not in params and operation != "DeleteObjects":
            return []
        bucket = find("Bucket", params["Bucket"])
        if bucket is None:
            return []
        parts = _data(bucket, "objects").parts
        key = params.get("Key", "")
        match operation:
            case "PutObject" | "PostObject":
                etag = call.result.get("ETag") or call.answer.headers.get("etag")
                parts[key] = (_body_size(call), str(etag).strip('"') or _digest(call.request.body))
            case "CopyObject":
                source = copy_source(params)
                held = find("Bucket", source[0]) if source else None
                size = held.data.parts.get(source[1], (0, ""))[0] if held and held.data and source else 0
                copied = call.result.get("CopyObjectResult")
                etag = copied.get("ETag", "") if isinstance(copied, Mapping) else ""
                parts[key] = (size, str(etag).strip('"'))
            case "UploadPart" | "UploadPartCopy":
                self._uploads.setdefault(params["UploadId"], {})[int(params["PartNumber"])] = _body_size(call)
            case "CompleteMultipartUpload":
                sizes = self._uploads.pop(params["UploadId"], {})
                parts[key] = (sum(sizes.values()), str(call.result.get("ETag", "")).strip('"'))
            case "AbortMultipartUpload":
                self._uploads.pop(params["UploadId"], None)
            case "DeleteObject":
                if not params.get("VersionId"):
                    parts.pop(key, None)
            case "DeleteObjects":
                refused = {each.get("Key") for each in call.result.get("Errors", ())}
                for entry in params["Delete"]["Objects"]:
                    if entry["Key"] not in refused and not entry.get("VersionId"):
                        parts.pop(entry["Key"], None)
            case "CreateMultipartUpload" | "PutObjectAcl" | "PutObjectTagging" | "DeleteObjectTagging":
                pass
            case operation if not operation.endswith(("Object", "Objects")) and "Object" not in operation:
                return []
        return [bucket]

    # Items.

    def _items(self, call: Call, find: Find) -> list[Resource]:
        operation, params = call.operation, call.params
        if operation in ("ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"):
            return self._statements(call, find)
        if operation not in ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"):
            return []
        left = call.result.get("UnprocessedItems") or {} if operation == "BatchWriteItem" else {}
        touched: dict[int, Resource] = {}
        for (name, item), verb in zip(items_written(operation, params), _verbs(operation, params), strict=True):
            table = find("Table", name)
            if table is None:
                continue
            touched[table.number] = table
            if left and any(item in each.values() for each in left.get(name, ())):
                continue
            _write_item(table, verb, item, params, seen=SEEN_BY in call.notes)
        return list(touched.values())

    def _statements(self, call: Call, find: Find) -> list[Resource]:
        """Take in what statements of PartiQL write; of a table that one writes to in another form, the items are not exact."""
        params = call.params
        entries = params.get("Statements") or params.get("TransactStatements") or [params]
        answers = [*call.result.get("Responses", ()), *[{}] * len(entries)]
        touched: dict[int, Resource] = {}
        for entry, read, answer in zip(entries, item_statements(params), answers, strict=False):
            match = _TABLE.match(str(entry.get("Statement", ""))[:10_000])
            table = find("Table", match[1]) if match is not None else None
            if table is None or answer.get("Error"):
                continue
            touched[table.number] = table
            if read is None:
                _data(table, "items").exact = False
            else:
                _write_item(table, read.verb, read.item, entry)
        return list(touched.values())

    # Messages.

    def _messages(self, call: Call, find: Find) -> list[Resource]:
        params, operation = call.params, call.operation
        if operation == "StartMessageMoveTask":
            return []
        if operation not in ("SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch", "PurgeQueue"):
            return []
        queue = find("Queue", params["QueueUrl"])
        if queue is None:
            return []
        data = _data(queue, "messages")
        if operation == "SendMessage":
            self._send(queue, data, call.result.get("MessageId"), params)
        elif operation == "SendMessageBatch":
            sent = {each.get("Id"): each.get("MessageId") for each in call.result.get("Successful", ())}
            for entry in params["Entries"]:
                if entry.get("Id") in sent:
                    self._send(queue, data, sent[entry["Id"]], entry)
        elif operation == "PurgeQueue":
            for sent_before in data.parts:
                self._queue_of.pop(sent_before, None)
            data.parts.clear()
        else:
            known = call.notes.get("messages")
            known = known if isinstance(known, dict) else {}
            entries = params.get("Entries") or [params]
            for entry in entries:
                message = known.get(entry.get("ReceiptHandle", ""))
                if message is None:
                    data.exact = False
                    continue
                holder = self._queue_of.pop(message, None)
                if holder is not None and holder.data is not None:
                    holder.data.parts.pop(message, None)
        return [queue]

    def _send(self, queue: Resource, data: Data, message: Any, entry: Mapping[str, Any]) -> None:
        if isinstance(message, str) and message:
            body = str(entry.get("MessageBody", "")).encode("utf-8", "surrogatepass")
            data.parts[message] = (len(body), _digest(body))
            self._queue_of[message] = queue

    # Records and log events.

    def _records(self, call: Call, find: Find) -> list[Resource]:
        params = call.params
        if call.operation not in ("PutRecord", "PutRecords"):
            return []
        stream = find("Stream", params.get("StreamName") or params["StreamARN"])
        if stream is None:
            return []
        data = _data(stream, "records")
        results = call.result.get("Records") or [{}]
        for entry, result in zip(params.get("Records") or [params], [*results, *[{}] * 500], strict=False):
            if not result.get("ErrorCode"):
                data.counted += 1
                data.counted_bytes += len(entry.get("Data", b""))
        return [stream]

    def _events(self, call: Call, find: Find) -> list[Resource]:
        params = call.params
        group = find("LogGroup", params["logGroupName"])
        if group is None:
            return []
        data = _data(group, "events")
        key = str(params["logStreamName"])
        data.counted += len(params["logEvents"])
        size = sum(len(str(each.get("message", "")).encode("utf-8", "surrogatepass")) for each in params["logEvents"])
        data.counted_bytes += size
        stream = find("LogStream", params["logGroupName"], key)
        if stream is None:
            return [group]
        inner = _data(stream, "events")
        inner.counted += len(params["logEvents"])
        inner.counted_bytes += size
        return [group, stream]


def _write_item(
    table: Resource, verb: str, item: Mapping[str, Any], change: Mapping[str, Any], *, seen: bool = False
) -> None:
    """Take in a write of an item. item: it, or what names it. change: what an update says. seen: a look has seen it so."""
    data = _data(table, "items")
    key = item_key(table, item)
    if key is not None and verb:
        data.untold.discard(key)
        data.seen.discard(key)
    if key is None:
        data.exact = False
    elif verb == "put":
        if seen:
            data.seen.add(key)
        content = orjson.dumps(item, default=repr, option=orjson.OPT_SORT_KEYS)
        data.parts[key] = (len(content), _digest(content))
    elif verb == "delete":
        data.parts.pop(key, None)
    elif verb == "update":
        data.untold.add(key)
        size, before = data.parts.get(key, (len(key), ""))
        told = orjson.dumps(change, default=repr, option=orjson.OPT_SORT_KEYS)
        data.parts[key] = (size, _digest(before.encode() + told))


def item_writes(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Yield table, item (or what names it) and what is done with it, for each item that a call to DynamoDB writes.

    That is `put`, `update`, `delete`, or empty. A statement that cannot be read with certainty is left out.
    Raises KeyError, TypeError, ValueError where a call is not what its model promises.
    """
    if writes_items(operation):
        for (name, item), verb in zip(items_written(operation, params), _verbs(operation, params), strict=True):
            yield name, item, verb
        return
    for statement in item_statements(params):
        if statement is not None:
            yield statement.table, statement.item, statement.verb


def _verbs(operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return what is done to each item that `items_written` returns."""
    if operation == "BatchWriteItem":
        return [
            "put" if "PutRequest" in write else "delete" for each in params["RequestItems"].values() for write in each
        ]
    if operation == "TransactWriteItems":
        verbs = {"Put": "put", "Delete": "delete", "Update": "update", "ConditionCheck": ""}
        return [verbs.get(name, "") for entry in params["TransactItems"] for name in entry]
    return [{"PutItem": "put", "DeleteItem": "delete"}.get(operation, "update")]


def _data(resource: Resource, unit: str) -> Data:
    if resource.data is None:
        resource.data = Data(unit)
    return resource.data


def _key_members(table: Resource) -> list[str]:
    schema = table.attributes.get("KeySchema")
    if not isinstance(schema, list):
        return []
    return [str(each["AttributeName"]) for each in schema if isinstance(each, Mapping) and "AttributeName" in each]


def item_key(table: Resource, item: Mapping[str, Any]) -> str | None:
    """Return the key of an item, or of what names it, as a text; None where the table's key is not known."""
    members = _key_members(table)
    if not members:
        return None
    values = [key_text(item[member]) for member in members if member in item]
    return ", ".join(values) if len(values) == len(members) else None


def _body_size(call: Call) -> int:
    decoded = call.request.headers.get("x-amz-decoded-content-length")
    if decoded.isdecimal():
        return int(decoded)
    body = call.params.get("Body", call.request.body)
    if isinstance(body, Hidden):
        body = body.raw
    return body.size if isinstance(body, BlobRef) else len(body) if isinstance(body, bytes | str) else 0


def _digest(content: Any) -> str:
    if isinstance(content, BlobRef):
        return content.sha256[: 2 * _DIGEST]
    return hashlib.blake2b(content, digest_size=_DIGEST).hexdigest()
