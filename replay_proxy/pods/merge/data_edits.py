"""Writes of our data without the parts that the pod has: an item, an object is the pod's, whatever ours did to it.

The pod's calls come first, so what is left of ours builds on our own writes alone. An object that another call of ours reads (a
copy, the code of a function) is written all the same, and the pod's is written once more at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from replay_proxy.footprint.data_parts import copy_source, items_written, objects_read, objects_written, writes_items
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.footprint.statements import ItemStatement, item_statements
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.pods.merge.call_edits import with_parameters
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.planning.supersession.batches import reduced_record
from replay_proxy.replay.recorded_call import BlobLoader, Call, call_of
from replay_proxy.resources.properties.stored_data import item_key
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.mutability.judge import is_data

_READ_DEPTH: Final = 4
_STATEMENT_LISTS: Final = ("Statements", "TransactStatements")
ObjectName = tuple[str, str]
"""Bucket and key."""


def writes_data(record: Record) -> bool:
    """Tell whether a call writes data into something, and is no read."""
    head = record.head
    return head is not None and record.kind is not RecordKind.WITNESS and is_data(head.service, head.operation)


def without_their_parts(
    record: Record, load: BlobLoader, pods: Collection[Resource], read: Collection[ObjectName]
) -> Record | None:
    """Return a write of ours without the parts that the pod's resources have; None where nothing of it is left.

    read: the objects of ours that must be there for other calls of ours.
    """
    call = call_of(record, load)
    if call is None:
        return record
    held = {each.key.names[-1]: each for each in pods}
    try:
        match call.service:
            case "dynamodb" if writes_items(call.operation):
                return _without_items(record, call, held)
            case "dynamodb":
                return _without_statements(record, call, held)
            case "s3":
                return _without_objects(record, call, held, read)
            case "sqs" if call.operation == "PurgeQueue":
                return None  # it would take the pod's messages; ours of before it are gone already
    except (KeyError, TypeError, AttributeError):
        # Not what its model promises: it stays a call like any other.
        return record
    return record


def without_their_messages(record: Record, load: BlobLoader, known: Collection[str]) -> Record | None:
    """Return a batch of messages without the entries whose ids are known; None where none is left."""
    call = call_of(record, load)
    entries = call.params.get("Entries", ()) if call is not None else ()
    gone = {at for at, each in enumerate(entries) if each.get("Id") in known}
    return None if len(gone) == len(entries) else reduced_record(record, gone, set(), load)


def objects_needed(side: Side) -> set[ObjectName]:
    """Return the objects that calls of a side read: the source of a copy, the code of a function. Blocking, for long."""
    found: set[ObjectName] = set()
    for _number, record in side:
        call = call_of(record, side.load) if record.head is not None and record.kind is not RecordKind.WITNESS else None
        if call is None:
            continue
        if call.service == "s3":
            source = copy_source(call.params)
            found |= {source} if source is not None else set()
        elif not writes_data(record):
            found.update(objects_read(call.params, _READ_DEPTH))
    return found


def written_objects(record: Record, load: BlobLoader) -> list[ObjectName]:
    """Return the objects that a call writes; none where it is no such call."""
    if record.head is None or record.head.service != "s3" or not writes_data(record):
        return []
    call = call_of(record, load)
    try:
        return objects_written(call.params) if call is not None else []
    except (KeyError, TypeError):
        return []


def _without_items(record: Record, call: Call, held: Mapping[str, Resource]) -> Record | None:
    operation, params = call.operation, call.params

    def stays(changed: Mapping[str, Any]) -> bool:
        return not any(_is_held(held.get(short_name(name)), item) for name, item in items_written(operation, changed))

    if operation == "BatchWriteItem":
        kept = {
            name: [each for each in writes if stays({"RequestItems": {name: [each]}})]
            for name, writes in params["RequestItems"].items()
        }
        left = {**params, "RequestItems": {name: writes for name, writes in kept.items() if writes}}
        something = bool(left["RequestItems"])
    elif operation == "TransactWriteItems":
        left = {
            **params,
            "TransactItems": [each for each in params["TransactItems"] if stays({"TransactItems": [each]})],
        }
        something = bool(left["TransactItems"])
    else:
        left, something = params, stays(params)
    if not something:
        return None
    return record if left == params else with_parameters(record, left)


def _without_statements(record: Record, call: Call, held: Mapping[str, Resource]) -> Record | None:
    stays = [not _is_held_by(each, held) for each in item_statements(call.params)]
    if all(stays):
        return record
    for member in _STATEMENT_LISTS:
        if member in call.params and any(stays):
            entries = [each for each, kept in zip(call.params[member], stays, strict=True) if kept]
            return with_parameters(record, {**call.params, member: entries})
    return None


def _is_held_by(statement: ItemStatement | None, held: Mapping[str, Resource]) -> bool:
    return statement is not None and _is_held(held.get(short_name(statement.table)), statement.item)


def _is_held(table: Resource | None, item: Mapping[str, Any]) -> bool:
    return table is not None and table.data is not None and item_key(table, item) in table.data.parts


def _without_objects(
    record: Record, call: Call, held: Mapping[str, Resource], read: Collection[ObjectName]
) -> Record | None:
    def stays(bucket: str, key: str) -> bool:
        resource = held.get(bucket)
        return resource is None or resource.data is None or key not in resource.data.parts or (bucket, key) in read

    if "Delete" not in call.params:
        return record if all(stays(*each) for each in objects_written(call.params)) else None
    bucket, given = call.params["Bucket"], call.params["Delete"]
    entries = [each for each in given["Objects"] if stays(bucket, each["Key"])]
    if len(entries) == len(given["Objects"]):
        return record
    return with_parameters(record, {**call.params, "Delete": {**given, "Objects": entries}}) if entries else None


def written_again(side: Side, objects: Collection[ObjectName]) -> Iterator[tuple[int, Record]]:
    """Yield number and record of the calls of a side that write one of these objects."""
    for number, record in side if objects else ():
        if any(each in objects for each in written_objects(record, side.load)):
            yield number, record
