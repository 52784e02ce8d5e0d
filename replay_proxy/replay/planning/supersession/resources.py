"""Resources that were created and deleted, with every call that concerned nothing else.

A resource lives from the call that makes it to the call that ends it (`footprint.resource_kinds`). Both are superseded, with all
calls in between that concern nothing else. But every call that *mentions* one of its identifiers, by name, in an ARN, in a
policy, and that stays, needs the resource, at least for as long as it lived; then everything stays. So each creation is proposed
to go "unless one of the calls that mention it stays", and each call that belongs to it "unless the creation stays". `decisions`
does the rest.

A call *belongs to* a resource when it names it by the members by which its delete names it, and its verb leaves nothing behind
elsewhere (`PutRolePolicy`, `TagQueue`). Where it names other resources, too, these must go as well, or it must be a call that was
reviewed (`AttachRolePolicy` ends with the role). Creations belong to nothing but what was reviewed: a function does not end with
its role. Calls that write data belong to the one resource that holds the data.

What a call mentions is told by values, whatever they look like (`replay_proxy.footprint`): a known name, id or ARN that is a
parameter or stands in one, unless the parameter is payload.

Identifiers that an emulator made up for something of its own (the default security group of a network) are known from
the first answer that showed them, often a witness. A call that names such a one leans on that record; so does, in the end,
everything on the creation that made it appear.

When a name is used again after a delete, it means the new resource: names are looked up among the resources that live.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from replay_proxy.exchange import Request
from replay_proxy.footprint import data_parts, resource_kinds
from replay_proxy.footprint.known_resources import names_of
from replay_proxy.footprint.members.answer_identifiers import all_texts, answer_texts
from replay_proxy.footprint.members.naming_members import naming_at_top, refers_by_identifier
from replay_proxy.footprint.names.name_index import NameIndex
from replay_proxy.footprint.names.places import Places
from replay_proxy.footprint.names.resource_names import NameInArn, names_in_identifier, own_name, short_name
from replay_proxy.footprint.parameter_texts import parameter_texts
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.planning.supersession import reviewed
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.planning.supersession.items import tables_of
from replay_proxy.replay.recorded_call import Call
from replay_proxy.wire.codecs.answers import Outcome

_Key = tuple[str, str, str, tuple[str, ...]]
"""Scope, service, kind, name."""

_Whole = tuple[str, str, tuple[str, ...], tuple[str, ...]]
"""Scope, service, the members by which a delete names it, and the names in them: what parts of it are named by, too."""

_UNKNOWN = -1
_BELONGED = "it only concerned what was deleted later"


@dataclass(slots=True, eq=False)
class _Resource:
    """A resource. made_by, ended_by: calls; 0 while it lives. parents: the creations of what it is a part of.

    names: as they are found in texts. doubt: nothing of it may be superseded.
    """

    made_by: int
    keys: list[_Key]
    names: tuple[str, ...]
    arns: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    ended_by: int = 0
    doubt: bool = False


@dataclass(slots=True)
class _Mention:
    """A call that mentions a resource. belongs: it can go with the resource, unless one of `others` stays."""

    call: int
    belongs: bool
    others: tuple[int, ...] = ()


@dataclass(slots=True)
class ResourcesRule:
    """The rule for resources. Memory: names of resources, and one number for each call that mentions one."""

    decisions: SupersessionDecisions
    _live: dict[_Key, _Resource] = field(default_factory=dict)
    _ended: dict[_Key, _Resource] = field(default_factory=dict)
    _parts: dict[_Whole, list[_Resource]] = field(default_factory=lambda: defaultdict(list))
    _made: dict[int, list[_Resource]] = field(default_factory=lambda: defaultdict(list))
    _names: NameIndex[int] = field(default_factory=NameIndex)
    _drawn: set[str] = field(default_factory=set)
    _places: Places = field(default_factory=Places)
    _shown: dict[str, int] = field(default_factory=dict)
    _arns: dict[str, int] = field(default_factory=dict)
    _mentions: dict[int, list[_Mention]] = field(default_factory=lambda: defaultdict(list))
    _inside: dict[int, Any] = field(default_factory=lambda: defaultdict(lambda: array("Q")))
    _seen: dict[int, set[int]] = field(default_factory=dict)
    _ends: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))

    def see(self, call: Call) -> None:
        """Note a call; calls are shown in order."""
        alone = not call.witness and data_parts.writes_parts_alone(call.service, call.operation, call.params)
        if alone and self._see_data(call):
            return
        direct = self._direct(call)
        ending = {} if call.witness else self._ending(call)
        naming = {member for members in direct.values() for member in members}
        if not call.witness:
            naming |= self._making(call)
        owners = {resource.made_by for resource in (*direct, *ending)} | self._scan(call, naming)
        self._note_mentions(call, direct, owners, {resource.made_by for resource in ending})
        for resource in ending:
            self._end(call, resource)
        if not call.witness:
            self._make(call, direct, owners)
        self._show(call)

    def see_opaque(self, record: Record) -> None:
        """Note a call that cannot be understood. It mentions whatever its bytes mention, and may have changed any of it."""
        text = _text(record.request)
        if text is None:
            for resource in self._live.values():
                resource.doubt = True
            return
        for owner in self._owners([text]):
            self._mentions[owner].append(_Mention(record.seq, belongs=False))

    def finish(self) -> None:
        """Make the proposals, after all calls were shown."""
        gone = {
            made_by: min(resource.ended_by for resource in resources)
            for made_by, resources in self._made.items()
            if all(resource.ended_by and not resource.doubt for resource in resources)
        }
        for made_by, ended_by in gone.items():
            self._propose(made_by, "what it made was deleted", ended_by, ())
            for call in self._inside.get(made_by, ()):
                self.decisions.supersede_unless(call, _BELONGED, ended_by, (-made_by,))
        for owner, found in self._mentions.items():
            for mention in found:
                if mention.belongs:
                    self._propose(mention.call, _BELONGED, gone.get(owner, owner), (owner, *mention.others))
        for call, made in self._ends.items():
            if made <= gone.keys():
                self._propose(call, "what it deletes is not made again", min(made), made)

    def partial(self, superseded: Container[int]) -> frozenset[int]:
        """Return the witnesses that showed something of what is superseded: a replay of them will not show it."""
        return frozenset(seq for seq, owners in self._seen.items() if any(owner in superseded for owner in owners))

    def _propose(self, call: int, reason: str, because_of: int, unless: Iterable[int]) -> None:
        """Propose that a call goes, unless what it belongs to stays, or a call stays that needs what it made or showed.

        "What call n made is gone" is a proposal of its own, under the number -n: another rule may supersede the call itself for
        a reason that leaves in place what the call made.
        """
        self.decisions.supersede_unless(
            -call, reason, because_of, (*(-owner for owner in unless), *self._dependents(call))
        )
        self.decisions.supersede_unless(call, reason, because_of, (-call,))

    def _dependents(self, owner: int) -> Iterator[int]:
        """Return the calls that need what a call made or showed."""
        for mention in self._mentions.get(owner, ()):
            yield mention.call
        yield from self._inside.get(owner, ())
        for resource in self._made.get(owner, ()):
            if resource.ended_by:
                yield resource.ended_by

    # What a call names, makes and ends.

    def _see_data(self, call: Call) -> bool:
        """Note a call that writes data; return False where it is not known into which resources."""
        for entry in resource_kinds.table()["data"]:
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
                self._mentions[made_by].append(_Mention(call.seq, belongs=True, others=tuple(holders - {made_by})))
        part = self._part(call, entry.get("part"))
        if part is not None:
            self._mentions[part.made_by].append(_Mention(call.seq, belongs=True))
        rest = data_parts.referring_params(call.service, call.params)
        texts = [call.access_key, *(each.text for each in parameter_texts(call.head, rest))]
        for owner in self._owners(texts) - holders:
            self._mentions[owner].append(_Mention(call.seq, belongs=False))
        return True

    def _holder(self, call: Call, member: str, value: Any) -> _Resource | None:
        for kind in resource_kinds.kinds_of(call.service):
            by_arn = member.endswith("ARN") and kind.named == (f"{member[:-3]}Name",)
            if isinstance(value, str) and (by_arn or kind.named == (member,)):
                return self._alive((_scope(call), kind.service, kind.name, (own_name(value),)))
        return None

    def _alive(self, key: _Key) -> _Resource | None:
        """Return the resource that a key means: an ARN may leave out the slash with which a name begins."""
        scope, service, kind, names = key
        own = names[-1]
        keys = [(*names[:-1], each) for each in own.readings()[:2]] if isinstance(own, NameInArn) else [names]
        return next((found for each in keys if (found := self._live.get((scope, service, kind, each)))), None)

    def _part(self, call: Call, name: str | None) -> _Resource | None:
        """Return the part of a holder in which data lies, such as the stream of a log group, which may end alone."""
        for kind in resource_kinds.kinds_of(call.service) if name else ():
            if kind.name == name:
                for names in resource_kinds.names_in(kind, call.params):
                    return self._alive((_scope(call), kind.service, kind.name, names))
        return None

    def _direct(self, call: Call) -> dict[_Resource, set[str]]:
        """Return the resources that a call names by the members by which their delete names them, with these members."""
        found: dict[_Resource, set[str]] = {}
        for kind in resource_kinds.nameable(call.service, call.operation):
            for name in resource_kinds.names_in(kind, call.params):
                resource = self._alive((_scope(call), kind.service, kind.name, name))
                if resource is not None:
                    found.setdefault(resource, set()).update(kind.named)
        return found

    def _ending(self, call: Call) -> list[_Resource]:
        found: dict[_Resource, None] = {}
        harmless = reviewed.table()["harmless"]["members"]
        for kind in resource_kinds.deleted_by(call.service, call.operation):
            if not all(call.params.get(member) for member in kind.only_with):
                continue
            plain = all(member in kind.named or member in harmless for member in call.params)
            for name in resource_kinds.names_in(kind, call.params):
                key = (_scope(call), kind.service, kind.name, name)
                resource = self._alive(key) or self._ended.get(key)
                if resource is None:
                    self._ends[call.seq].add(_UNKNOWN)
                elif plain:
                    found[resource] = None
                else:
                    resource.doubt = True
        return list(found)

    def _making(self, call: Call) -> set[str]:
        """Return the members by which a creation names what it makes."""
        return {
            member
            for kind in resource_kinds.created_by(call.service, call.operation)
            for member in resource_kinds.own_members(kind)
        }

    def _make(self, call: Call, direct: Iterable[_Resource], owners: set[int]) -> None:
        made = [
            ((_scope(call), kind.service, kind.name, name), number if kind.found_at else 0)
            for kind in resource_kinds.created_by(call.service, call.operation)
            for number, name in enumerate(resource_kinds.names_made(kind, call.params, call.result))
        ]
        already = {self._live[key].made_by for key, _ in made if key in self._live}
        for owner in already:
            # Made again: the emulator allows it where nothing changes, and it goes with the rest.
            others = (owners | already) - {owner, call.seq}
            self._mentions[owner].append(_Mention(call.seq, belongs=True, others=tuple(others)))
        if already:
            return
        sent = _sent(call)
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
            self._live[key] = resource
            self._ended.pop(key, None)
            scope, service, members, parts = _whole(key)
            if len(parts) > 1:
                self._parts[scope, service, members[:-1], parts[:-1]].append(resource)
            # What mentions one may leave out the slash with which its name begins: then it may mean either.
            spellings = tuple(dict.fromkeys((key[3][-1], short_name(key[3][-1]))))
            resource.names = (*resource.names, *spellings)
            for name in spellings:
                self._names.add(name, call.seq)
                if name not in sent:
                    self._drawn.add(name)
        for resource in resources.values():
            names = {short_name(key[3][-1]) for key in resource.keys}
            resource.arns = tuple(
                text for text in all_texts(call.result) if text.startswith("arn:") and short_name(text) in names
            )
            self._arns.update(dict.fromkeys(resource.arns, call.seq))

    def _end(self, call: Call, resource: _Resource) -> None:
        self._ends[call.seq].add(resource.made_by)
        if resource.ended_by:
            # Deleted once more: the emulator allows it.
            self._mentions[resource.made_by].append(_Mention(call.seq, belongs=False))
            return
        resource.ended_by = call.seq
        self._forget(resource)

    def _forget(self, resource: _Resource) -> None:
        """Let no name mean a resource that has ended any more, nor what ended as a part of it."""
        for key in resource.keys:
            if self._live.get(key) is resource:
                del self._live[key]
                self._ended[key] = resource
            for part in self._parts.pop(_whole(key), ()):
                self._forget(part)
        for arn in resource.arns:
            self._arns.pop(arn, None)
        for name in resource.names:
            self._names.discard(name, resource.made_by)

    # What a call mentions.

    def _note_mentions(
        self, call: Call, direct: Mapping[_Resource, set[str]], owners: set[int], ending: set[int]
    ) -> None:
        ends_with = reviewed.owned_by(call.service, call.operation)
        owned = {
            resource.made_by
            for resource, members in direct.items()
            if self._is_named(call, resource, members.intersection(ends_with))
        }
        parents = {resource.made_by: set(resource.parents) for resource in direct}
        alone = call.witness or (
            reviewed.only_concerns_what_it_names(call.service, call.operation)
            and not self._names_unknown(call, direct, owners)
        )
        anchored = alone and (call.witness or self._names_only(call, owners))
        for owner in owners - ending - {call.seq}:
            if owner in owned:
                mention = _Mention(call.seq, belongs=True)
            elif alone and (owner in parents or anchored):
                others = owners - {owner, call.seq} - parents.get(owner, set())
                mention = _Mention(call.seq, belongs=True, others=tuple(others))
            else:
                mention = _Mention(call.seq, belongs=False)
            self._mentions[owner].append(mention)

    def _is_named(self, call: Call, resource: _Resource, members: Iterable[str]) -> bool:
        values = {own_name(call.params[member]) for member in members if isinstance(call.params.get(member), str)}
        return any(key[3] == (value,) for key in resource.keys for value in values)

    def _names_only(self, call: Call, owners: set[int]) -> bool:
        """Return whether the origin of all that the call names at its top level is known for sure: by ARN or made-up id."""
        values = naming_at_top(call.params)
        return bool(values) and all(self._is_known(value, owners) for _, value in values)

    def _is_known(self, value: str, owners: set[int]) -> bool:
        if self._arns.get(value) in owners:
            return True
        return any(self._origin(name) in owners for name in names_in_identifier(value))

    def _origin(self, name: str) -> int:
        """The call that showed or made an identifier that the emulator drew; 0 where it is not known.

        A name that a client chose may be that of another thing as well, of which no call is known.
        """
        if name in self._shown:
            return self._shown[name]
        makers = list(self._names.owners(name)) if name in self._drawn else []
        return makers[0] if len(makers) == 1 else 0

    def _names_unknown(self, call: Call, direct: Mapping[_Resource, set[str]], owners: set[int]) -> bool:
        """Return whether the call refers, by id or ARN, to something of unknown origin, which it may affect, too."""
        known = {short_name(part) for resource in direct for key in resource.keys for part in key[3]}
        return any(
            refers_by_identifier(member) and short_name(value) not in known and not self._is_known(value, owners)
            for member, value in naming_at_top(call.params)
        )

    def _scan(self, call: Call, naming: set[str]) -> set[int]:
        """Return the calls that made or showed what the parameters mention, but for the members `naming`."""
        rest = {
            member: value for member, value in call.params.items() if not (member in naming and isinstance(value, str))
        }
        return self._owners([call.access_key, *(each.text for each in parameter_texts(call.head, rest))])

    def _owners(self, texts: Iterable[str]) -> set[int]:
        """The calls that made or showed what any of these texts names."""
        found: set[int] = set()
        for text in texts:
            for _name, _namespace, owners in self._names.found_in(text):
                found.update(owners)
        return found

    def _show(self, call: Call) -> None:
        """Remember which identifiers this answer showed first, where the client had not chosen them itself."""
        self._places.see_call(call.head)
        answer = answer_texts(call.head, Outcome(call.answer.status, call.result))
        values = [*answer.identifiers, *answer.listed]
        for value in values:
            self._places.see_identifier(value)
        for value in answer.accounts:
            self._places.see_account(value)
        sent = _sent(call)
        for value in values:
            names = names_of(value, answer)
            if value in self._places or any(name in sent for name in names):
                continue
            for name in names:
                if name not in sent and name not in self._names:
                    self._shown.setdefault(name, call.seq)
                    self._names.add(name, call.seq)
        if call.witness:
            self._seen[call.seq] = self._owners(all_texts(call.result)) - {call.seq}


def _whole(key: _Key) -> _Whole:
    """Return what has this key, as its parts name it."""
    scope, service, name, names = key
    return scope, service, _members(service, name), names


@lru_cache(maxsize=4096)
def _members(service: str, name: str) -> tuple[str, ...]:
    """Return the members by which the delete of a kind names what it deletes."""
    return next((kind.named for kind in resource_kinds.kinds_of(service) if kind.name == name), ())


def _sent(call: Call) -> set[str]:
    """The texts that a call sends, also as the names that they stand for."""
    texts = {each.text for each in parameter_texts(call.head, call.params)}
    return texts | {short_name(text) for text in texts}


def _scope(call: Call) -> str:
    return call.head.account if resource_kinds.is_global(call.service) else f"{call.head.account}/{call.head.region}"


def _outlived(call: Call) -> bool:
    """Return whether the creation says that something of it is to outlive it."""
    made = resource_kinds.created_by(call.service, call.operation)
    return any(member in call.params for kind in made for member in kind.unless)


def _text(request: Request) -> str | None:
    if not isinstance(request.body, bytes):
        return None
    return request.target + "\n" + request.body.decode("utf-8", "replace")
