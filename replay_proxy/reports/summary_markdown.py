"""A recording, and the report of a restore where there is one, as Markdown for the summary of a CI job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from replay_proxy.reports.inspect_text import data_text, origin, sort_key, summary_line, titled
from replay_proxy.reports.plain_text import markdown_cell
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.wording import counted, duration

_ROWS_MAX: Final = 100


def summary_markdown(title: str, model: ResourceModel, restore: Mapping[str, Any] | None) -> Iterator[str]:
    """Return the lines. restore: as `restore_report.read_restore_report` returns it; None where there is none."""
    yield f"### {markdown_cell(title)}"
    yield ""
    yield markdown_cell(summary_line(model))
    yield ""
    if restore is not None:
        yield from _restore(restore)
    yield "| service | resources | calls | refused |"
    yield "| -- | --: | --: | --: |"
    resources = Counter(each.service for each in model.resources.values())
    calls = Counter(each.service for each in model.calls)
    failed = Counter(each.service for each in model.calls if each.failed)
    for service in sorted(resources.keys() | calls.keys()):
        counts = f"{resources[service]} | {calls[service]} | {failed[service]}"
        yield f"| {markdown_cell(service) or 'not recognised'} | {counts} |"
    yield ""
    yield f"<details><summary>{counted(len(model.resources), 'resource')}</summary>"
    yield ""
    yield "| type | name | made by | data |"
    yield "| -- | -- | -- | -- |"
    for resource in sorted(model.resources.values(), key=sort_key)[:_ROWS_MAX]:
        data = data_text(resource.data) if resource.data is not None else ""
        cells = (resource.type, titled(resource), origin(model, resource), data)
        yield f"| {' | '.join(map(markdown_cell, cells))} |"
    if len(model.resources) > _ROWS_MAX:
        yield f"| … | {len(model.resources) - _ROWS_MAX} more | | |"
    yield ""
    yield "</details>"


def _restore(restore: Mapping[str, Any]) -> Iterator[str]:
    lost = [each for each in restore["findings"] if each["loss"]]
    # The number of problems may exceed the list of them.
    troubled = max(restore["diverged"] + restore["failed"] + restore["uncertain"], len(restore["problems"]))
    sign = "❌" if troubled or restore["lost"] or not restore["finished"] else "✅"
    said = f"{counted(restore['restored'], 'call')} restored, {troubled} without an equivalent outcome"
    if restore["lost"]:
        said += f", {counted(restore['lost'], 'read')} that say that something is lost"
    yield f"{sign} **Restore:** {said}, in {duration(restore['seconds'])}" + (
        "" if restore["finished"] else "; it did not come to its end"
    )
    yield ""
    rows = [*_rows(restore["problems"]), *(_row(each, "lost", each["message"], "", "", "") for each in lost)]
    if not rows:
        return
    yield "| call | | result | member | recorded | replayed |"
    yield "| --: | -- | -- | -- | -- | -- |"
    yield from rows[:_ROWS_MAX]
    if len(rows) > _ROWS_MAX:
        yield f"| … | {len(rows) - _ROWS_MAX} more rows | | | | |"
    yield ""


def _rows(problems: list[dict[str, Any]]) -> Iterator[str]:
    for each in problems:
        if not each["differences"]:
            text = "; ".join([each["reason"], *each["details"]])
            yield _row(each, each["result"], text, "", "", "")
        for diff in each["differences"]:
            yield _row(each, each["result"], "", diff["member"], diff["recorded"], diff["replayed"])


def _row(each: Mapping[str, Any], result: str, text: str, *values: str) -> str:
    said = f"{result}: {text}" if text else result
    cells = (str(each["seq"]), each["call"], said, *values)
    return f"| {' | '.join(markdown_cell(cell.replace(chr(10), ' ')) for cell in cells)} |"
