"""Identifiers that the emulator drew, and that mean one thing in ours and another one in the pod.

Two emulators may draw the same identifier. Then the pod's resource gets a fresh one, everywhere in the pod's calls, as the alias
machinery does for an emulator that draws what a client knows already: by the roles that members have, never in payload. The
fresh one follows from the old one, so that the same pod gets the same each time it is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from replay_proxy.errors import MalformedMessage
from replay_proxy.footprint.members.answer_identifiers import answer_texts
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.table import mint
from replay_proxy.identifiers.table.alias import AliasKind
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.tokens import index_word
from replay_proxy.journal.format.records import Record
from replay_proxy.pods.merge.made_along import made_along, owners
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.recorded_call import Call, call_of
from replay_proxy.resources.folding.call_facts import texts_in
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.codecs.answers import parse_answer

_SEPARATOR: Final = re.compile(r"[:/]")


def collisions(ours: Side, pod: Side, same: Collection[str] = ()) -> dict[str, str]:
    """Return the drawn identifiers of the pod under which ours has something else, each with a fresh one.

    same: those that mean the same in both.
    """
    mine = ours.resources()
    shared = [(mine[key], each) for key, each in pod.resources().items() if key in mine]
    suspects = [(our, its) for our, its in shared if our.made_by and its.made_by and not _is_same(ours, our, pod, its)]
    if not suspects:
        return {}
    by_call: dict[int, list[Resource]] = {}
    for _our, its in suspects:
        by_call.setdefault(its.made_by, []).append(its)
    # What a load of this pod gave before is no reason for another one now.
    all_ours = ours.model.resources.values()
    pods = {each.number: each.key.names[-1] for each in all_ours if _made_by_pod(ours, each, pod)}
    names = frozenset(pods.values())
    others = (each for each in all_ours if each.number not in pods and names.isdisjoint(owners(ours, each)))
    used = {each.key.names[-1] for each in others}
    found: dict[str, str] = {}

    def fresh(name: str) -> str:
        return mint.fresh(name, lambda text: text in used or text in found.values())

    for number, record in pod:
        for each in by_call.get(number, ()):
            name = each.key.names[-1]
            if name not in found and name not in same and _is_drawn(record, name, pod):
                found[name] = fresh(name)
    made_along(ours, pod, found, fresh)
    return found


class Renamed:
    """Records in which some identifiers have other names. accounts: such numbers of accounts."""

    def __init__(
        self, records: Iterable[Record], names: Mapping[str, str], accounts: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._records = records
        self._asked, self._answered = AliasTable(), AliasTable()
        for pairs, kind in ((names, None), (accounts, AliasKind.ACCOUNT)):
            for old, new in pairs.items():
                self._asked.add(old, new, kind=kind)
                self._answered.add(new, old, kind=kind)

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            request = request_to_emulator(record.request, record.head, self._asked)
            answer = answer_to_client(record.answer, record.head, record.request, self._answered)
            changed = request is not record.request or answer is not record.answer
            yield replace(record, request=request, answer=answer) if changed else record


def _is_drawn(record: Record, name: str, pod: Side) -> bool:
    """Return whether a creation did not say the name: then the emulator drew it."""
    try:
        call = call_of(record, pod.load)
    except MalformedMessage:
        return False
    if call is None or not name.isascii() or any(name in text for text in texts_in(call.params, 16)):
        return False
    return not _is_counted(call, name)


def _is_counted(call: Call, name: str) -> bool:
    """Return whether a name is a number that the emulator counts (a version), or what the client named with such a number.

    Each emulator counts from the beginning, so that the same number means the same on both sides; and a number stands in
    too many places to be translated.
    """
    sent = {*texts_in(call.params, 16)}
    counted = answer_texts(call.head, parse_answer(call.head, call.answer, call.request)).counted
    if all(part in counted or part in sent for part in _SEPARATOR.split(name)):
        return True
    try:
        index_word(name.encode())
    except ValueError:  # nothing that could be found in a message
        return True
    return False


def _is_same(ours: Side, our: Resource, pod: Side, its: Resource) -> bool:
    moment = ours.moment(our.made_by)
    return moment == pod.moment(its.made_by) and ours.number_at(moment) > 0 and pod.number_at(moment) > 0


def _made_by_pod(ours: Side, our: Resource, pod: Side) -> bool:
    return bool(our.made_by) and pod.number_at(ours.moment(our.made_by)) > 0
