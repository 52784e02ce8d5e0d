"""The resources that are known, by every way in which a call may mean one; and what goes with what.

Which resource a name means follows from the kind that the member names, the account and region of the call, and, where the
resource has other names (an ARN, an id), from those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from replay_proxy.exchange import CallHead
from replay_proxy.footprint.members.naming_members import names_subject, naming_at_top
from replay_proxy.footprint.names.resource_names import NameInArn, own_name
from replay_proxy.footprint.resource_kinds import is_global
from replay_proxy.replay.recorded_call import Call
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.stack_names import made_under, stack_names
from replay_proxy.resources.kinds import Kind
from replay_proxy.resources.linking.references import References
from replay_proxy.resources.resource import Key, Resource
from replay_proxy.resources.resource_types import type_of

_NAMESAKES_MAX: Final = 64
"""Of how many resources of one name it is looked for the one that is meant."""


_ONE_NAMESPACE: Final = frozenset({"s3"})
"""Services in which a name is unique in all accounts: whoever uses the name of a bucket means that one."""


class Inventory:
    """The resources that exist, and those that are gone."""

    def __init__(self) -> None:
        self.resources: dict[int, Resource] = {}
        self.gone: dict[int, Resource] = {}
        self.references = References(self.resources)
        self._keys: dict[Key, int] = {}
        self._gone_keys: dict[Key, int] = {}
        self._parts: dict[int, dict[int, None]] = {}
        self._next = 1

    def hang(self, resource: Resource, whole: Resource) -> None:
        """Let a resource go with another one."""
        self._parts.setdefault(whole.number, {})[resource.number] = None

    def parts_of(self, number: int) -> list[int]:
        """Return the resources that go with one."""
        return list(self._parts.get(number, ()))

    def new(self, head: CallHead, service: str, noun: str, names: tuple[str, ...]) -> Resource:
        """Return a new resource."""
        key = self._key(head, service, noun, names)
        resource = Resource(self._next, key, type_of(service, noun), names[-1])
        self._next += 1
        self.resources[resource.number] = resource
        self._keys[key] = resource.number
        self.references.add(resource, ())
        return resource

    def place_below(self, call: Call, resource: Resource, kind: Kind) -> None:
        """Note what a resource is a part of, so that it goes with it."""
        parents: list[int] = []
        # Of one that a read showed without what it is a part of, nothing is known of that.
        holders = kind.named[:-1] if len(resource.key.names) == len(kind.named) else ()
        for at, member in enumerate(holders):
            names = resource.key.names[: at + 1]
            for other in kinds.kinds_of(kind.service):
                if len(other.named) != at + 1 or other.name == kind.name or not _may_hold(other, member):
                    continue
                holder = self.live(call.head, other, names)
                if holder is None and names[-1] != kind.defaults.get(member):
                    # It must be there, or the call would have been refused.
                    holder = self.note(call.head, other, names, {})
                if holder is not None:
                    parents.append(holder.number)
                break
        if kind.part_of is not None:
            noun, member = kind.part_of
            value = call.params.get(member)
            whole = kinds.kind_named(kind.service, noun)
            if isinstance(value, str) and whole is not None:
                held_by = self.live(call.head, whole, (own_name(value),))
                if held_by is not None:
                    parents.append(held_by.number)
        resource.parents = tuple(dict.fromkeys(parents))
        for number in parents:
            self._parts.setdefault(number, {})[resource.number] = None

    def remove(self, resource: Resource, seq: int) -> None:
        """Take away a resource with everything that is a part of it, and what it made by itself."""
        if resource.ended_by or resource.number not in self.resources:
            return
        resource.ended_by = seq
        for number in list(self._parts.pop(resource.number, ())):
            if number in self.resources:
                self.remove(self.resources[number], seq)
        self.references.discard(resource)
        del self.resources[resource.number]
        if self._keys.get(resource.key) == resource.number:
            del self._keys[resource.key]
        self.gone[resource.number] = resource
        self._gone_keys[resource.key] = resource.number
        resource.data = None

    def revive(self, call: Call) -> Resource | None:
        """Bring back a deleted resource that a call restores under its own name."""
        for kind in kinds.nameable(call.service, call.operation):
            for names in kind.names_in(call.params):
                for each in self._spellings(call.head, kind, names):
                    number = self._gone_keys.pop(each, None)
                    if number is not None:
                        resource = self.gone.pop(number)
                        resource.ended_by = 0
                        resource.changed_by.append(call.seq)
                        self.resources[number] = resource
                        self._keys[resource.key] = number
                        self.references.add(resource, resource.identifiers.values())
                        return resource
        return None

    def is_default(self, account: str) -> None:
        """Note which account calls without one mean: whoever names it by its number means the same resources."""
        self.references.default_account = account
        for resource in self.resources.values():
            if resource.key.account == account and self._keys.get(resource.key) == resource.number:
                del self._keys[resource.key]
                resource.key = replace(resource.key, account="")
                self._keys.setdefault(resource.key, resource.number)

    def _account(self, head: CallHead) -> str:
        return "" if head.account == self.references.default_account else head.account

    def key_of(self, head: CallHead, kind: Kind, names: tuple[str, ...]) -> Key:
        """Return the key that a resource of a kind and of names has, or would have, in the place of a call."""
        return self._key(head, kind.service, kind.name, names)

    def _key(self, head: CallHead, service: str, noun: str, names: tuple[str, ...]) -> Key:
        return Key(self._account(head), "" if is_global(service) else head.region, service, noun, names)

    def _spellings(self, head: CallHead, kind: Kind, names: tuple[str, ...]) -> Iterable[Key]:
        yield self._key(head, kind.service, kind.name, names)
        plain = names[-1].partition(":")[0]
        if plain != names[-1]:
            yield self._key(head, kind.service, kind.name, (*names[:-1], plain))
        if names[-1].lower() != names[-1]:
            # Where a service takes a name in any case, it keeps it in lower case.
            yield self._key(head, kind.service, kind.name, (*names[:-1], names[-1].lower()))
        if isinstance(names[-1], NameInArn):
            for each in NameInArn(plain).readings():
                yield self._key(head, kind.service, kind.name, (*names[:-1], each))

    def live(self, head: CallHead, kind: Kind, names: tuple[str, ...], *, made_so: bool = False) -> Resource | None:
        """Return the resource that a kind and names mean: by its key, else by any name of its own.

        made_so: the names are of a creation, which gives them whole, and never with a version.
        """
        keys = [self.key_of(head, kind, names)] if made_so else self._spellings(head, kind, names)
        for key in keys:
            number = self._keys.get(key)
            if number is not None:
                return self.resources[number]
        if len(names) > 1:
            return None
        for number in self.references.named(kind.service, names[-1])[:_NAMESAKES_MAX]:
            resource = self.resources[number]
            near = self.is_near(head, resource) or kind.service in _ONE_NAMESPACE
            if resource.key.noun == kind.name and len(resource.key.names) == 1 and near:
                return resource
        return None

    def is_near(self, head: CallHead, resource: Resource) -> bool:
        """Return whether a resource is in the account and region of a call."""
        key = resource.key
        return key.account == self._account(head) and (not key.region or key.region == head.region)

    def find_or_note(self, call: Call, noun: str, names: tuple[str, ...]) -> Resource | None:
        """Return the resource that a call writes data into, noted where no call made it; None for a noun that no kind has."""
        kind = kinds.kind_named(call.service, noun)
        if kind is None:
            return None
        canonical = tuple(own_name(name) for name in names)
        return self.live(call.head, kind, canonical) or self.note(call.head, kind, canonical, call.params)

    def never_seen(self, head: CallHead, kind: Kind, names: tuple[str, ...]) -> bool:
        """Was no such resource ever known? One that is gone is not there because an emulator lets it be named."""
        return not any(key in self._gone_keys for key in self._spellings(head, kind, names))

    def note(self, head: CallHead, kind: Kind, names: tuple[str, ...], params: Mapping[str, Any]) -> Resource:
        """Note a resource that a call names and no call made: it was there before, or something made it by itself."""
        resource = self.new(head, kind.service, kind.name, names)
        self.name(resource, kind, params)
        self.note_stack(resource)
        return resource

    def note_stack(self, resource: Resource) -> None:
        """Note the stack that made a resource by itself, where its name tells that."""
        for name in stack_names(resource.key.names[-1]):
            for number in self.references.named("cloudformation", name):
                stack = self.resources[number]
                same_account = stack.key.account == resource.key.account
                logical = made_under(stack, resource) if same_account and stack.key.noun == "Stack" else ""
                if logical:
                    resource.maker = number
                    resource.attributes.setdefault("LogicalResourceId", logical)
                    self.hang(resource, stack)
                    return

    def identify(self, resource: Resource, identifiers: Mapping[str, str], drawn: Iterable[str]) -> None:
        """Note identifiers of a resource. drawn: those that the emulator made up."""
        resource.identifiers.update(identifiers)
        self.references.add(resource, drawn)

    def name(self, resource: Resource, kind: Kind, params: Mapping[str, Any]) -> None:
        """Let a resource be called as the client named it, else by its identifier."""
        own = resource.key.names[-1]
        spelled = [
            v for v in (*resource.identifiers.values(), *params.values()) if isinstance(v, str) and own_name(v) == own
        ]
        plain = [value for value in spelled if not value.startswith(("arn:", "http:", "https:", "/hostedzone/"))]
        chosen = [] if plain and not kind.is_by_id else plain
        if kind.is_by_id:
            members = (*resource.identifiers.items(), *params.items())
            wanted = ("name", f"{kind.name.lower()}name", "groupname", "poolname", "clientname", "routekey", "pathpart")
            chosen = [value for member, value in members if member.lower() in wanted and isinstance(value, str)]
        resource.name = next((value for value in (*chosen, *plain) if not value.startswith("arn:")), own)

    def named_things(self, call: Call) -> list[tuple[str, Resource]]:
        """Return the resources of the call's service that it names by members at its top.

        The id of a network is also a part of the names of what is tied to it. It means the network.
        """
        found: dict[int, tuple[str, Resource]] = {}
        for member, value in named_at_top(call.params):
            named = (self.resources[number] for number in self.references.named(call.service, value))
            near = [each for each in named if self.is_near(call.head, each) or value.startswith("arn:")]
            whole = [each for each in near if each.key.names == (own_name(value),)]
            found = {each.number: (member, each) for each in whole or near} | found
        return list(found.values())


def named_at_top(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return member and value of what names something at the top of parameters: also in lists of what a call is about."""
    subjects = (
        (member, value) for member, value in params.items() if isinstance(value, list) and names_subject(member)
    )
    return [
        *naming_at_top(params),
        *((member, each) for member, value in subjects for each in value if isinstance(each, str)),
    ]


def _may_hold(kind: Kind, member: str) -> bool:
    """Does that member of another kind name a resource of this kind?"""
    own, lower, noun = kind.named[-1].lower(), member.lower(), kind.name.lower()
    return (own == lower and own not in ("name", "id", "arn", "identifier")) or lower in (
        noun,
        f"{noun}id",
        f"{noun}name",
        f"{noun}arn",
    )
