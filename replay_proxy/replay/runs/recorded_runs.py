"""What a recording knows of runs: executions, jobs, tasks that a restore does not start again.

Taken in are the calls that started them, and reads that showed them. Everything is kept as clients know it, in JSON, as it
stood in the answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.names.resource_names import last_part
from replay_proxy.replay.runs.families import Family, families, filled, role_of, values_at
from replay_proxy.replay.runs.list_defaults import not_applied
from replay_proxy.wire.codecs.parameters import parse_parameters

VIEW_BYTES_MAX = 16 << 20
"""Of all that is kept of runs. What is beyond it is not taken in."""

NOTE = "run"
"""The note of a read that was made to keep what a run was: the run's identifier."""

Scope = tuple[str, str, str]
"""Service, account, region."""


@dataclass(slots=True)
class Run:
    """One run.

    started: by what it was started, as far as that is known. view: as the latest read showed it. details: what further reads
    showed, by operation and, where there are several, by what they were about. is_seen: a read has shown it.
    """

    family: Family
    id: str
    started: Mapping[str, Any] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)
    details: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    is_seen: bool = False

    @property
    def has_ended(self) -> bool:
        """Whether it is known to have ended."""
        return self.is_seen and self.family.has_ended(self.view)


class RecordedRuns:
    """The runs of one recording, the latest last. keeps_details: also what reads showed beside a run itself."""

    def __init__(self, *, keeps_details: bool = True) -> None:
        self._keeps_details = keeps_details
        self._runs: dict[tuple[Scope, str], Run] = {}
        self._services: set[str] = set()
        self._not_applied: set[tuple[str, str, str]] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._runs)

    def may_answer(self, head: CallHead | None) -> bool:
        """Return whether an answer to this call may have to be made up from what is known. Quick."""
        if head is None or head.service not in self._services:
            return False
        role = role_of(head.service, head.operation)
        return role is not None and role[1] == "read"

    def find(self, head: CallHead, name: str) -> Run | None:
        """Return a run of the caller's account and region, by its identifier or the last part of that."""
        scope = scope_of(head)
        run = self._runs.get((scope, name))
        if run is None:
            runs = (each for (where, _), each in self._runs.items() if where == scope)
            run = next((each for each in runs if each.id.startswith("arn:") and last_part(each.id) == name), None)
        return run

    def at(self, key: tuple[Scope, str]) -> Run | None:
        """Return the run with this scope and identifier."""
        return self._runs.get(key)

    def of_family(self, head: CallHead, family: Family) -> Iterator[Run]:
        """Yield the runs of a kind in the caller's account and region, the latest first."""
        scope = scope_of(head)
        for where, _ in reversed(self._runs):
            if where == scope and (run := self._runs[where, _]).family is family:
                yield run

    def defaults_of(self, head: CallHead, read: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults of a list's parameters, but for those that the recorded emulator did not apply."""
        place = head.service, head.operation
        return {
            name: value for name, value in read.get("defaults", {}).items() if (*place, name) not in self._not_applied
        }

    def lists_all(self, head: CallHead, read: Mapping[str, Any]) -> bool:
        """Return whether the recorded emulator listed the runs of all things where a call did not say of which."""
        return (head.service, head.operation, read["of"]) in self._not_applied

    def take(self, head: CallHead, request: Request, answer: Answer) -> None:
        """Take in a recorded call: the start of a run, or a read that showed some. Others are left out."""
        role = role_of(head.service, head.operation)
        if role is None or role[1] not in ("start", "read"):
            return
        if self._keeps_details and self._bytes > VIEW_BYTES_MAX:
            return
        shown, params = json_of(answer), params_of(head, request)
        if shown is None or params is None:
            return
        self._bytes += len(answer.body) if isinstance(answer.body, bytes) else 0
        if role[1] == "start":
            self._take_start(role[0], head, params, shown)
        else:
            self._take_read(head, params, shown)

    def _take_start(self, family: Family, head: CallHead, params: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
        ids = family.started(head.operation, params, shown)
        views = family.views_shown(head.operation, shown)
        for place, name in enumerate(ids):
            run = self._run(family, head, name)
            run.started = params
            if run.is_seen:
                continue
            if len(views) == len(ids) and isinstance(views[place], dict):
                run.view = dict(views[place])
            else:
                run.view = {**params, **shown, **filled(family.synthesis, name, params)}

    def _take_read(self, head: CallHead, params: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
        for family in families():
            if family.service != head.service:
                continue
            if head.operation in family.lists:
                self._take_list(family.lists[head.operation], head, params, shown)
            describe = family.describe
            if head.operation == describe["operation"]:
                for view in values_at(shown, describe["view"]):
                    name = params.get(describe.get("by", "")) or identifier_in(family, view)
                    if isinstance(view, dict) and isinstance(name, str):
                        run = self._run(family, head, name)
                        run.view, run.is_seen = {**view}, True
            for detail in family.details if self._keeps_details else ():
                name = params.get(detail["by"])
                if head.operation != detail["operation"] or not isinstance(name, str):
                    continue
                key = (head.operation, str(params.get(detail.get("each_as", ""), "")))
                run = self._run(family, head, name)
                items, before = detail.get("items"), run.details.get(key)
                if items and before is not None and params.get(detail.get("token", "")):
                    before[items] = [*before.get(items, ()), *shown.get(items, ())]
                else:
                    run.details[key] = {**shown}

    def _take_list(
        self, read: Mapping[str, Any], head: CallHead, params: Mapping[str, Any], shown: Mapping[str, Any]
    ) -> None:
        """Note without which parameters more is listed, as the runs tell that a list has shown."""
        for name in listed_in(read, shown) if "defaults" in read or "of" in read else ():
            if (run := self._runs.get((scope_of(head), name))) is not None:
                for parameter in not_applied(read, params, {**run.started, **run.view}):
                    self._not_applied.add((head.service, head.operation, parameter))

    def _run(self, family: Family, head: CallHead, name: str) -> Run:
        key = (scope_of(head), name)
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = Run(family, name)
            self._services.add(head.service)
        return run


def scope_of(head: CallHead) -> Scope:
    """Return where a call looks for runs."""
    return head.service, head.account, head.region


def identifier_in(family: Family, view: Any) -> str | None:
    """Return the identifier of a run that is shown by a read of several."""
    for read in (*family.ids.values(), *family.lists.values()):
        name = read.get("view_id") or read.get("id")
        if name and isinstance(view, Mapping) and isinstance(view.get(name), str):
            return str(view[name])
    return None


def listed_in(read: Mapping[str, Any], shown: Mapping[str, Any]) -> list[str]:
    """Return the identifiers of the runs that a list shows. read: as the file has it."""
    items = shown.get(read["items"]) or ()
    return [str(each if "id" not in read else each.get(read["id"])) for each in items]


def json_of(message: Answer) -> dict[str, Any] | None:
    """Return the JSON object that an answer is; None where it is none."""
    if not isinstance(message.body, bytes) or message.headers.get("content-encoding"):
        return None
    try:
        content = orjson.loads(message.body or b"{}")
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def params_of(head: CallHead, request: Request) -> dict[str, Any] | None:
    """Return the parameters of a call; None where they cannot be read."""
    try:
        return parse_parameters(head, request)
    except MalformedMessage:
        return None
