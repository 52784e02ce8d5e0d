"""Writes of data that lose the parts which the pod has: an item of a table is the pod's, whatever ours did to it.

A part that is written as a whole, such as an object, needs nothing here: the pod's write of it comes last. A change that builds
on what is there (`ADD` to a number of an item) would build on ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from replay_proxy.footprint.data_parts import items_written, writes_items
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.journal.format.records import Record
from replay_proxy.pods.merge.call_edits import with_parameters
from replay_proxy.replay.recorded_call import BlobLoader, call_of
from replay_proxy.resources.properties.stored_data import item_key
from replay_proxy.resources.resource import Resource


def without_their_items(record: Record, load: BlobLoader, pods: Collection[Resource]) -> Record | None:
    """Return a write without the items that the pod's tables have; None where nothing of it is left."""
    if record.head is None or record.head.service != "dynamodb" or not writes_items(record.head.operation):
        return record
    call = call_of(record, load)
    if call is None:
        return record
    operation, params = record.head.operation, call.params
    tables = {each.key.names[-1]: each for each in pods if each.data is not None and each.data.parts}

    def stays(changed: Mapping[str, Any]) -> bool:
        return not any(_is_held(tables.get(short_name(name)), item) for name, item in items_written(operation, changed))

    try:
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
    except (KeyError, TypeError, AttributeError):
        # Not what its model promises: it stays a call like any other.
        return record
    if not something:
        return None
    return record if left == params else with_parameters(record, left)


def _is_held(table: Resource | None, item: Mapping[str, Any]) -> bool:
    return table is not None and table.data is not None and item_key(table, item) in table.data.parts
