"""Writes of our data without the parts that the pod has: an item, an object is the pod's, whatever ours did to it.

The pod's calls come first, so what is left of ours builds on our own writes alone. An object that another call of ours reads (a
copy, the code of a function) is written all the same, and the pod's is written once more at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from replay_proxy.footprint.data_parts import items_written, objects_written, writes_items
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.footprint.statements import item_statements
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.pods.merge.call_edits import with_parameters
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.planning.supersession.batches import reduced_record
from replay_proxy.replay.recorded_call import BlobLoader, Call, call_of
from replay_proxy.resources.properties.stored_data import item_key
from replay_proxy.resources.resource import Key, Resource
from replay_proxy.wire.mutability.judge import is_data

_STATEMENT_LISTS: Final = ("Statements", "TransactStatements")
ObjectName = tuple[str, str]
"""Bucket and key."""
Part = str | Mapping[str, Any]
"""The key of an object; an item, or what names it."""
_Stays = Callable[[str, Part], bool]
"""Tells by the name of what holds a part, and the part, whether its write stays."""


def writes_data(record: Record) -> bool:
    """Tell whether a call writes data into something, and is no read."""
    head = record.head
    return head is not None and record.kind is not RecordKind.WITNESS and is_data(head.service, head.operation)


def is_by_parts(record: Record) -> bool:
    """Tell whether what a write adds to is told by parts: items, objects. Then what both have of those decides, and no moment."""
    return record.head is not None and record.head.service in ("dynamodb", "s3") and writes_data(record)


def without_their_parts(
    record: Record,
    load: BlobLoader,
    pods: Collection[Resource],
    read: Collection[ObjectName],
    early: Collection[ObjectName],
) -> Record | None:
    """Return a write of ours without the parts that the pod's resources have; None where nothing of it is left.

    read: the objects of ours that must be there for other calls of ours. early: those that were written before the pod's.
    """
    held = {each.key.names[-1]: each for each in pods}

    def stays(name: str, part: Part) -> bool:
        container = held.get(name)
        if isinstance(part, str) and (name, part) in early:
            return False
        if container is None or container.data is None:
            return True
        key = part if isinstance(part, str) else item_key(container, part)
        return key not in container.data.parts or (name, key) in read

    return _reduced(record, load, stays)


def with_parts_alone(
    record: Record, load: BlobLoader, ours: Collection[Resource], parts: Collection[tuple[str, str]]
) -> Record | None:
    """Return a write of data with some of its parts alone; None where it writes none of them.

    ours: what it writes into. parts: the name of what holds each, and its own key.
    """
    held = {each.key.names[-1]: each for each in ours}

    def stays(name: str, part: Part) -> bool:
        container = held.get(name)
        key = part if isinstance(part, str) else item_key(container, part) if container is not None else None
        return key is not None and (name, key) in parts

    return _reduced(record, load, stays) if parts else None


def with_named_objects(record: Record, load: BlobLoader, objects: Collection[ObjectName]) -> Record | None:
    """Return a write of objects with those alone that are among `objects`; None where it writes none of them."""
    return _reduced(record, load, lambda name, part: isinstance(part, str) and (name, part) in objects)


def _reduced(record: Record, load: BlobLoader, stays: _Stays) -> Record | None:
    call = call_of(record, load)
    if call is None:
        return record
    try:
        match call.service:
            case "dynamodb" if writes_items(call.operation):
                return _without_items(record, call, stays)
            case "dynamodb":
                return _without_statements(record, call, stays)
            case "s3":
                return _without_objects(record, call, stays)
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


def written_objects(record: Record, load: BlobLoader) -> list[ObjectName]:
    """Return the objects that a call writes; none where it is no such call."""
    if record.head is None or record.head.service != "s3" or not writes_data(record):
        return []
    call = call_of(record, load)
    try:
        return objects_written(call.params) if call is not None else []
    except (KeyError, TypeError):
        return []


def _without_items(record: Record, call: Call, stays: _Stays) -> Record | None:
    operation, params = call.operation, call.params

    def all_stay(changed: Mapping[str, Any]) -> bool:
        return all(stays(short_name(name), item) for name, item in items_written(operation, changed))

    if operation == "BatchWriteItem":
        kept = {
            name: [each for each in writes if all_stay({"RequestItems": {name: [each]}})]
            for name, writes in params["RequestItems"].items()
        }
        left = {**params, "RequestItems": {name: writes for name, writes in kept.items() if writes}}
        something = bool(left["RequestItems"])
    elif operation == "TransactWriteItems":
        left = {
            **params,
            "TransactItems": [each for each in params["TransactItems"] if all_stay({"TransactItems": [each]})],
        }
        something = bool(left["TransactItems"])
    else:
        left, something = params, all_stay(params)
    if not something:
        return None
    return record if left == params else with_parameters(record, left)


def _without_statements(record: Record, call: Call, stays: _Stays) -> Record | None:
    kept = [each is None or bool(stays(short_name(each.table), each.item)) for each in item_statements(call.params)]
    if all(kept):
        return record
    for member in _STATEMENT_LISTS:
        if member in call.params and any(kept):
            entries = [each for each, left in zip(call.params[member], kept, strict=True) if left]
            return with_parameters(record, {**call.params, member: entries})
    return None


def _without_objects(record: Record, call: Call, stays: _Stays) -> Record | None:
    if "Delete" not in call.params:
        return record if all(stays(*each) for each in objects_written(call.params)) else None
    bucket, given = call.params["Bucket"], call.params["Delete"]
    entries = [each for each in given["Objects"] if stays(bucket, each["Key"])]
    if len(entries) == len(given["Objects"]):
        return record
    return with_parameters(record, {**call.params, "Delete": {**given, "Objects": entries}}) if entries else None


def was_seen(record: Record, pod: Side, ours: Mapping[Key, Resource], pods: Mapping[Key, Resource]) -> bool:
    """Tell whether all items that a call of the pod writes were made by expressions, and a look has seen them in ours since.

    ours, pods: the resources of both sides. So a compaction may have left of ours what was seen, and not the call.
    """
    call = call_of(record, pod.load)
    if call is None or call.service != "dynamodb" or not writes_items(call.operation):
        return False
    try:
        keys = {key.names[-1]: key for key in pod.named(call)}
        for name, item in items_written(call.operation, call.params):
            table = pods[keys[short_name(name)]]
            mine, its, part = ours[keys[short_name(name)]].data, table.data, item_key(table, item)
            if mine is None or its is None or part not in mine.seen or part not in its.untold:
                return False
    except (KeyError, TypeError, AttributeError):
        return False  # not what its model promises, or of a table that one side has alone
    return True


def written_again(side: Side, objects: Collection[ObjectName]) -> Iterator[tuple[int, Record]]:
    """Yield number and record of the calls of a side that write one of these objects."""
    for number, record in side if objects else ():
        if any(each in objects for each in written_objects(record, side.load)):
            yield number, record
