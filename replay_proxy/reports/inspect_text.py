"""Resources and calls as text: the tree by account, region and service; one resource; the journal as a table; one call.

Lines are laid out by blanks alone, so that they can be searched, cut and compared. Nothing depends on colour.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from replay_proxy.reports.plain_text import clock, moment, plain, plain_lines, size
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.linking.documents import document
from replay_proxy.resources.resource import CallEntry, Data, Resource, shown
from replay_proxy.wording import counted

_NUMBERS_MAX: Final = 6
_CALLS_MAX: Final = 200
_LINKS_MAX: Final = 200
GLOBAL: Final = "global"


def summary_line(model: ResourceModel) -> str:
    """Return one line on a recording."""
    failed = sum(call.failed for call in model.calls)
    text = f"{counted(len(model.resources), 'resource')}, {counted(len(model.calls), 'call')}"
    if failed:
        text += f" ({failed} failed)"
    if model.calls:
        text += f", {moment(model.calls[0].time)} to {moment(model.calls[-1].time)}"
    return text


def tree_lines(model: ResourceModel, resources: Sequence[Resource], *, attributes: bool = False) -> Iterator[str]:
    """Return the resources by account, region and service, each with what made it and what it links to.

    attributes: also with its attributes and tags.
    """
    for account, regions in grouped(model, resources).items():
        yield plain(account)
        for region, services in regions.items():
            yield f"  {plain(region)}"
            for service, found in services.items():
                yield f"    {service} ({len(found)})"
                for resource in found:
                    yield f"      {resource_line(model, resource)}"
                    if attributes and resource.attributes:
                        yield from value_lines(shown(resource.attributes), " " * 10)
                    if attributes:
                        yield from (f"          tag {plain(key)}: {plain(each)}" for key, each in resource.tags.items())
                    yield from link_lines(model, resource, " " * 8)


def grouped(model: ResourceModel, resources: Sequence[Resource]) -> dict[str, dict[str, dict[str, list[Resource]]]]:
    """Return resources by account, region (or `global`) and service, each in the order of names."""
    found: dict[str, dict[str, dict[str, list[Resource]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    places = [(model.account_of(each) or "account not known", each.key.region or GLOBAL, each) for each in resources]
    for account, region, resource in sorted(places, key=lambda each: (*each[:2], sort_key(each[2]))):
        found[account][region][resource.service].append(resource)
    return found


def sort_key(resource: Resource) -> tuple[str, str, tuple[str, ...], str]:
    """Return by what resources are sorted: service, type, what they are a part of, name."""
    return resource.service, resource.type, resource.key.names[:-1], resource.label


def resource_line(model: ResourceModel, resource: Resource) -> str:
    """Return a resource in one line."""
    parts = [resource.type, titled(resource), origin(model, resource)]
    if resource.changed_by:
        parts.append(f"changed by {numbers(resource.changed_by)}")
    if resource.data is not None:
        parts.append(data_text(resource.data))
    return "  ".join(parts)


def titled(resource: Resource) -> str:
    """Return name and, where that is another, identifier of a resource."""
    own = "/".join(resource.key.names)
    name = plain(resource.label, 120)
    return name if own in (resource.label, resource.label.strip("/")) else f"{name} [{plain(own, 160)}]"


def origin(model: ResourceModel, resource: Resource) -> str:
    """Return what made a resource."""
    if resource.made_by:
        return f"created by {resource.made_by}"
    maker = model.resources.get(resource.maker)
    if maker is not None:
        return f"made by {maker.type} {plain(maker.label, 80)}"
    return "was there, or was made by the emulator"


def data_text(data: Data) -> str:
    """Return how much data there is."""
    text = f"{counted(data.count, data.unit.removesuffix('s'))}, {size(data.bytes)}"
    return text if data.exact else f"about {text}"


def numbers(seqs: Sequence[int]) -> str:
    """Return numbers of calls, the last of many."""
    shown_seqs = [str(seq) for seq in seqs[-_NUMBERS_MAX:]]
    more = f"{len(seqs) - _NUMBERS_MAX} earlier, " if len(seqs) > _NUMBERS_MAX else ""
    return more + ", ".join(shown_seqs)


def link_lines(model: ResourceModel, resource: Resource, indent: str) -> Iterator[str]:
    """Return the links of a resource, each in one line."""
    for link in model.links(resource)[:_LINKS_MAX]:
        other = model.resources.get(link.target)
        target = f"{other.type} {titled(other)}" if other is not None else f"not in the recording: {plain(link.text)}"
        yield f"{indent}-> {plain(link.member, 160)}: {target}"


def resource_lines(model: ResourceModel, resource: Resource) -> Iterator[str]:
    """Return everything that is known of one resource."""
    calls = {call.seq: call for call in model.calls}
    yield f"{resource.type} {titled(resource)}"
    yield f"  account       {plain(model.account_of(resource)) or 'not known'}"
    yield f"  region        {plain(resource.key.region) or GLOBAL}"
    if model.arn(resource):
        yield f"  arn           {plain(model.arn(resource), 2048)}"
    for member, value in resource.identifiers.items():
        if value not in (model.arn(resource), resource.label):
            yield f"  {plain(member, 60):<13} {plain(value, 2048)}"
    yield f"  created       {_call(calls, resource.made_by) or origin(model, resource)}"
    if resource.changed_by:
        yield f"  last changed  {_call(calls, resource.changed_by[-1])}"
    if resource.data is not None:
        yield f"  data          {data_text(resource.data)}, written by {counted(len(resource.data_calls), 'call')}"
    if resource.tags:
        yield "  tags"
        yield from (f"    {plain(key)}: {plain(value)}" for key, value in resource.tags.items())
    if resource.attributes:
        yield "  attributes"
        yield from value_lines(shown(resource.attributes), "    ")
    links = list(link_lines(model, resource, "    "))
    if links:
        yield "  links to"
        yield from links
    dependents = model.dependents(resource)
    if dependents:
        yield "  depended on by"
        for other, link in dependents[:_LINKS_MAX]:
            yield f"    <- {other.type} {titled(other)}: {plain(link.member, 160)}"
    parts = model.made_by_resource(resource)
    if parts:
        yield "  made by it"
        yield from (f"    {other.type} {titled(other)}" for other in parts[:_LINKS_MAX])
    own = resource.calls()
    yield f"  calls ({len(own)})"
    yield from (f"    {_call(calls, seq)}" for seq in own[:_CALLS_MAX])
    if len(own) > _CALLS_MAX:
        yield f"    … and {len(own) - _CALLS_MAX} more: `--calls --resource` lists all"


def _call(calls: Mapping[int, CallEntry], seq: int) -> str:
    call = calls.get(seq)
    if call is None:
        return f"call {seq}" if seq else ""
    return f"call {seq}  {moment(call.time)}  {plain(call.service)} {plain(call.operation, 200)}"


def call_lines(model: ResourceModel, calls: Sequence[CallEntry]) -> Iterator[str]:
    """Return the journal as a table: one call a line, under a line of headings."""
    rows = [
        (
            str(call.seq),
            clock(call.time),
            f"{call.duration_ms:.1f}",
            {"mutation": "", "witness": "read", "observation": "seen"}.get(call.kind, call.kind),
            plain(call.service, 40),
            plain(call.operation, 120),
            plain(call.region or "-", 40),
            str(call.status),
            plain(call.error, 60),
            touched_text(model, call),
        )
        for call in calls
    ]
    headings = ("seq", "time", "ms", "", "service", "operation", "region", "status", "error", "resources")
    table = [headings, *rows]
    widths = [max(len(row[at]) for row in table) for at in range(len(headings))]
    right = {0, 2, 7}
    for row in table:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cell for cell, width in zip(cells, widths, strict=True) if width).rstrip()


def touched_text(model: ResourceModel, call: CallEntry) -> str:
    """Return the resources that a call touched, the first of many by name."""
    found = [model.resources.get(number) or model.gone.get(number) for number in call.resources]
    names = [f"{each.type} {plain(each.label, 80)}" for each in found if each is not None]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def call_text_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """Return a call in full (see `call_document`)."""
    name = f"{document['service']} {document['operation']}".strip()
    yield f"call {document['seq']}  {plain(name) or 'not recognised'}"
    yield f"  time     {moment(document['time'])}, {document['ms']:.1f} ms"
    yield f"  kind     {document['kind']}"
    if document["account"] or document["region"]:
        yield f"  place    {plain(document['account']) or 'default account'}, {plain(document['region']) or 'default region'}"
    request, answer = document["request"], document["answer"]
    yield f"  request  {plain(request['method'])} {plain(request['target'])}"
    if document["aws"]:
        yield f"  command  {plain(document['aws'], 16_384)}"
    yield from _section("parameters", request)
    yield from _section("body", request)
    yield from _section("unreadable", request)
    error = f" {plain(answer['error'])}: {plain(answer['message'], 2000)}" if "error" in answer else ""
    yield f"  answer   {answer['status']}{error}"
    yield from _section("result", answer)
    yield from _section("body", answer)
    yield from _section("unreadable", answer)


def _section(name: str, part: Mapping[str, Any]) -> Iterator[str]:
    if part.get(name):
        yield f"  {name}"
        yield from value_lines(part[name], "    ")


def value_lines(value: Any, indent: str) -> Iterator[str]:
    """Return a JSON value as indented lines; documents in texts laid out, too."""
    if isinstance(value, Mapping) and value:
        for member, below in value.items():
            yield from _member_lines(f"{plain(str(member), 160)}:", below, indent)
    elif isinstance(value, list) and value:
        for below in value[:100]:
            yield from _member_lines("-", below, indent)
        if len(value) > 100:
            yield f"{indent}… and {len(value) - 100} more"
    else:
        yield f"{indent}{scalar(value)}"


def _member_lines(label: str, value: Any, indent: str) -> Iterator[str]:
    inside = opened(value)
    if isinstance(inside, Mapping) and set(inside) == {"preview", "bytes", "sha256"}:
        yield f"{indent}{label} {size(inside['bytes'])}, sha256 {inside['sha256'][:16]}…  {plain(inside['preview'], 80)}"
    elif isinstance(inside, Mapping | list) and inside:
        yield f"{indent}{label}"
        yield from value_lines(inside, indent + "  ")
    else:
        yield f"{indent}{label} {scalar(value)}"


def opened(value: Any) -> Any:
    """Return a text that is a JSON document as what it says; any other value as it is."""
    inside = document(value) if isinstance(value, str) else None
    return value if inside is None else inside


def scalar(value: Any) -> str:
    """Return a single value as text."""
    if isinstance(value, str):
        return plain(value)
    return plain_lines(orjson.dumps(value, default=str).decode())
