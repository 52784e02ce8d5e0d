"""The resource model: from the calls of a recording to the resources that they add up to.

Calls are shown in order (`ResourceModel.see`). One that makes a kind of resource makes a resource; one that names resources
changes them; one that ends a kind takes away the resource, and what was a part of it. Reads that were kept (witnesses) show
what the emulator made by itself. A call that names a resource which no call made tells that it exists. What only writes data
is counted in the resource that holds the data.

An emulator that was reset begins with nothing: `_control` is the one place where that is read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead
from replay_proxy.footprint.additions import own_name_members
from replay_proxy.footprint.members.naming_members import naming_at_top
from replay_proxy.footprint.names.resource_names import arn_place, arn_service, own_name, services_of_arn
from replay_proxy.journal.format.records import ControlRecord, Record, RecordKind
from replay_proxy.replay.recorded_call import BlobLoader, Call, call_of
from replay_proxy.resources import kinds
from replay_proxy.resources.folding.call_facts import (
    account_in,
    call_without_body,
    drawn_identifiers,
    element_of,
    failure_of,
    first_identifier,
    members_naming,
    texts_in,
)
from replay_proxy.resources.folding.inventory import Inventory
from replay_proxy.resources.folding.stack_members import StackMembers
from replay_proxy.resources.folding.subjects import keys_named, resources_named
from replay_proxy.resources.folding.witness_fold import WitnessFold
from replay_proxy.resources.kinds import Kind
from replay_proxy.resources.linking.links import links_of
from replay_proxy.resources.properties.attributes import default_version, doubt, fold, tree
from replay_proxy.resources.properties.identifiers import identifiers_in, other_attributes
from replay_proxy.resources.properties.operation_names import noun_of
from replay_proxy.resources.properties.record_sets import record_set_changes
from replay_proxy.resources.properties.stored_data import StoredData
from replay_proxy.resources.properties.tags import (
    apply_tagging,
    arn_in,
    is_tagging,
    sets_all_tags,
    tags_in,
    without_tags,
)
from replay_proxy.resources.resource import CallEntry, Key, Link, Resource
from replay_proxy.resources.resource_types import arn_of
from replay_proxy.wire.models.models import protocol_model
from replay_proxy.wire.mutability.judge import is_data

_ENDING: Final = ("Delete", "Terminate", "Release", "Deregister", "Remove", "Destroy", "AdminDelete")
_TAKING_AWAY: Final = (*_ENDING, "Detach", "Disassociate", "Revoke", "Disable", "Untag", "Cancel", "Stop", "Reset")
"""Verbs that emulators accept of something that is not there."""
_REVIVING: Final = ("Restore", "Undelete")
_RESET: Final = "reset"


class ResourceModel:
    """The resources of a recording. Memory: the resources with their attributes, and an entry of a few numbers for each call.

    resources: those that exist, by number, in the order in which they appeared. gone: those that were deleted, without
    attributes. calls: all calls, in order. odd: the numbers of those whose parameters or answer are not what their model says.
    """

    def __init__(self, load: BlobLoader) -> None:
        """load: reads a body that lies in a blob."""
        self._inventory = Inventory()
        self.resources = self._inventory.resources
        self.gone = self._inventory.gone
        self.calls: list[CallEntry] = []
        self.odd: list[int] = []
        self._load = load
        self._data = StoredData()
        self._witnesses = WitnessFold(self._inventory)
        self._stacks = StackMembers(self._inventory)
        self._resets: dict[str, int] = {}
        self._links: dict[int, list[Link]] | None = None
        self._dependents: dict[int, list[tuple[int, Link]]] | None = None
        self._made: dict[int, list[int]] | None = None

    # What came of it.

    @property
    def default_account(self) -> str:
        """The account of calls that name none: the emulator's, as far as an answer showed it."""
        return self._inventory.references.default_account

    def account_of(self, resource: Resource) -> str:
        """Return the account of a resource; empty where nothing tells it."""
        return resource.key.account or self.default_account

    def arn(self, resource: Resource) -> str:
        """Return the ARN of a resource, as an answer showed it or as its service writes it; empty where neither is known."""
        key = resource.key
        return resource.arn or arn_of(
            key.service, key.noun, self.account_of(resource), key.region, key.names[-1], key.names[:-1]
        )

    def id(self, resource: Resource) -> str:
        """Return the text that names a resource in documents: `ACCOUNT/REGION/TYPE/NAMES`, `-` for what is not told."""
        place = f"{self.account_of(resource) or '-'}/{resource.key.region or '-'}"
        return f"{place}/{resource.type}/{'/'.join(resource.key.names)}"

    def links(self, resource: Resource) -> list[Link]:
        """Return the links of a resource to others."""
        return self._all_links().get(resource.number, [])

    def dependents(self, resource: Resource) -> list[tuple[Resource, Link]]:
        """Return the resources that link to a resource, with the link."""
        self._all_links()
        assert self._dependents is not None
        return [(self.resources[number], link) for number, link in self._dependents.get(resource.number, ())]

    def made_by_resource(self, resource: Resource) -> list[Resource]:
        """Return what a resource made by itself: the resources of a stack, the security group of a network."""
        self._all_links()
        assert self._made is not None
        return [self.resources[number] for number in self._made.get(resource.number, ())]

    def _all_links(self) -> dict[int, list[Link]]:
        if self._links is None:
            self._links, self._dependents, self._made = {}, {}, {}
            for number, resource in self.resources.items():
                found = links_of(resource, self.resources, self._inventory.references)
                self._links[number] = found
                if resource.maker:
                    self._made.setdefault(resource.maker, []).append(number)
                for link in found:
                    if link.target:
                        self._dependents.setdefault(link.target, []).append((number, link))
        return self._links

    def named(self, call: Call) -> list[Key]:
        """Return the keys of what a call is about, as things are now. Nothing is taken in.

        Raises KeyError, TypeError, AttributeError, ValueError for parameters that are not what their model promises.
        """
        return keys_named(self._inventory, self._where_it_acts(call))

    # What is shown to it.

    def see(self, item: Record | ControlRecord) -> None:
        """Take in the next line of a recording."""
        self._links = None
        if isinstance(item, ControlRecord):
            self._control(item)
            return
        failed, error = failure_of(item)
        touched: dict[int, None] = {}
        call = None if failed or self._is_forgotten(item) else call_of(item, self._load) or call_without_body(item)
        if call is not None:
            try:
                touched = self._see_call(call)
                touched |= dict.fromkeys(self._stacks.see(call, touched))
            except (KeyError, TypeError, AttributeError, ValueError, MalformedMessage):
                # Not what its model promises: the call is shown, and nothing is concluded from it.
                touched = {}
                self.odd.append(item.seq)
        head = item.head or CallHead("", item.request.method, "")
        self.calls.append(
            CallEntry(
                item.seq,
                item.time,
                item.duration_ms,
                head.service,
                head.operation if item.head is not None else f"{item.request.method} {item.request.target[:200]}",
                head.account,
                head.region,
                item.answer.status,
                item.kind.value,
                error,
                tuple(touched),
            )
        )

    def _control(self, record: ControlRecord) -> None:
        """Take in a control record: after a reset (of a service, where it names one) nothing is there."""
        if record.kind.value != _RESET:
            return
        self._resets[record.service] = record.seq
        if not record.service:
            self._inventory.references.default_account = ""  # the next emulator may be another one
        for resource in list(self.resources.values()):
            if not record.service or resource.service == record.service:
                self._inventory.remove(resource, record.seq)

    def _is_forgotten(self, record: Record) -> bool:
        """Was a witness read before the latest reset, and written after it?"""
        after = record.notes.get("after")
        if not self._resets or record.kind is not RecordKind.WITNESS or not isinstance(after, int):
            return False
        service = record.head.service if record.head is not None else ""
        return after < max(self._resets.get("", 0), self._resets.get(service, 0))

    def _see_call(self, call: Call) -> dict[int, None]:
        service, operation = call.service, call.operation
        self._note_account(call)
        if call.witness:
            return self._witnesses.see(call)
        here, call = call, self._where_it_acts(call)
        if is_data(service, operation) or service == "s3":
            written = self._data.see(call, lambda noun, *names: self._inventory.find_or_note(call, noun, names))
            if written:
                for resource in written:
                    resource.data_calls.append(call.seq)
                return {resource.number: None for resource in written}
        if service == "route53" and operation == "ChangeResourceRecordSets":
            return self._record_sets(call)
        if is_tagging(operation):
            return self._tag(call)
        if operation.startswith(_REVIVING) and (revived := self._inventory.revive(call)) is not None:
            return {revived.number: None}
        ended = self._end(call)
        if ended is not None:
            return ended
        return self._make(here) or self._change(call)

    def _where_it_acts(self, call: Call) -> Call:
        """Return a call as one of the account and region whose resource it names: an ARN or an address may be of another."""
        head = call.head
        for _member, value in naming_at_top(call.params):
            region, account = arn_place(value)[0], account_in(value)
            ours = not value.startswith("arn:") or call.service in services_of_arn(arn_service(value))
            if not ours or not account:
                continue
            known = [self.resources[each] for each in self._inventory.references.named(call.service, value)]
            if any(self._inventory.is_near(head, each) for each in known):
                return call
            if known:
                account, region = known[0].key.account, known[0].key.region
            elif account == self.default_account or not head.account:
                account = ""
            if (account, region or head.region) != (head.account, head.region):
                return replace(call, head=replace(head, account=account, region=region or head.region))
            return call
        return call

    # Making.

    def _make(self, call: Call) -> dict[int, None]:
        service, operation = call.service, call.operation
        touched: dict[int, None] = {}
        for kind in kinds.made_by(service, operation):
            for at, names in enumerate(kind.names_made(call.params, call.result)):
                resource = self._take_in(call, kind, names, at)
                touched[resource.number] = None
        if touched or kinds.made_by(service, operation) or is_data(service, operation):
            return touched
        return self._make_unknown(call)

    def _take_in(self, call: Call, kind: Kind, names: tuple[str, ...], at: int) -> Resource:
        """Note a resource that a call made, or changed by making it again."""
        resource = self._inventory.live(call.head, kind, names, made_so=True)
        new = resource is None
        if resource is None:
            resource = self._inventory.new(call.head, kind.service, kind.name, names)
            resource.made_by = call.seq
        elif not resource.made_by and not resource.maker:
            resource.made_by = call.seq
        else:
            resource.changed_by.append(call.seq)
        self._describe(call, resource, kind, at, made=new)
        return resource

    def _describe(self, call: Call, resource: Resource, kind: Kind, at: int, *, made: bool) -> None:
        operation = protocol_model(call.service, call.operation, call.head.protocol)
        result = element_of(kind, call.result, at)
        own = call.operation in (f"{verb}{kind.name}" for verb in kinds.MAKING)
        elsewhere = not own and (
            noun_of(call.operation)[1] in (other.name for other in kinds.kinds_of(call.service) if other is not kind)
            or any(
                other.name != kind.name and call.operation.endswith(other.name)
                for other in kinds.made_by(call.service, call.operation)
            )
        )
        identifiers = identifiers_in(kind, call.params, result, about_another=elsewhere)
        given = tree(operation.input_shape, without_tags(call.params))
        naming = {each for each in kind.named if len(kind.named) == 1 or each != kind.named[-1]}
        naming |= {member for member, value in call.params.items() if identifiers.get(member) == value}
        before, tags = dict(resource.attributes), dict(resource.tags)
        if made or call.operation in kind.made_by:
            resource.tags |= tags_in(call.params)
            if not elsewhere:
                shape = operation.output_shape
                resource.attributes |= other_attributes(call.head, shape, result, identifiers, call.params)
        if elsewhere and operation.output_shape is not None and isinstance(given, dict):
            # What is made beside another thing: what the answer shows is said of that one (`description` of a deployment).
            said_of_it = operation.output_shape.members
            given = {member: value for member, value in given.items() if member not in said_of_it}
        fold(resource, call.operation, given, naming=naming, made=call.operation in kind.made_by)
        if not made:
            doubt(resource, call.operation, given, before, tags)
        self._inventory.identify(resource, identifiers, drawn_identifiers(call, identifiers, resource))
        self._inventory.name(resource, kind, call.params)
        if made:
            self._inventory.place_below(call, resource, kind)

    def _make_unknown(self, call: Call) -> dict[int, None]:
        """Note what a creation of no known kind made: by its own name, else by the first identifier in its answer."""
        verb, noun = noun_of(call.operation)
        if verb not in kinds.MAKING or verb in ("Put", "Run") or not noun:
            return {}
        if kinds.is_no_resource(call.service, call.operation):
            return {}
        kind = Kind(call.service, noun, (call.operation,), (), (f"{noun}Id",))
        names = kind.names_made(call.params, call.result)
        if not names:
            members = own_name_members(f"Create{noun}")
            sent = next((call.params[each] for each in members if isinstance(call.params.get(each), str)), None)
            kind = Kind(call.service, noun, (call.operation,), (), (f"{noun}Name",))
            names = [(own_name(sent),)] if sent is not None else kind.names_made(call.params, call.result)
        if not names:
            names = first_identifier(call)
        if not names or self._inventory.named_things(call):
            return {}
        return {self._take_in(call, kind, names[0], 0).number: None}

    # Changing.

    def _change(self, call: Call) -> dict[int, None]:
        touched: dict[int, None] = {}
        subject = True
        if noun_of(call.operation)[0] in kinds.verbs_without_change():
            # It uses what it names: a key that encrypts, a client that signs in.
            return resources_named(self._inventory, call)
        takes_away = call.operation.startswith(_TAKING_AWAY)
        operation = protocol_model(call.service, call.operation, call.head.protocol)
        given: Any = None
        for kind in kinds.nameable(call.service, call.operation):
            for names in kind.names_in(call.params):
                resource = self._inventory.live(call.head, kind, names)
                if (
                    resource is None
                    and subject
                    and not takes_away
                    and self._inventory.never_seen(call.head, kind, names)
                ):
                    resource = self._inventory.note(call.head, kind, names, call.params)
                if resource is None:
                    continue
                touched[resource.number] = None
                if not subject:
                    continue
                resource.changed_by.append(call.seq)
                given = given if given is not None else tree(operation.input_shape, without_tags(call.params))
                naming = {*kind.named, *(m for m, v in call.params.items() if v in resource.identifiers.values())}
                fold(resource, call.operation, given, naming={*naming, *members_naming(kind, call.params)}, made=False)
                resource.attributes |= default_version(resource, call.operation, call.params, call.result)
                if sets_all_tags(call.operation, call.params):
                    resource.tags.clear()
                    resource.tags |= tags_in(call.params)
            if touched:
                subject = False
        if not touched:
            for member, resource in self._inventory.named_things(call):
                touched[resource.number] = None
                resource.changed_by.append(call.seq)
                given = given if given is not None else tree(operation.input_shape, without_tags(call.params))
                fold(resource, call.operation, given, naming={member}, made=False)
        return touched

    def _tag(self, call: Call) -> dict[int, None]:
        touched = resources_named(self._inventory, call)
        arn = arn_in(call.params)
        for number in touched:
            resource = self.resources[number]
            apply_tagging(resource.tags, call.operation, call.params)
            resource.unsure = {each for each in resource.unsure if not each.startswith("Tags.")}
            resource.changed_by.append(call.seq)
            if arn and len(touched) == 1 and not self.arn(resource):
                # No answer need show it, and the read of its tags asks with it.
                resource.identifiers[arn[0]] = arn[1]
        return touched

    def _record_sets(self, call: Call) -> dict[int, None]:
        kind = kinds.kind_named("route53", "ResourceRecordSet")
        assert kind is not None
        touched: dict[int, None] = {}
        for there, names, records in record_set_changes(call.params):
            resource = self._inventory.live(call.head, kind, names)
            if there:
                if resource is None:
                    resource = self._inventory.new(call.head, kind.service, kind.name, names)
                    resource.made_by = call.seq
                    resource.name = f"{records['Name']} {records.get('Type', '')}"
                    self._inventory.place_below(call, resource, kind)
                else:
                    resource.changed_by.append(call.seq)
                resource.attributes = tree(None, dict(records))
            elif resource is not None:
                self._inventory.remove(resource, call.seq)
            if resource is not None:
                touched[resource.number] = None
        return touched

    # Ending.

    def _end(self, call: Call) -> dict[int, None] | None:
        """Take away what a call ends; None where it is no such call."""
        touched: dict[int, None] = {}
        ends = False
        ended = sorted(kinds.ended_by(call.service, call.operation), key=lambda kind: -len(kind.named))
        depth = 0
        for kind in ended:
            if len(kind.named) < depth:
                break
            for names in kind.names_in(call.params):
                depth, ends = len(kind.named), True
                resource = self._inventory.live(call.head, kind, names)
                if resource is not None:
                    touched[resource.number] = None
                    self._inventory.remove(resource, call.seq)
        if not ended and call.operation.startswith(_ENDING):
            _verb, noun = noun_of(call.operation)
            for _member, resource in self._inventory.named_things(call):
                # `DeleteNamespace` ends a `PrivateDnsNamespace`, too.
                if resource.key.noun.lower().endswith(noun.lower()):
                    touched[resource.number] = None
                    self._inventory.remove(resource, call.seq)
        return touched if touched or ends else None

    def _note_account(self, call: Call) -> None:
        """Learn the emulator's own account from the first identifier that a call without an account is answered."""
        if self.default_account or call.head.account:
            return
        sent = {*(account_in(text) for text in texts_in(call.params, 4))}
        for text in texts_in(call.result, 3):
            account = account_in(text)
            # What the call names itself may lie in another account, such as a role that is assumed.
            if account and account not in sent:
                self._inventory.is_default(account)
                return
