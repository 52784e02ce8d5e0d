"""A diagnosis as a tree with ticks and crosses, and as Markdown; from its JSON document (`doctor_document`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from replay_proxy.reports.aws_command import SECRET
from replay_proxy.reports.plain_text import plain
from replay_proxy.wording import counted, duration

TICK: Final = "✓"
CROSS: Final = "✗"
UNKNOWN: Final = "?"
_COMMANDS_MAX: Final = 12
_COMMAND_CHARACTERS_MAX: Final = 16_384
WHOLE_RESTORE: Final = "POST /_localstack/state/load?reset=1 empties the emulator, and restores everything anew"


def summary_line(document: Mapping[str, Any]) -> str:
    """Return the diagnosis in one line."""
    links, resources = document["links"], document["resources"]
    there = f"{resources['there']} of {counted(resources['checked'], 'resource')} there"
    wired = f"wired {links['held']} of {counted(links['checked'], 'link')}"
    findings = counted(len(document["findings"]), "finding") if document["findings"] else "nothing is wrong"
    return f"{there}, {wired}; {findings}"


def tree_lines(document: Mapping[str, Any], *, everything: bool = False) -> Iterator[str]:
    """Return the tree: each resource with its links under it, and what is wrong with what mends it.

    everything: also what is sound; else only resources with a finding or a failed link, and how many are sound.
    """
    by_resource: dict[str, list[Mapping[str, Any]]] = {}
    for finding in document["findings"]:
        by_resource.setdefault(finding["resource"], []).append(finding)
    sound = 0
    for check in document["tree"]:
        findings = by_resource.get(check["resource"], [])
        failed = bool(findings) or check["state"] == "absent" or any(link["holds"] is False for link in check["links"])
        if not failed and not everything:
            sound += check["state"] == "there"
            continue
        yield from _resource_lines(check, findings)
    if sound:
        yield f"{TICK} {counted(sound, 'sound resource')} not shown; --all shows them"
    for pending in document["pending"]:
        yield f"! {plain(pending['type'])} {plain(pending['name'], 160)}: {plain(pending['what'], 200)}"
    notes = document["notes"]
    if notes:
        yield f"{UNKNOWN} {counted(len(notes), 'difference')} that this emulator may make by itself"
        if everything:
            for note in notes:
                member = f" {plain(note['member'], 160)}" if note["member"] else ""
                yield f"    {plain(note['type'])} {plain(note['name'])}{member}: {_about(note)}"


def _resource_lines(check: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    mark = {"there": TICK, "absent": CROSS}.get(check["state"], UNKNOWN)
    if any(not finding["member"] for finding in findings):
        mark = CROSS
    yield f"{mark} {plain(check['type'])} {plain(check['name'], 160)}" + _why_unknown(check)
    for finding in findings:
        if not finding["member"]:
            yield from _finding_lines(finding, "    ")
    by_member = {finding["member"]: finding for finding in findings if finding["member"]}
    for link in check["links"]:
        mark = {True: TICK, False: CROSS, None: UNKNOWN}[link["holds"]]
        target = f"{plain(link['target_type'])} {plain(link['target_name'], 160)}"
        said = ", which is missing" if link["consequence"] else ""
        yield f"  {mark} {plain(link['member'], 160)} -> {target}{said}"
        if link["holds"] is False and link["member"] in by_member:
            yield from _finding_lines(by_member.pop(link["member"]), "      ")
    for finding in by_member.values():
        recorded = f": recorded {plain(finding['recorded'], 160)}" if finding["recorded"] else f" {finding['problem']}"
        yield f"  {CROSS} {plain(finding['member'], 160)}{recorded}"
        yield from _finding_lines(finding, "      ")


def _why_unknown(check: Mapping[str, Any]) -> str:
    return f" (not checked: {plain(check['answer'], 200)})" if check["state"] == "unknown" else ""


def _finding_lines(finding: Mapping[str, Any], indent: str) -> Iterator[str]:
    yield f"{indent}{_about(finding)}"
    if finding["call"]:
        yield f"{indent}recorded by call {finding['call']}"
    commands = finding["commands"]
    for command in commands[:_COMMANDS_MAX]:
        yield f"{indent}$ {plain(command, _COMMAND_CHARACTERS_MAX)}"
    if len(commands) > _COMMANDS_MAX:
        yield f"{indent}and {counted(len(commands) - _COMMANDS_MAX, 'more call')}; --json lists all"
    if any(SECRET in command for command in commands):
        yield f"{indent}{SECRET} stands for a value that is not shown; `replay-proxy doctor --repair` sends the recorded one"
    if not finding["mendable"] and not commands:
        yield f"{indent}--repair has no call for it; {WHOLE_RESTORE}"


def _about(finding: Mapping[str, Any]) -> str:
    answer = f" ({plain(finding['answer'], 300)})" if finding["answer"] else ""
    return f"{plain(finding['cause'], 500)}{answer}"


def doctor_markdown(document: Mapping[str, Any]) -> str:
    """Return the diagnosis as Markdown, for the summary of a CI job."""
    lines = ["## replay-proxy doctor", "", summary_line(document), ""]
    if document["findings"]:
        lines += ["| resource | what is wrong | likely cause | what mends it |", "| -- | -- | -- | -- |"]
        for finding in document["findings"]:
            member = f" `{_cell(finding['member'])}`" if finding["member"] else ""
            commands = "<br>".join(map(_code, finding["commands"][:3])) or "-"
            name = f"{_cell(finding['type'])} {_cell(finding['name'])}"
            lines.append(f"| {name} | {finding['problem']}{member} | {_cell(finding['cause'])} | {commands} |")
    return "\n".join(lines) + "\n"


def _code(command: str) -> str:
    """Return a command as code in a cell of a table, so that what is copied is the command."""
    text = plain(command, _COMMAND_CHARACTERS_MAX).replace("|", "\\|")
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    return f"{fence}{text}{fence}" if fence == "`" else f"{fence} {text} {fence}"


def _cell(text: str) -> str:
    return plain(text, 300).replace("|", "\\|").replace("`", "'").replace("<", "&lt;")


def smoke_lines(results: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Return what came of smoke tests, a line each."""
    for each in results:
        mark, said = (CROSS, f": {plain(each['failure'], 500)}") if each["failure"] else (TICK, "")
        yield f"{mark} {plain(each['name'], 200)}{said} ({duration(each['seconds'])})"
    passed = sum(not each["failure"] for each in results)
    yield f"{passed} of {counted(len(results), 'check')} passed"


def smoke_markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """Return what came of smoke tests as Markdown, for the summary of a CI job."""
    lines = ["## Smoke tests", "", "| check | passed | why not |", "| -- | -- | -- |"]
    lines += [
        f"| {_cell(each['name'])} | {'no' if each['failure'] else 'yes'} | {_cell(each['failure'])} |"
        for each in results
    ]
    return "\n".join(lines) + "\n"
