"""Resources and calls as the page's script reads them: short rows, and documents with what is long in them cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.reader import Recording
from replay_proxy.replay.recorded_call import BlobLoader
from replay_proxy.reports.call_document import call_document
from replay_proxy.reports.inspect_document import recording_document, resource_document
from replay_proxy.reports.page.preview import Preview, page_json, preview_json
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import CallEntry, Resource

FORMAT: Final = "replay-proxy-report"
VERSION: Final = 1
_COMMAND_REST: Final = 300
"""Characters of a command beside its longest text. One that is longer is left out."""
_LINKS_MAX: Final = 500
_IN_ENTRY: Final = ("seq", "time", "ms", "kind", "service", "operation", "account", "region", "status")
_IN_ROW: Final = ("dependents", "parts", "data_calls", "maker", "links")


def overview(recording: Recording, model: ResourceModel, restore: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the page shows first."""
    calls = Counter(each.service for each in model.calls)
    failed = Counter(each.service for each in model.calls if each.failed)
    resources = Counter(each.service for each in model.resources.values())
    return {
        "format": FORMAT,
        "version": VERSION,
        "recording": Preview(2000, 40_000).of(recording_document(recording, model)),
        "summary": {
            "resources": len(model.resources),
            "calls": len(model.calls),
            "failed": failed.total(),
            "types": dict(Counter(each.type for each in model.resources.values()).most_common(200)),
            "services": [
                {"service": each, "calls": calls[each], "failed": failed[each], "resources": resources[each]}
                for each in sorted(calls.keys() | resources.keys())
            ],
        },
        "restore": restore,
    }


def call_row(call: CallEntry) -> str:
    """Return a call without its bodies, as JSON for the page."""
    error = Preview(200, 200).of(call.error) if call.error else ""
    place = (call.service, call.operation, call.account, call.region)
    return page_json(
        [call.seq, call.time, call.duration_ms, *place, call.status, call.kind, error, call.resources[:200]]
    )


def call_details(record: Record, load: BlobLoader, text_max: int, total_max: int) -> str:
    """Return the request, the answer and the command of a call, as JSON for the page."""
    found = call_document(record, load)
    command = found.pop("aws")
    for member in _IN_ENTRY:
        del found[member]
    if not found["notes"]:
        del found["notes"]
    if len(command) > _COMMAND_REST + text_max:
        # A part of a command would be another command.
        command = f"# {len(command):,} characters: replay-proxy inspect --call {record.seq}"
    cut = preview_json(found, text_max, total_max)
    return f'{{"seq":{record.seq},"aws":{page_json(command)},{cut[1:]}'


def resource_row(model: ResourceModel, resource: Resource, text_max: int, total_max: int) -> str:
    """Return a resource with its links to others, by their numbers, as JSON for the page."""
    found = resource_document(model, resource)
    for member in _IN_ROW:
        del found[member]
    data, changed = found.pop("data"), found.pop("changed_by")
    cut = Preview(text_max, total_max)
    links = [
        [cut.of(link.member), link.target, "" if link.target else cut.of(link.text)]
        for link in model.links(resource)[:_LINKS_MAX]
    ]
    rest = {"data": data, "changed_by": changed[-_LINKS_MAX:], "maker": resource.maker, "links": links}
    head = f'{{"number":{resource.number},{preview_json(found, text_max, total_max)[1:-1]}'
    return f"{head},{page_json(rest)[1:]}"


def gone_row(model: ResourceModel, resource: Resource) -> str:
    """Return a resource that was deleted, as JSON for the page."""
    row = {
        "number": resource.number,
        "gone": resource.ended_by,
        **Preview(500, 4000).of(
            {
                "id": model.id(resource),
                "type": resource.type,
                "service": resource.service,
                "account": model.account_of(resource),
                "region": resource.key.region,
                "name": resource.label,
            }
        ),
        "made_by": resource.made_by,
    }
    return page_json(row)


def all_resources(model: ResourceModel, text_max: int, total_max: int) -> Iterable[str]:
    """Return the rows of all resources, those that exist first."""
    for resource in model.resources.values():
        yield resource_row(model, resource, text_max, total_max)
    for resource in model.gone.values():
        yield gone_row(model, resource)
