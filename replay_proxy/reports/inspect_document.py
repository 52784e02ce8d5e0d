"""Resources and calls as a JSON document: the contract of `inspect --json` (docs/schemas/inspect.schema.json)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from replay_proxy.journal.read.reader import Recording
from replay_proxy.reports.selection import Selection
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Resource, shown

FORMAT: Final = "replay-proxy-inspect"
VERSION: Final = 1


def inspect_document(recording: Recording, model: ResourceModel, selection: Selection) -> dict[str, Any]:
    """Return what is asked for of a recording; resources and calls are iterators (see `json_text.json_pieces`)."""
    resources, calls = selection.resources(model), selection.calls(model)
    return {
        "format": FORMAT,
        "version": VERSION,
        "recording": recording_document(recording, model),
        "summary": {
            "resources": len(resources),
            "calls": len(calls),
            "failed": sum(call.failed for call in calls),
            "types": dict(sorted(Counter(resource.type for resource in resources).items())),
            "operations": dict(sorted(Counter(f"{call.service}:{call.operation}" for call in calls).items())),
        },
        "resources": (resource_document(model, resource) for resource in resources),
        "calls": (call_entry_document(model, call) for call in calls),
    }


def recording_document(recording: Recording, model: ResourceModel) -> dict[str, Any]:
    """Return what a recording says of itself."""
    header = recording.header
    return {
        "path": recording.origin or str(recording.path),
        "id": header.id if header is not None else "",
        "created": header.created if header is not None else "",
        "emulator": dict(header.emulator) if header is not None else {},
        "first": model.calls[0].time if model.calls else "",
        "last": model.calls[-1].time if model.calls else "",
        "warnings": list(recording.warnings),
        "not_understood": model.odd,
    }


def resource_document(model: ResourceModel, resource: Resource) -> dict[str, Any]:
    """Return a resource with its links, those that link to it, and the numbers of its calls."""
    data = resource.data
    return {
        "id": model.id(resource),
        "type": resource.type,
        "service": resource.service,
        "account": model.account_of(resource),
        "region": resource.key.region,
        "name": resource.label,
        "names": list(resource.key.names),
        "arn": model.arn(resource),
        "identifiers": resource.identifiers,
        "attributes": shown(resource.attributes),
        "tags": resource.tags,
        "made_by": resource.made_by or None,
        "maker": _id(model, resource.maker),
        "last_changed_by": resource.last_changed_by or None,
        "changed_by": resource.changed_by,
        "data_calls": len(resource.data_calls),
        "data": None
        if data is None
        else {"unit": data.unit, "count": data.count, "bytes": data.bytes, "exact": data.exact},
        "links": [
            {"member": link.member, "target": _id(model, link.target), "text": link.text[:2048]}
            for link in model.links(resource)
        ],
        "dependents": [{"id": model.id(other), "member": link.member} for other, link in model.dependents(resource)],
        "parts": [model.id(other) for other in model.made_by_resource(resource)],
    }


def call_entry_document(model: ResourceModel, call: CallEntry) -> dict[str, Any]:
    """Return a call without its bodies."""
    return {
        "seq": call.seq,
        "time": call.time,
        "ms": call.duration_ms,
        "kind": call.kind,
        "service": call.service,
        "operation": call.operation,
        "account": call.account,
        "region": call.region,
        "status": call.status,
        "error": call.error,
        "resources": list(_ids(model, call.resources)),
    }


def _ids(model: ResourceModel, numbers: Iterable[int]) -> Iterable[str]:
    for number in numbers:
        found = _id(model, number)
        if found is not None:
            yield found


def _id(model: ResourceModel, number: int) -> str | None:
    resource = model.resources.get(number) or model.gone.get(number)
    return model.id(resource) if resource is not None else None
