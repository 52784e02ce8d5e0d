"""The records of hosted zones (Route 53), which one call changes in batches, each change with its action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from replay_proxy.resources.resource import Key


def is_record_set(key: Key) -> bool:
    """Return whether a key is one of a record set."""
    return (key.service, key.noun) == ("route53", "ResourceRecordSet")


def record_set_changes(params: Mapping[str, Any]) -> Iterator[tuple[bool, tuple[str, ...], Mapping[str, Any]]]:
    """Return of each change: whether the record set is there afterwards, its names, and what it is."""
    batch = params.get("ChangeBatch")
    zone = str(params.get("HostedZoneId", "")).rpartition("/")[2]
    for change in batch.get("Changes", ()) if isinstance(batch, Mapping) else ():
        records = change.get("ResourceRecordSet") if isinstance(change, Mapping) else None
        if not isinstance(records, Mapping) or not isinstance(records.get("Name"), str):
            continue
        name = records["Name"].lower()
        names = [zone, name if name.endswith(".") else f"{name}.", str(records.get("Type", ""))]
        if records.get("SetIdentifier"):
            names.append(str(records["SetIdentifier"]))
        yield change.get("Action") != "DELETE", tuple(names), records
