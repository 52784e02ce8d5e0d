"""Which read shows what a call has made, where the answer to the call was lost. Pure.

The models tell. A read is of use where it returns the very shape that the call returns, whole (`CreateFunction` and
`GetFunctionConfiguration`), in a member (`CreateTable` and `DescribeTable`) or in a list (`CreateVpc` and `DescribeVpcs`),
or where it has every member of the call's answer (`CreateQueue` and `GetQueueUrl`); and where the parameters that it
needs are among those of the call, under the same names.

That something is there does not say that this call made it, so what is found is taken for its work only where it is
equivalent to the recorded answer, and nothing that any other call is known to have made; in a list, only where that is
true of one element alone. That nothing is there says little: the emulator may not have come to it yet.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from replay_proxy.exchange import CallHead, Request
from replay_proxy.identifiers.learning.compare import compare_outcomes
from replay_proxy.identifiers.learning.learn import learn
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope
from replay_proxy.replay.execution.sending.repeatable import makes_something
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.models import models
from replay_proxy.wire.mutability.judge import Effect, is_data, judge

QUESTIONS_MAX = 3
"""Reads that are tried for one call."""


@dataclass(frozen=True, slots=True)
class Question:
    """A read, and where its answer shows what a call has made.

    shown: the member of its answer; empty for all of it. made: the member of the call's answer; empty for all of it.
    listed: what is shown is a list. listing: the made member is a list, too.
    """

    head: CallHead
    parameters: Mapping[str, Any]
    shown: str
    made: str
    listed: bool = False
    listing: bool = False

    def candidates(self, outcome: Outcome) -> Iterator[Outcome]:
        """Return what the call would have been answered, for each thing that the read shows."""
        found: Any = outcome.parsed.get(self.shown) if self.shown else outcome.parsed
        for each in found if self.listed and isinstance(found, list) else [found]:
            if isinstance(each, dict) and each:
                value = [each] if self.listing else each
                yield Outcome(200, {self.made: value} if self.made else each)

    def part_of(self, recorded: Outcome) -> Outcome:
        """Return that part of the recorded answer which the read can show."""
        if not self.made:
            return recorded
        return replace(recorded, parsed={self.made: recorded.parsed.get(self.made)})


def questions(head: CallHead, parameters: Mapping[str, Any], recorded: Outcome) -> list[Question]:
    """Return the reads that show what a call has made, those that name it first; empty where no read can tell."""
    if not makes_something(head) or is_data(head.service, head.operation) or not recorded.parsed:
        return []
    try:
        service = models.service_model(head.service)
        call = models.operation_model(head.service, head.operation)
    except LookupError:
        return []
    found = []
    for name in service.operation_names:
        if judge(head.service, name).effect is not Effect.READS:
            continue
        read = models.operation_model(head.service, name)
        asked = _parameters(read, call, parameters)
        question = None if asked is None else _question(replace(head, operation=name), asked, call, read, recorded)
        if question is not None and (question.listed or question.parameters):
            found.append(question)
    found.sort(key=lambda each: (each.listed, -len(each.parameters), each.head.operation))
    return found[:QUESTIONS_MAX]


def what_was_made(
    question: Question, outcome: Outcome, head: CallHead, request: Request, recorded: Outcome, table: AliasTable
) -> Outcome | None:
    """Return the one thing that the call can have made, among those that a read shows; None where not just one fits.

    outcome: of the read. head, request, recorded: of the call. table: what is known of other calls.
    """
    part = question.part_of(recorded)
    found = [each for each in question.candidates(outcome) if _fits(each, head, request, part, table)]
    return found[0] if len(found) == 1 else None


def _fits(candidate: Outcome, head: CallHead, request: Request, recorded: Outcome, table: AliasTable) -> bool:
    trial, scope = copy.deepcopy(table), Scope(head.account, head.region)
    lesson = learn(head, request, recorded, candidate, trial)
    if lesson.ambiguous or any(table.stands_for_itself(alias.emulator, scope) for alias in lesson.aliases):
        return False
    return compare_outcomes(head, recorded, candidate, trial).equivalent


def _parameters(read: Any, call: Any, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parameters of a read: the texts that the call gave under the same names; None where one is missing."""
    if read.input_shape is None or call.input_shape is None:
        return {} if read.input_shape is None else None
    named = {
        name: given[name]
        for name, shape in read.input_shape.members.items()
        if isinstance(given.get(name), str) and shape.type_name == "string" and name in call.input_shape.members
    }
    return named if named.keys() >= set(read.input_shape.required_members) else None


def _question(head: CallHead, parameters: dict[str, Any], call: Any, read: Any, recorded: Outcome) -> Question | None:
    made, shown = call.output_shape, read.output_shape
    if made is None or shown is None:
        return None
    for name, shape in {"": made, **made.members}.items():
        listing = shape.type_name == "list"
        if name and (name not in recorded.parsed or (listing and len(recorded.parsed[name]) != 1)):
            continue
        thing = shape.member if listing else shape
        if thing.type_name != "structure":
            continue
        for place, shape_shown in {"": shown, **shown.members}.items():
            listed = shape_shown.type_name == "list"
            if _structure(shape_shown) == thing.name and not (listed and not place):
                return Question(head, parameters, place, name, listed, listing)
    if parameters and recorded.parsed.keys() <= shown.members.keys():
        return Question(head, parameters, "", "")
    return None


def _structure(shape: Any) -> str:
    """Return the name of a structure, or of those in a list; empty for anything else."""
    thing = shape.member if shape.type_name == "list" else shape
    return str(thing.name) if thing.type_name == "structure" else ""
