"""What differs between two recordings, as a JSON document: the contract of `diff --json` (docs/schemas/diff.schema.json)."""

from __future__ import annotations

from typing import Any, Final

from replay_proxy.reports.inspect_document import resource_document
from replay_proxy.resources.comparison import Change, Comparison, ResourceChange
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource

FORMAT: Final = "replay-proxy-diff"
VERSION: Final = 1


def comparison_document(before: str, after: str, comparison: Comparison) -> dict[str, Any]:
    """Return what differs. before, after: the two as the user named them."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "before": before,
        "after": after,
        "differs": comparison.differs,
        "summary": {
            "added": len(comparison.added),
            "removed": len(comparison.removed),
            "changed": len(comparison.changed),
            "unchanged": comparison.unchanged,
        },
        "added": [resource_document(comparison.after, each) for each in comparison.added],
        "removed": [resource_document(comparison.before, each) for each in comparison.removed],
        "changed": [_changed(comparison, each) for each in comparison.changed],
    }


def _changed(comparison: Comparison, change: ResourceChange) -> dict[str, Any]:
    data = change.data
    return {
        **_named(comparison.after, change.after),
        "before_id": comparison.before.id(change.before),
        "paired_by_name": change.paired,
        "last_changed_by": change.after.last_changed_by or None,
        "attributes": [_change(each) for each in change.attributes],
        "tags": [_change(each) for each in change.tags],
        "data": None
        if data is None
        else {
            "unit": data.unit,
            "before": {"count": data.before, "bytes": data.before_bytes},
            "after": {"count": data.after, "bytes": data.after_bytes},
            "changed_count": data.changed_count,
            "added": list(data.added),
            "removed": list(data.removed),
            "changed": list(data.changed),
        },
    }


def _named(model: ResourceModel, resource: Resource) -> dict[str, Any]:
    return {
        "id": model.id(resource),
        "type": resource.type,
        "service": resource.service,
        "account": model.account_of(resource),
        "region": resource.key.region,
        "name": resource.label,
    }


def _change(change: Change) -> dict[str, Any]:
    return {"action": change.action, "member": change.member, "before": change.before, "after": change.after}
