"""What differs between two recordings, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from replay_proxy.reports.inspect_text import GLOBAL, data_text, origin, sort_key, titled
from replay_proxy.reports.plain_text import markdown_cell, plain, plain_lines, size
from replay_proxy.resources.comparison import Change, Comparison, DataChange
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.resource import Resource
from replay_proxy.wording import counted

_SIGNS: Final = {"added": "+", "removed": "-", "changed": "~"}
_KEYS_MAX: Final = 1000
_VALUE_MAX: Final = 200
_CONTEXT: Final = 60
"""Characters of a long text that are shown before and after what differs in it."""
_MARKDOWN_ROWS_MAX: Final = 500


def summary_text(comparison: Comparison) -> str:
    """Return the sums of a comparison."""
    added, removed, changed = len(comparison.added), len(comparison.removed), len(comparison.changed)
    return f"{added} added, {removed} removed, {changed} changed, {comparison.unchanged} unchanged"


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Return what differs as text: a line for each resource, and one for each change of it."""
    yield summary_text(comparison)
    for resource in sorted(comparison.removed, key=sort_key):
        yield f"- {_line(comparison.before, resource)}"
    for resource in sorted(comparison.added, key=sort_key):
        yield f"+ {_line(comparison.after, resource)}  {origin(comparison.after, resource)}"
    for change in sorted(comparison.changed, key=lambda each: sort_key(each.after)):
        resource = change.after
        by = f"  by {resource.last_changed_by}" if resource.last_changed_by else ""
        other = f"  (before: {plain('/'.join(change.before.key.names), 160)})" if change.paired else ""
        yield f"~ {_line(comparison.after, resource, data=False)}{by}{other}"
        yield from (f"    {_SIGNS[each.action]} {_change(each)}" for each in change.attributes)
        yield from (f"    {_SIGNS[each.action]} tag {_change(each)}" for each in change.tags)
        if change.data is not None:
            yield f"    ~ {_data(change.data)}"
            yield from (f"      {sign} {plain(key, 1000)}" for sign, key in _keys(change.data))


def _line(model: ResourceModel, resource: Resource, *, data: bool = True) -> str:
    place = f"{plain(model.account_of(resource)) or 'account not known'} {plain(resource.key.region) or GLOBAL}"
    size_text = f"  {data_text(resource.data)}" if data and resource.data is not None else ""
    return f"{resource.type} {titled(resource)}  ({place}){size_text}"


def _change(change: Change) -> str:
    member = plain(change.member, 300)
    if change.action == "added":
        return f"{member}: {_value(change.after)}"
    if change.action == "removed":
        return f"{member}: {_value(change.before)}"
    before, after = _around_difference(_text(change.before), _text(change.after))
    return f"{member}: {before or '(empty)'} -> {after or '(empty)'}"


def _value(value: Any) -> str:
    return plain_lines(plain(_text(value), _VALUE_MAX)) or "(empty)"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, default=str).decode()


def _around_difference(before: str, after: str) -> tuple[str, str]:
    """Return two texts cut to where they differ: of long ones, such as templates, the beginnings are the same."""
    is_long = max(len(before), len(after)) > _VALUE_MAX
    begin = max(_common(before, after) - _CONTEXT, 0) if is_long else 0
    end = _common(before[:begin:-1], after[:begin:-1])
    shown = []
    for text in (before, after):
        last = max(len(text) - max(end - _CONTEXT, 0), begin) if begin else len(text)
        cut = plain_lines(plain(text[begin:last], _VALUE_MAX))
        shown.append(f"{'…' if begin else ''}{cut}{'…' if last < len(text) else ''}")
    return shown[0], shown[1]


def _common(one: str, other: str) -> int:
    """Return how many characters two texts begin with that are the same."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _data(data: DataChange) -> str:
    unit = data.unit.removesuffix("s")
    before, after = counted(data.before, unit), counted(data.after, unit)
    text = f"data: {before}, {size(data.before_bytes)} -> {after}, {size(data.after_bytes)}"
    return f"{text}; {data.changed_count} changed" if data.changed_count else text


def _keys(data: DataChange) -> Iterator[tuple[str, str]]:
    signed = [
        *(("-", key) for key in data.removed),
        *(("+", key) for key in data.added),
        *(("~", key) for key in data.changed),
    ]
    yield from signed[:_KEYS_MAX]
    if len(signed) > _KEYS_MAX:
        yield "…", f"and {len(signed) - _KEYS_MAX} more: --json lists them"


def comparison_markdown(before: str, after: str, comparison: Comparison) -> Iterator[str]:
    """Return what differs as Markdown, for a comment or the summary of a job."""
    yield f"### {markdown_cell(before)} → {markdown_cell(after)}"
    yield ""
    yield summary_text(comparison)
    if not comparison.differs:
        return
    yield ""
    yield "| | type | name | what |"
    yield "| -- | -- | -- | -- |"
    rows = list(_rows(comparison))
    yield from rows[:_MARKDOWN_ROWS_MAX]
    if len(rows) > _MARKDOWN_ROWS_MAX:
        yield f"| … | | | {len(rows) - _MARKDOWN_ROWS_MAX} more rows |"


def _rows(comparison: Comparison) -> Iterator[str]:
    for resource in sorted(comparison.removed, key=sort_key):
        yield _row("➖", resource, [f"was {data_text(resource.data)}"] if resource.data is not None else [])
    for resource in sorted(comparison.added, key=sort_key):
        yield _row("➕", resource, [origin(comparison.after, resource)])
    for change in sorted(comparison.changed, key=lambda each: sort_key(each.after)):
        texts = [f"{_SIGNS[each.action]} {_change(each)}" for each in change.attributes]
        texts += [f"{_SIGNS[each.action]} tag {_change(each)}" for each in change.tags]
        if change.data is not None:
            texts += [_data(change.data), *(f"{sign} {key}" for sign, key in list(_keys(change.data))[:20])]
        yield _row("✏️", change.after, texts)


def _row(sign: str, resource: Resource, texts: Iterable[str]) -> str:
    what = "<br>".join(markdown_cell(text) for text in texts)
    return f"| {sign} | {markdown_cell(resource.type)} | {markdown_cell(titled(resource))} | {what} |"
