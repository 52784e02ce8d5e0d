"""What a call touches, as far as its order among other calls is concerned.

A *thing* is a text: a resource (`replay_proxy.footprint.known_resources`), or a part of one (a bucket and a key). A call
*writes* some things and *refers* to others. Two calls must keep their order when both touch a thing and at least one of them
writes it; `dependency_graph` builds on that.

What is written: whatever the call names in members that name things of its own service, at any depth, and every identifier
that its answer shows for the first time. That is generous, since such a member may only refer to its thing; it costs
parallelism, and never the right order. What is referred to: every known resource of any service whose name, or another
identifier, is the value of a parameter or stands in it: in an ARN, a policy, a template, a target. Where an ARN tells the
service, it decides between equal names. So nobody has to know that a key is named in the configuration of a bucket, and
neither length nor letters of a name matter. What a client calls or labels after an identifier that the emulator drew waits for
the call that drew it: that identifier will be another one, in the name or tag, too. Else payload, labels and enumerations refer
to nothing; accounts and regions are no resources, by their position in ARNs and in calls.

A call that names nothing of its service and makes nothing, that sets something for the account, or that makes what an
account has one of (an organization), may touch anything of its service. So may one that changes a thing that no call is
known to have made.

What a call calls its *resource* is what it is about, of whatever service (a web ACL is associated with a balancer, a topic is
tagged by the tagging service). Of such a thing it writes the part that is its service's business. A path there
(`service/CLUSTER/NAME`) names things by its parts, also where the service itself knows it by then.

A run, such as an export task, may write into everything that it names.

Data is finer, because there is much of it: an object by its key, an item by the hash key of its table. Messages,
records and log events keep their order in their queue, stream and log stream, and so do the items of a table that has a stream,
whose records show the order. They all refer to the whole that holds them.

Calls that create things of one kind are made one after the other, so that lists show the things as they did. Where it
is not known in which lists of its service something stands (`SignUp` makes a user, `RunInstances` a volume), it is made after all
that was created there before, and before all that comes later. A witness keeps
its place among all calls of its service, because it shows what was there at its time, and comes after what other services
made: one of these may have made what it is the first to show (the instances of an Auto Scaling group). What cannot be
understood is a barrier: everything before it is done first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from replay_proxy.footprint import data_parts, resource_kinds
from replay_proxy.footprint.account_settings import concerns_the_account
from replay_proxy.footprint.additions import changes, makes_or_begins, own_name_members
from replay_proxy.footprint.known_resources import KnownResources, is_of, names_of, service_of, thing
from replay_proxy.footprint.members.answer_identifiers import AnswerTexts, all_texts, answer_texts, may_show_identifiers
from replay_proxy.footprint.members.naming_members import names_subject, refers_by_identifier
from replay_proxy.footprint.names.places import Places
from replay_proxy.footprint.names.resource_names import (
    arn_place,
    parts_of_name,
    short_name,
)
from replay_proxy.footprint.parameter_texts import ParameterText, label_texts, parameter_texts
from replay_proxy.replay.ordering.drawn_beside import DrawnBeside
from replay_proxy.replay.ordering.order_table import is_barrier, is_trigger
from replay_proxy.replay.recorded_call import Call
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.mutability.judge import is_data

_DEPTH = 12
_PART = "\0"
_SERVICE = "\0service "
"""The thing that every call of a service refers to, and that those write which may touch anything of it."""
_TRIGGER = "\0trigger "
_IDEMPOTENT = "\0idempotent "
_STREAM = f"{_PART}{_PART}stream"
"""After the name of a table: the records of its stream, which come in the order of the writes."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one call touches.

    barrier: it may touch anything. stray: it refers to something that no earlier call is known to have made, so that
    it waits for all infrastructure before it. data, trigger: what it is. writes wins over refers.
    creates: the kind of things that it creates; empty where it creates none. adds_to: the service in whose lists there is more
    after it, where it is not known in which; empty where it is. service, operation: what it is a call of.
    witness: it only reads.
    """

    writes: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()
    barrier: bool = False
    stray: bool = False
    data: bool = False
    trigger: bool = False
    creates: str = ""
    adds_to: str = ""
    service: str = ""
    operation: str = ""
    witness: bool = False

    @property
    def in_turn(self) -> frozenset[str]:
        """Of the things that it writes, those that stand for the order of records alone."""
        return frozenset(each for each in self.writes if each.endswith(_STREAM))

    @property
    def wholes(self) -> list[str]:
        """The things that hold what it touches."""
        return [thing for thing in (*self.refers, *self.writes) if _PART not in thing]

    @property
    def armed(self) -> frozenset[str]:
        """The things of its own service that a trigger makes or changes, and those that it watches there."""
        return frozenset(each.removeprefix(_TRIGGER) for each in self.writes if not is_service(each))


BARRIER = Footprint(barrier=True)


def is_service(thing: str) -> bool:
    """Return whether a thing stands for a whole service."""
    return thing.startswith(_SERVICE)


def for_triggers(thing: str) -> str:
    """Return what stands for a thing as far as triggers alone are concerned."""
    return _TRIGGER + thing


def is_for_triggers(thing: str) -> bool:
    """Return whether a thing is one that stands for another as far as triggers alone are concerned."""
    return thing.startswith(_TRIGGER)


@dataclass(slots=True)
class _Named:
    """What the parameters of a call name. home: things of its own service, of which `known` were known before.

    own: of these, what the call names by a member of its service alone. refers: other things. sent: the texts that may
    be names of what the call makes. subjects: things of other services that it names as the resource that it is about.
    tokens: those that make the call idempotent, which another of its kind cannot have while what it made is there.
    stray: an ARN of something that was never seen.
    """

    home: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    refers: set[str] = field(default_factory=set)
    subjects: set[str] = field(default_factory=set)
    sent: dict[str, str] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    stray: bool = False


@dataclass(slots=True)
class Footprints:
    """Works out footprints of calls in their order; knows the things that were touched so far."""

    _known: KnownResources = field(default_factory=KnownResources)
    _places: Places = field(default_factory=Places)
    _hash_keys: dict[str, str] = field(default_factory=dict)
    _streamed: set[str] = field(default_factory=set)
    """Tables that have, or had, a stream."""
    _called: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of what is known by an id, what one of its kind has alone: the name or token of its client's; what a trigger watches."""
    _beside: DrawnBeside = field(init=False)

    def __post_init__(self) -> None:
        self._beside = DrawnBeside(self._known)

    def of(self, call: Call) -> Footprint:
        """Return the footprint of the next call."""
        self._places.see_call(call.head)
        data = not call.witness and is_data(call.service, call.operation)
        found = self._data(call) if data else None
        return found or self._infrastructure(call, data=data)

    def _infrastructure(self, call: Call, *, data: bool) -> Footprint:
        service, operation = call.service, call.operation
        made = resource_kinds.made_by(service, operation)
        named = self._named(call, {member for kind in made for member in resource_kinds.own_members(kind)})
        refers = named.refers | {
            f"s3 {bucket}{_PART}{key}" for bucket, key in data_parts.objects_read(call.params, _DEPTH)
        }
        writes = set(named.home)
        shown, mentioned = self._shown(call, named, made)
        writes |= shown
        refers |= mentioned
        if not made:
            writes |= {f"{one}{_PART}{service}" for one in named.subjects}
        if made:
            writes |= named.tokens
        if resource_kinds.ends(service, operation):
            writes |= {name for one in named.known for name in self._called.get(one, ())}
        if data:
            writes |= named.refers  # a run, such as an export, may write into whatever it names
        trigger = is_trigger(call.head)
        if trigger:
            # It changes what it names for other triggers only: data in it has no need to wait for a trigger.
            refers |= named.home
            watched = {for_triggers(armed) for armed in named.home}
            writes = (writes - named.home) | watched
            for each in shown:
                self._called[each] |= watched  # one like it can be made when it is gone
        whole = _SERVICE + service
        begins = bool(made) or makes_or_begins(operation)
        own = begins or self._changes_what_it_names(call, named)
        if call.witness or concerns_the_account(service, operation) or not own:
            writes.add(whole)
        creates = f"{service}:{operation}" if made or not named.home else ""
        is_one = bool(made) and not any(kind.found_at for kind in made)
        adds = not (is_one or resource_kinds.ends(service, operation)) and (begins or not named.home <= named.known)
        if service == "dynamodb":
            self._remember_table(operation, call.params)
        refers |= {whole, *self._known.owners(call.access_key)}
        barrier = not call.witness and is_barrier(call.head)
        stray = named.stray and not made
        return Footprint(
            frozenset(writes),
            frozenset(refers - writes),
            barrier,
            stray,
            data=data,
            trigger=trigger,
            creates=creates,
            adds_to=service if adds and not call.witness else "",
            service=service,
            operation=operation,
            witness=call.witness,
        )

    @staticmethod
    def _changes_what_it_names(call: Call, named: _Named) -> bool:
        """Is all that the call changes what it names, as far as that can be told?"""
        return bool(named.own) and (bool(named.known) or not changes(call.operation))

    # What parameters name.

    def _named(self, call: Call, own: Collection[str]) -> _Named:
        """own: the members by which a creation names what it makes."""
        service, found = call.service, _Named()
        fresh: list[tuple[str, str]] = []
        candidates = {*own, *own_name_members(call.operation)}
        for each in parameter_texts(call.head, call.params):
            text = each.text
            found.texts.add(text)
            elsewhere: set[str] | None = None
            if each.naming or each.member in own:
                elsewhere = self._known.referred_to(text)
                found.stray = found.stray or self._is_stray(text, elsewhere)
                before = self._known.named(service, text)
                place = text in self._places and refers_by_identifier(each.member) and not before
                if is_of(service, text) and (each.member in own or not place):
                    home = before or {thing(service, name) for name in (short_name(text),) if name}
                    found.home |= home
                    found.known |= before
                    if not before and not each.listed:
                        fresh += [(text, known) for known in home]
                    if before or each.member in own or not elsewhere or call.operation.startswith("Put"):
                        found.own |= home
                    if each.member in own or each.member in candidates or self._may_be_its_name(service, each):
                        found.sent |= dict.fromkeys((text, short_name(text)), min(home, default=""))
                    if before or each.member in own:
                        found.refers |= self._known.drawn_in(text)
                        if names_subject(each.member):
                            found.refers |= self._known.named_within(text)
                        continue
            elif each.top and self._may_be_its_name(service, each):
                found.sent.setdefault(text, "")
            elsewhere = self._known.referred_to(text) if elsewhere is None else elsewhere
            found.refers |= elsewhere
            if names_subject(each.member):
                found.subjects |= elsewhere
        for text, known in fresh:
            self._known.add((text, short_name(text)), known)
        for text in label_texts(call.params):
            found.refers |= self._known.drawn_in(text)
        for text in found.texts:
            found.refers |= self._beside.around(text)
        sent = (call.params.get(member) for member in resource_kinds.token_members(service, call.operation))
        found.tokens = {thing(service, f"{_IDEMPOTENT}{token}") for token in sent if isinstance(token, str)}
        return found

    @staticmethod
    def _may_be_its_name(service: str, each: ParameterText) -> bool:
        """May the text be the name of what the call makes? Not where the member is called like another kind of resource."""
        return each.top and each.member.lower() not in resource_kinds.kind_names(service)

    def _is_stray(self, text: str, known: Collection[str]) -> bool:
        """Is it an ARN of something that was never seen? What AWS itself owns is always there."""
        return text.startswith("arn:") and not known and arn_place(text)[1] != "aws"

    # What answers show.

    def _shown(
        self, call: Call, named: _Named, made: Collection[resource_kinds.ResourceKind]
    ) -> tuple[set[str], set[str]]:
        """Return the things of its own that the answer shows, and those of others."""
        answer = answer_texts(call.head, Outcome(call.answer.status, call.result))
        for value in (*answer.identifiers, *answer.listed):
            self._places.see_identifier(value)
        for value in answer.accounts:
            self._places.see_account(value)
        writes: set[str] = set()
        refers: set[str] = set()
        main = self._made(call, named, made)
        texts = answer.texts if call.witness else ()
        for value, one in (*((value, main) for value in answer.identifiers), *((value, "") for value in answer.listed)):
            self._take_in(call.service, value, one, answer, named, writes, refers)
        for value in texts:
            # What a witness teaches may stand in any text, such as the outputs of a stack.
            if value not in named.texts:
                self._take_in(call.service, value, "", answer, named, writes, refers)
        return writes | self._beside.drawn_by(call, answer), refers

    def _made(self, call: Call, named: _Named, made: Iterable[resource_kinds.ResourceKind]) -> str:
        """Return the one thing that a call makes; empty where it makes several, or it is not known which."""
        for kind in made:
            names = [] if kind.found_at else resource_kinds.names_made(kind, call.params, call.result)
            if len(names) == 1:
                name = short_name(names[0][-1])
                # A balancer's name stands in the middle of its ARN; whoever deletes it names that, and frees the name.
                sent = (named.sent.get(part, "") for part in parts_of_name(name))
                own = next(filter(None, sent), "") or thing(call.service, name)
                known = next(iter(self._known.named(call.service, name)), own)
                self._known.add((name,), known)
                self._known.note_drawn(each for each in {name, short_name(name)} if each not in named.texts)
                called = {named.sent.get(str(call.params.get(member)), "") for member in resource_kinds.own_names(kind)}
                if called := (called | named.tokens) - {"", known}:
                    self._called[known] |= called  # whoever ends it frees that name
                return known
        return ""

    def _take_in(
        self,
        service: str,
        value: str,
        main: str,
        answer: AnswerTexts,
        named: _Named,
        writes: set[str],
        refers: set[str],
    ) -> None:
        """Remember an identifier that an answer shows, and note which thing it is."""
        if value in self._places:
            return
        is_own = is_of(service, value)
        known = self._known.owners(value) or (self._known.named(service, value) if is_own else set())
        if known:
            own = {each for each in known if service_of(each) == service}
            writes |= own
            if not own:
                refers |= known
            return
        if value in named.texts:
            return  # what the client sent, and what it names, is known from the parameters
        if not is_own:
            elsewhere = self._known.referred_to(value)
            if elsewhere:
                refers |= elsewhere
                return
        names = names_of(value, answer)
        one = main
        for name in (*reversed(names), *parts_of_name(short_name(value))):
            if name in named.sent:
                one = named.sent[name] or thing(service, name)
                break
        one = one or thing(service, short_name(value) or value)
        self._known.add(names, one)
        self._known.note_drawn(name for name in names if name not in named.texts)
        writes.add(one)

    def _remember_table(self, operation: str, params: Mapping[str, Any]) -> None:
        table = short_name(str(params.get("TableName", "")))
        key = data_parts.hash_key_of(params) if operation == "CreateTable" else None
        if key is not None:
            self._hash_keys[table] = key
        if data_parts.begins_stream(params):
            self._streamed.add(table)

    # Data.

    def _data(self, call: Call) -> Footprint | None:
        """Return the parts that a call writes, where they are known to be all that it writes."""
        params = call.params
        try:
            match call.service:
                case "s3":
                    parts = data_parts.objects_written(params)
                case "dynamodb":
                    parts = [
                        self._item(table, item) for table, item in data_parts.items_written(call.operation, params)
                    ]
                case "sqs":
                    parts = [(short_name(params["QueueUrl"]), "messages")]
                case "kinesis":
                    parts = [(short_name(params.get("StreamName") or params["StreamARN"]), "records")]
                case "logs":
                    parts = [(params["logGroupName"], params["logStreamName"])]
                case _:
                    return None
        except (KeyError, TypeError, AttributeError):
            return None
        if not parts:
            return None
        writes = frozenset(f"{call.service} {whole}{_PART}{part}" for whole, part in parts)
        in_turn = {
            f"dynamodb {table}{_STREAM}" for table, _ in parts if call.service == "dynamodb" and table in self._streamed
        }
        refers = {_SERVICE + call.service, *self._known.owners(call.access_key), *self._pointed_at(call)}
        for whole in {whole for whole, _part in parts}:
            # One that a stack made may be known only from what a call of another service showed.
            refers |= self._known.named(call.service, whole) or {
                thing(call.service, short_name(whole)),
                *self._known.owners(whole),
            }
            if call.service == "s3":
                refers |= {each for _, key in parts for each in self._known.drawn_in(key)}
        if len(writes) == 1 and may_show_identifiers(call.head, call.answer):
            self._note_data(call, min(writes))
        # A copy of an object onto itself both reads and writes it.
        return Footprint(writes | in_turn, frozenset(refers - writes), data=True)

    def _note_data(self, call: Call, part: str) -> None:
        """Remember the identifiers that the emulator drew for data: a later call may name something after one."""
        sent = set(all_texts(call.params))
        answer = answer_texts(call.head, Outcome(call.answer.status, call.result))
        for value in (*answer.identifiers, *answer.listed):
            if value not in sent:
                self._known.note_data(value, part)

    def _item(self, table: str, item: Mapping[str, Any]) -> tuple[str, str]:
        table = short_name(table)
        key = self._hash_keys.get(table)
        if key is None or key not in item:
            return table, "items"
        return table, data_parts.key_text(item[key])

    def _pointed_at(self, call: Call) -> set[str]:
        """Return what a write of data refers to beside what holds it: the source of a copy, a key."""
        rest = data_parts.referring_params(call.service, call.params)
        if not rest:
            return set()
        found: set[str] = set()
        source = data_parts.copy_source(rest)
        if source is not None:
            bucket, key = source
            found |= {thing("s3", bucket), f"s3 {bucket}{_PART}{key}"}
        for each in parameter_texts(call.head, rest):
            found |= self._known.referred_to(each.text)
        return found
