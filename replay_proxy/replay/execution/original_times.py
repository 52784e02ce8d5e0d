"""When the things that a restore makes again were made at first (see `identifiers.rewriting.times`)."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.footprint.members.naming_members import naming_at_top
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.identifiers.rewriting.times.rewrite import Moment, Times
from replay_proxy.identifiers.rewriting.times.time_members import (
    original_in,
    seconds_of,
)
from replay_proxy.identifiers.rewriting.times.time_places import as_of_user
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.called_things import (
    ENDING,
    PARENTS_MAX,
    drawn_by_the_way,
    drawn_within,
    is_carried_out,
    named_by_the_way,
    names_only_within,
    parameters_of,
    parents_of,
    regions_in,
    shown_names,
    things_of_call,
    writes_parts,
)
from replay_proxy.replay.execution.item_writes import note_item_writes

_ROUNDED = 1.0
"""Seconds by which a time that is shown may differ from when it was."""
_MAKES_VERSION = re.compile(r"(?:Create|Publish|Register|Import)\w*Version")
"""A new version is a change of the thing that it is a version of."""


def note_times(
    times: Times, record: Record, head: CallHead, original: Request, answer: Answer, begun: float, ended: float
) -> None:
    """Note in `times` that a recorded call was made again between `begun` and `ended` (seconds since the epoch).

    original, answer: the recorded messages, with their bodies in memory.
    """
    if not record.kind.is_change or isinstance(answer.body, BlobRef):
        return
    try:
        names, mentioned, creates = things_of_call(head, original, answer)
        drawn = drawn_within(head, original, answer)
        inside = [*names_only_within(head, original, answer), *drawn] if creates else []
        called = shown_names(head, original, answer, names)
        is_known = names or mentioned or as_of_user(head.operation).startswith(ENDING)
        by_the_way = [] if is_known else named_by_the_way(head, original, answer)
        new = [] if is_known else drawn_by_the_way(head, original, answer)
    except MalformedMessage:
        return
    times.remember_called(head, names, called)
    names = [*names, *called, *times.called(head, names)]
    taken, took = seconds_of(record.time), record.duration_ms / 1000
    if head.service == "dynamodb":
        with suppress(MalformedMessage, KeyError, TypeError, AttributeError):  # of a client that sends something else
            write = Moment(taken + took, begun, ended, creates, guessed=True, operation=head.operation, took=took)
            note_item_writes(times, head, original, answer, write)
    asked = [value for _, value in naming_at_top(parameters_of(head, original))] if creates and not names else []
    # What has no name of its own shows that of its owner at most: the user of a log-in profile.
    of_part = creates and not names and (not mentioned or not inside) and all(each in asked for each in mentioned)
    if of_part:
        names = asked
    shown = original_in(answer, head, taken - _ROUNDED, taken + took + _ROUNDED)
    if not names and not mentioned:
        if as_of_user(head.operation).startswith(ENDING):
            asked = [value for _, value in naming_at_top(parameters_of(head, original))]
            times.remember_end(head, [*asked, *times.called(head, asked)])
            return
        at = Moment(taken + took, begun, ended, False, True, head.operation, took=took)
        owners = [owner for name in by_the_way for owner in times.owners_of(head, name)]
        times.remember_copies(head, by_the_way, regions_in(parameters_of(head, original)), at)
        others = [*owners, *times.called(head, by_the_way)]
        times.remember(head, [*by_the_way, *others], replace(at, aside=True))
        made = replace(at, original=shown or at.original, guessed=shown is None, creates=True)
        times.remember(head, (), made, mentioned=new)
        return
    if creates and mentioned and is_carried_out(head.service, head.operation):
        owners = [value for _, value in naming_at_top(parameters_of(head, original)) if value not in names]
        times.remember_owners(head, mentioned, owners)
    within = () if of_part or writes_parts(head.service, head.operation) else parents_of(head, original, names, creates)
    moment = Moment(shown or taken + took, begun, ended, creates, shown is None, head.operation, of_part, took, within)
    times.remember_copies(head, names, regions_in(parameters_of(head, original)), moment)
    times.remember(head, names, moment, mentioned, inside)
    if drawn and not creates:
        parents = tuple(dict.fromkeys(short_name(name) for name in names))[:PARENTS_MAX]
        times.remember(head, (), replace(moment, creates=True, within=parents), inside=drawn)
    if creates and _MAKES_VERSION.fullmatch(head.operation):
        whole = [value for _, value in naming_at_top(parameters_of(head, original))]
        times.remember(head, whole, replace(moment, creates=False, within=()))
