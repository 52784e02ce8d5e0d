"""Resources that were created and deleted, with everything that only hung on them.

A resource lives from the call that makes it to the call that ends it (`kinds`). Both can be left out, with all calls in
between that concern nothing else. What else there is decides: every call that *mentions* one of its identifiers, by
name, in an ARN, in a policy, and that stays, needs the resource, at least for as long as it lived; then everything
stays. So each creation is proposed to go "unless one of the calls that mention it stays", and each call that hangs on
it "unless the creation stays"; `decisions` does the rest.

A call hangs on a resource when it names it by the members that its delete names it by, and its verb leaves nothing
behind elsewhere (`PutRolePolicy`, `TagQueue`). Where it names other resources, too, these must go as well, or it must be
a call that was reviewed (`AttachRolePolicy` ends with the role). Creations hang on nothing but what was reviewed: a
function does not end with its role. Calls that write data hang on the one thing that holds it.

Identifiers that an emulator made up for something of its own (the default security group of a network) are known from
the first answer that showed them, often a witness. A call that names such a one leans on that record; so does, in the end,
everything on the creation that made it appear.

When a name is used again after a delete, it means the new resource; names are looked up among those that live.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from replay_proxy.exchange import Request
from replay_proxy.identifiers.learn import identifiers_in
from replay_proxy.identifiers.names import short
from replay_proxy.journal.records import Record
from replay_proxy.replay.compaction import kinds, mentions
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.replay.compaction.decisions import Decisions
from replay_proxy.replay.compaction.items import tables_of
from replay_proxy.wire.answers import Outcome
from replay_proxy.wire.mutability import is_data

_Key = tuple[str, str, str, tuple[str, ...]]
"""Scope, service, kind, name."""

_UNKNOWN = -1
_HUNG = "it only concerned what was deleted later"


@dataclass(slots=True, eq=False)
class _Resource:
    """made_by, ended_by: calls. parents: creations of what it is a part of. doubt: nothing of it may be dropped."""

    made_by: int
    keys: list[_Key]
    marks: tuple[str, ...]
    arns: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    ended_by: int = 0
    doubt: bool = False


@dataclass(slots=True)
class _Mention:
    """call: that mentions something. hangs: it can go with it, unless one of `others` stays."""

    call: int
    hangs: bool
    others: tuple[int, ...] = ()


@dataclass(slots=True)
class Resources:
    """The rule for resources. Memory: names of resources, and one number for each call that mentions one."""

    decisions: Decisions
    _live: dict[_Key, _Resource] = field(default_factory=dict)
    _ended: dict[_Key, _Resource] = field(default_factory=dict)
    _made: dict[int, list[_Resource]] = field(default_factory=lambda: defaultdict(list))
    _named: dict[str, dict[int, None]] = field(default_factory=dict)
    _shown: dict[str, int] = field(default_factory=dict)
    _arns: dict[str, int] = field(default_factory=dict)
    _mentions: dict[int, list[_Mention]] = field(default_factory=lambda: defaultdict(list))
    _inside: dict[int, Any] = field(default_factory=lambda: defaultdict(lambda: array("Q")))
    _seen: dict[int, set[int]] = field(default_factory=dict)
    _ends: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def see(self, call: Call) -> None:
        """Take in a call, in order."""
        if not call.witness and is_data(call.service, call.operation) and self._see_data(call):
            return
        direct = self._direct(call)
        ending = {} if call.witness else self._ending(call)
        naming = {member for members in direct.values() for member in members}
        if not call.witness:
            naming |= self._making(call)
        owners = {resource.made_by for resource in (*direct, *ending)} | self._scan(call, naming)
        self._hang(call, direct, owners, {resource.made_by for resource in ending})
        for resource in ending:
            self._end(call, resource)
        if not call.witness:
            self._make(call, direct, owners)
        self._show(call)

    def opaque(self, record: Record) -> None:
        """A call that cannot be understood mentions whatever its bytes mention, and may have changed any of it."""
        text = _text(record.request)
        if text is None:
            for resource in self._live.values():
                resource.doubt = True
            return
        for owner in self._owners(mentions.runs(text)):
            self._mentions[owner].append(_Mention(record.seq, hangs=False))

    def finish(self) -> None:
        """Make the proposals."""
        gone = {
            made_by: min(resource.ended_by for resource in resources)
            for made_by, resources in self._made.items()
            if all(resource.ended_by and not resource.doubt for resource in resources)
        }
        for made_by, ended_by in gone.items():
            self._propose(made_by, "what it made was deleted", ended_by, ())
            for call in self._inside.get(made_by, ()):
                self.decisions.propose(call, _HUNG, ended_by, (-made_by,))
        for owner, found in self._mentions.items():
            for mention in found:
                if mention.hangs:
                    self._propose(mention.call, _HUNG, gone.get(owner, owner), (owner, *mention.others))
        for call, made in self._ends.items():
            if made <= gone.keys():
                self._propose(call, "what it deletes is not made again", min(made), made)

    def partial(self, dropped: Container[int]) -> frozenset[int]:
        """The witnesses that showed something of what is dropped: a replay of them will not show it."""
        return frozenset(seq for seq, owners in self._seen.items() if any(owner in dropped for owner in owners))

    def _propose(self, call: int, reason: str, because_of: int, unless: Iterable[int]) -> None:
        """The call can go unless what it hangs on stays, or a call stays that needs what it made or showed.

        "What call n made is gone" is a thing of its own, known as -n: another rule may drop the call itself for a
        reason that leaves in place what it made.
        """
        self.decisions.propose(-call, reason, because_of, (*(-owner for owner in unless), *self._dependents(call)))
        self.decisions.propose(call, reason, because_of, (-call,))

    def _dependents(self, owner: int) -> Iterator[int]:
        """The calls that need what a call made or showed."""
        for mention in self._mentions.get(owner, ()):
            yield mention.call
        yield from self._inside.get(owner, ())
        for resource in self._made.get(owner, ()):
            if resource.ended_by:
                yield resource.ended_by

    # What a call names, makes and ends.

    def _see_data(self, call: Call) -> bool:
        """A call that writes data into things that are known; False where it is not known into which."""
        for entry in kinds.table()["data"]:
            if entry["service"] == call.service:
                break
        else:
            return False
        named = [(member, call.params[member]) for member in entry["members"] if member in call.params]
        if call.service == "dynamodb":
            named += [("TableName", table) for table in tables_of(call)]
        holders = {holder.made_by for member, value in named if (holder := self._holder(call, member, value))}
        if not holders or len(holders) != len(named):
            return False
        if len(holders) == 1:
            self._inside[next(iter(holders))].append(call.seq)
        else:
            for made_by in holders:
                self._mentions[made_by].append(_Mention(call.seq, hangs=True, others=tuple(holders - {made_by})))
        part = self._part(call, entry.get("part"))
        if part is not None:
            self._mentions[part.made_by].append(_Mention(call.seq, hangs=True))
        texts = [call.access_key, *(str(call.params.get(member, "")) for member in entry["references"])]
        for owner in self._owners(run for text in texts for run in mentions.runs(text)) - holders:
            self._mentions[owner].append(_Mention(call.seq, hangs=False))
        return True

    def _holder(self, call: Call, member: str, value: Any) -> _Resource | None:
        for kind in kinds.kinds_of(call.service):
            by_arn = member.endswith("ARN") and kind.named == (f"{member[:-3]}Name",)
            if isinstance(value, str) and (by_arn or kind.named == (member,)):
                return self._live.get((_scope(call), kind.service, kind.name, (short(value),)))
        return None

    def _part(self, call: Call, name: str | None) -> _Resource | None:
        """The part of a holder that data lies in, such as the stream of a log group, which may end alone."""
        for kind in kinds.kinds_of(call.service) if name else ():
            if kind.name == name:
                for names in kinds.names_in(kind, call.params):
                    return self._live.get((_scope(call), kind.service, kind.name, names))
        return None

    def _direct(self, call: Call) -> dict[_Resource, set[str]]:
        """The resources that a call names by the members that their delete names them by, with these members."""
        found: dict[_Resource, set[str]] = {}
        for kind in kinds.nameable(call.service, call.operation):
            for name in kinds.names_in(kind, call.params):
                resource = self._live.get((_scope(call), kind.service, kind.name, name))
                if resource is not None:
                    found.setdefault(resource, set()).update(kind.named)
        return found

    def _ending(self, call: Call) -> list[_Resource]:
        found: dict[_Resource, None] = {}
        harmless = kinds.table()["harmless"]["members"]
        for kind in kinds.deleted_by(call.service, call.operation):
            if not all(call.params.get(member) for member in kind.only_with):
                continue
            plain = all(member in kind.named or member in harmless for member in call.params)
            for name in kinds.names_in(kind, call.params):
                key = (_scope(call), kind.service, kind.name, name)
                resource = self._live.get(key) or self._ended.get(key)
                if resource is None:
                    self._ends[call.seq].add(_UNKNOWN)
                elif plain:
                    found[resource] = None
                else:
                    resource.doubt = True
        return list(found)

    def _making(self, call: Call) -> set[str]:
        """The members by which a creation names what it makes."""
        return {
            member
            for kind in kinds.created_by(call.service, call.operation)
            for member in (*kind.named, *kinds.own_names(kind))
        }

    def _make(self, call: Call, direct: Iterable[_Resource], owners: set[int]) -> None:
        made = [
            ((_scope(call), kind.service, kind.name, name), number if kind.found_at else 0)
            for kind in kinds.created_by(call.service, call.operation)
            for number, name in enumerate(kinds.names_made(kind, call.params, call.result))
        ]
        already = {self._live[key].made_by for key, _ in made if key in self._live}
        for owner in already:
            # Made again: the emulator allows it where nothing changes, and it goes with the rest.
            others = (owners | already) - {owner, call.seq}
            self._mentions[owner].append(_Mention(call.seq, hangs=True, others=tuple(others)))
        if already:
            return
        resources: dict[tuple[str, int], _Resource] = {}
        for key, number in made:
            # Several names of one resource, but for kinds of which a call makes several.
            resource = resources.get((key[2], number))
            if resource is None:
                parents = tuple(each.made_by for each in direct)
                resource = resources[key[2], number] = _Resource(
                    call.seq, [], (), parents=parents, doubt=_outlived(call)
                )
                self._made[call.seq].append(resource)
            resource.keys.append(key)
            resource.marks = (*resource.marks, mentions.mark(key[3][-1]))
            self._live[key] = resource
            self._ended.pop(key, None)
            self._named.setdefault(resource.marks[-1], {})[call.seq] = None
        for resource in resources.values():
            names = {key[3][-1] for key in resource.keys}
            resource.arns = tuple(
                text for text in mentions.strings(call.result) if text.startswith("arn:") and short(text) in names
            )
            self._arns.update(dict.fromkeys(resource.arns, call.seq))

    def _end(self, call: Call, resource: _Resource) -> None:
        self._ends[call.seq].add(resource.made_by)
        if resource.ended_by:
            # Deleted once more: the emulator allows it.
            self._mentions[resource.made_by].append(_Mention(call.seq, hangs=False))
            return
        resource.ended_by = call.seq
        for each in resource.keys:
            if self._live.get(each) is resource:
                del self._live[each]
                self._ended[each] = resource
        for arn in resource.arns:
            self._arns.pop(arn, None)
        for run in resource.marks:
            holders = self._named.get(run, {})
            holders.pop(resource.made_by, None)

    # What a call mentions.

    def _hang(self, call: Call, direct: Mapping[_Resource, set[str]], owners: set[int], ending: set[int]) -> None:
        reviewed = kinds.owned_by(call.service, call.operation)
        owned = {resource.made_by for resource in direct if self._is_named(call, resource, reviewed)}
        parents = {resource.made_by: set(resource.parents) for resource in direct}
        alone = call.witness or (
            kinds.only_concerns_what_it_names(call.service, call.operation)
            and not self._names_strangers(call, direct, owners)
        )
        anchored = alone and (call.witness or self._names_only(call, owners))
        for owner in owners - ending - {call.seq}:
            if owner in owned:
                mention = _Mention(call.seq, hangs=True)
            elif alone and (owner in parents or anchored):
                others = owners - {owner, call.seq} - parents.get(owner, set())
                mention = _Mention(call.seq, hangs=True, others=tuple(others))
            else:
                mention = _Mention(call.seq, hangs=False)
            self._mentions[owner].append(mention)

    def _is_named(self, call: Call, resource: _Resource, members: Iterable[str]) -> bool:
        values = {short(call.params[member]) for member in members if isinstance(call.params.get(member), str)}
        return any(key[3] == (value,) for key in resource.keys for value in values)

    def _names_only(self, call: Call, owners: set[int]) -> bool:
        """Is everything that the call names at its top something whose origin is known for sure: by ARN or made-up id?"""
        values = mentions.naming(call.params)
        return bool(values) and all(self._is_known(value, owners) for _, value in values)

    def _is_known(self, value: str, owners: set[int]) -> bool:
        if self._arns.get(value) in owners:
            return True
        return any(self._origin(run) in owners for run in mentions.generated(value))

    def _origin(self, run: str) -> int:
        """The call that showed or made an identifier of an emulator's; 0 where it is not known."""
        if run in self._shown:
            return self._shown[run]
        makers = self._named.get(run, {})
        return next(iter(makers)) if len(makers) == 1 else 0

    def _names_strangers(self, call: Call, direct: Mapping[_Resource, set[str]], owners: set[int]) -> bool:
        """Does it refer, by id or ARN, to something whose origin is not known? It may be affected, too."""
        known = {part for resource in direct for key in resource.keys for part in key[3]}
        return any(
            mentions.REFERRING.search(member) and short(value) not in known and not self._is_known(value, owners)
            for member, value in mentions.naming(call.params)
        )

    def _scan(self, call: Call, naming: set[str]) -> set[int]:
        """The calls that made or showed what the parameters mention, but for the members `naming`."""
        rest = {
            member: value for member, value in call.params.items() if not (member in naming and isinstance(value, str))
        }
        found: set[int] = set()
        for text in mentions.strings(rest):
            found |= self._owners(mentions.runs(text))
        return found | self._owners([call.access_key])

    def _owners(self, found: Iterable[str]) -> set[int]:
        owners: set[int] = set()
        for run in found:
            owners.update(self._named.get(run, ()))
            shown = self._shown.get(run)
            if shown is not None:
                owners.add(shown)
        return owners

    def _show(self, call: Call) -> None:
        """Remember which identifiers this answer showed first."""
        sent = {run for text in mentions.strings(call.params) for run in mentions.runs(text)}
        found = set(self._identifiers(call))
        for run in found - sent:
            if not self._named.get(run):
                self._shown.setdefault(run, call.seq)
        if call.witness:
            self._seen[call.seq] = self._owners(found | self._names_shown(call)) - {call.seq}

    def _names_shown(self, call: Call) -> set[str]:
        return {run for text in mentions.strings(call.result) for run in mentions.runs(text) if run in self._named}

    def _identifiers(self, call: Call) -> Iterator[str]:
        outcome = Outcome(call.answer.status, call.result)
        for text in identifiers_in(call.head, outcome):
            yield from mentions.generated(text)


def _scope(call: Call) -> str:
    return call.head.account if kinds.is_global(call.service) else f"{call.head.account}/{call.head.region}"


def _outlived(call: Call) -> bool:
    """Does the creation say that something of it is to outlive it?"""
    made = kinds.created_by(call.service, call.operation)
    return any(member in call.params for kind in made for member in kind.unless)


def _text(request: Request) -> str | None:
    if not isinstance(request.body, bytes):
        return None
    return request.target + "\n" + request.body.decode("latin-1")
