"""Kinds of resources, as people see them: what makes one, what ends it, and how calls name it.

Most stand in the models, as `footprint.resource_kinds` reads them (`CreateX` and `DeleteX`) and as the same rule reads other
verbs (`PutRule` and `DeleteRule`, `RegisterX` and `DeregisterX`). Where the models are silent, `data/kinds.json` has an entry
with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy.footprint import resource_kinds
from replay_proxy.footprint.names.resource_names import last_part, own_name
from replay_proxy.resources.member_values import folded_get, holders, members_shown, texts, texts_of
from replay_proxy.resources.resource_types import type_of
from replay_proxy.wire.models import models

_DATA = Path(__file__).parent / "data" / "kinds.json"
_SERVICES, _OPERATIONS = 1024, 32768
_PAIRS: Final = (("Put", "Delete"), ("Register", "Deregister"), ("Import", "Delete"), ("Request", "Delete"))
_ENDING: Final = re.compile(r"(Id|Arn|ARN|Url)s?$")
_STEM: Final = re.compile(r"(?:Id|Arn|ARN|Name|Url|Identifier)s?$|^(?:id|arn|name|url|identifier)$")
_NO_NAMES: Final = frozenset({"PendingConfirmation", "pending confirmation", ""})
_DEPTH: Final = 3
_GENERAL: Final = frozenset({"id", "name", "arn", "identifier"})
"""Members, in lower case, that name whatever an operation is about."""
MAKING: Final = ("Create", "Register", "Import", "Allocate", "Request", "Publish", "Run", "Put")
"""Verbs of operations that make a resource, also where no kind is known."""


@dataclass(frozen=True)
class Kind:
    """A kind of resource of a service.

    named: the members that name one, what it is a part of first. own: the spellings of the last of them in a creation and its
    answer, in lower case. by_id: it is named by what the emulator drew. found_at: where the answer lists what was made.
    defaults: what a member means that is left out. part_of: kind and member of what it goes with, where `named` does not say so.
    also_named: other members that name one in calls. brought_by: kind and member of what makes one by itself.
    """

    service: str
    name: str
    made_by: tuple[str, ...]
    ended_by: tuple[str, ...]
    named: tuple[str, ...]
    made_as: tuple[str, ...] = ()
    found_at: str = ""
    defaults: Mapping[str, str] = field(default_factory=dict)
    part_of: tuple[str, str] | None = None
    also_named: tuple[str, ...] = ()
    brought_by: tuple[str, str] | None = None

    @property
    def type(self) -> str:
        """Its name in CloudFormation, or `service: Noun`."""
        return type_of(self.service, self.name)

    @property
    def is_by_id(self) -> bool:
        """Whether the emulator draws what it is named by."""
        own = self.named[-1]
        return _ENDING.search(own) is not None or own in ("UUID", "apiKey", "id") or bool(self._drawn_as)

    @cached_property
    def _drawn_as(self) -> tuple[str, ...]:
        """The members of the answer to a creation that show what calls take as an identifier, where no creation takes it."""
        own = self.named[-1]
        if self.made_as or not own.lower().endswith("identifier"):
            return ()
        made_by = [models.operation_model(self.service, each) for each in self.made_by]
        taken = {member.lower() for each in made_by if each.input_shape for member in each.input_shape.members}
        shown = {member for each in made_by for member in members_shown(each.output_shape, _DEPTH - 1)}
        spellings = tuple(dict.fromkeys((own, f"{self.name}Id", f"{self.name}Identifier", "Id", "Identifier")))
        return spellings if own.lower() not in taken and any(each.lower() in shown for each in spellings) else ()

    def names_in(self, params: Mapping[str, Any]) -> list[tuple[str, ...]]:
        """Return the names of such resources that parameters give; several where the naming member is a list."""
        whole = self._whole(params)
        if whole is None:
            return []
        for spelling in self._spellings_in_calls():
            value = params.get(spelling)
            if isinstance(value, str) and value:
                return [(*whole, self._short(value))]
            if isinstance(value, list):
                return [(*whole, self._short(each)) for each in value if isinstance(each, str)]
            if isinstance(value, int) and not isinstance(value, bool):
                return [(*whole, str(value))]
        default = self.defaults.get(self.named[-1])
        return [(*whole, default)] if default is not None and len(self.named) > 1 else []

    def names_made(self, params: Mapping[str, Any], result: Mapping[str, Any]) -> list[tuple[str, ...]]:
        """Return the names of what a creation made; empty where it cannot be told."""
        if self.found_at:
            member, _, own = self.found_at.partition(".")
            return [(str(each[own]),) for each in result.get(member, ()) if isinstance(each, dict) and each.get(own)]
        whole = self._whole(params, result)
        if whole is None:
            return []
        own_members = self._spellings_in_creation()
        sent = [value for member in own_members for value in texts(folded_get(params, member))]
        if not sent and not self.is_by_id:
            # `CreateDatabase` has its name in `DatabaseInput`.
            sent = [value for member in own_members for value in texts_of(params, member, 2)]
        shown = [value for member in own_members for value in texts_of(result, member, _DEPTH)]
        values = [*shown, *sent] if self.is_by_id else [*sent, *shown]
        if sent and not self.is_by_id:
            # A service that keeps names in lower case shows it so: `FooBar` is `foobar` from then on.
            values = [next((each for each in shown if each.casefold() == sent[0].casefold()), sent[0]), *values]
        names = list(dict.fromkeys(str(self._short(value)) for value in values if value not in _NO_NAMES))
        if not names and not result and self.named[-1].endswith(("Url", "Arn", "ARN")):
            # The recording has no answer (one of another tool). What an address or an ARN ends in is the name that was sent.
            chosen = (f"{self.name}Name", "Name")
            names = [value for member in chosen for value in texts(folded_get(params, member))][:1]
        if not names:
            default = next((self.defaults[each] for each in own_members if each in self.defaults), None)
            default = default or self.defaults.get(self.named[-1])
            return [(*whole, default)] if default is not None else []
        if self.named[-1].endswith("s") and not self.made_as and len(shown) > 1:
            return [(*whole, name) for name in names]
        return [(*whole, names[0])]

    @cached_property
    def _identifying(self) -> frozenset[str]:
        """The members that identify one, in lower case."""
        spellings = (*self._spellings_in_creation(), *self._spellings_in_calls())
        named = (f"{self.name}{each}" for each in ("Id", "Arn", "Url", "Name"))
        return frozenset(each.lower() for each in (*spellings, *named, "Arn", "Id", "Name", "Url", "UUID"))

    def other_names(self, params: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, str]:
        """Return member and value of everything in a creation and its answer that identifies what was made."""
        wanted = self._identifying
        found: dict[str, str] = {}
        for holder in (params, result, *holders(result, self.name)):
            found |= {
                member: value
                for member, value in holder.items()
                if member.lower() in wanted and isinstance(value, str) and value not in _NO_NAMES
            }
        return found

    def _whole(self, params: Mapping[str, Any], result: Mapping[str, Any] | None = None) -> tuple[str, ...] | None:
        names = []
        for member in self.named[:-1]:
            value = folded_get(params, member)
            if value is None and result is not None:
                value = next(texts_of(result, member, _DEPTH), None)
            value = value or self.defaults.get(member)
            if not isinstance(value, str):
                return None
            names.append(last_part(value) if value.startswith("arn:") and member != "FunctionName" else own_name(value))
        return tuple(names)

    def _short(self, value: str) -> str:
        if value.startswith("arn:") and len(self.named) > 1:
            return last_part(value)
        return own_name(value)

    def _spellings_in_calls(self) -> tuple[str, ...]:
        return (*_spellings_in_calls(self.service, self.name, self.named[-1], self.made_as), *self.also_named)

    def _spellings_in_creation(self) -> tuple[str, ...]:
        return self._drawn_as or _spellings_in_creation(self.name, self.named[-1], self.made_as)


@lru_cache(maxsize=_OPERATIONS)
def _spellings_in_calls(service: str, name: str, member: str, made_as: tuple[str, ...]) -> tuple[str, ...]:
    lower = f"{name[:1].lower()}{name[1:]}"
    found = [member]
    if member.endswith("s"):
        found.append(member[:-1])
    else:
        found.append(f"{member}s")
    ending = _ENDING.search(member)
    if ending is None or member.startswith(name):
        found += [name, lower]
        found += [f"{each}{end}" for each in (name, lower) for end in ("Name", "Arn", "ARN", "Id")]
    found += [each for each in made_as if each.lower() not in ("id", "name", "arn", "version")]
    return tuple(dict.fromkeys(found))


@lru_cache(maxsize=_OPERATIONS)
def _spellings_in_creation(name: str, member: str, made_as: tuple[str, ...]) -> tuple[str, ...]:
    if made_as:
        return made_as
    single = member.removesuffix("s")
    ending = _ENDING.search(member)
    if ending is not None:
        return tuple(dict.fromkeys((member, single, f"{name}{ending[1]}", ending[1])))
    return tuple(dict.fromkeys((member, single, f"{name}Name", f"{name}Arn", "Name", "Arn")))


@lru_cache(maxsize=1)
def _table() -> Mapping[str, Any]:
    document: dict[str, Any] = orjson.loads(_DATA.read_bytes())
    return document


@lru_cache(maxsize=1)
def relations() -> dict[str, tuple[str, ...]]:
    """Return the verbs that end what another verb began: `Detach` for `Attach`; by the ending one."""
    table = _table()["relations"]
    begun: dict[str, list[str]] = {}
    for begin, end in zip(table["begin"], table["end"], strict=True):
        begun.setdefault(end, []).append(begin)
    return {end: tuple(begins) for end, begins in begun.items()}


@lru_cache(maxsize=_OPERATIONS)
def is_no_resource(service: str, operation: str) -> bool:
    """Tell whether what a creation makes is no resource by itself: a label, an entry, a part of data."""
    return any(
        operation in entry["operations"] and entry.get("service", service) == service
        for entry in _table()["no_resources"]
    )


@lru_cache(maxsize=1)
def _no_names() -> frozenset[str]:
    return frozenset(_table()["no_names"]["members"])


@lru_cache(maxsize=1)
def verbs_without_change() -> frozenset[str]:
    """Return the verbs of operations that use a resource, and leave it as it was."""
    return frozenset(_table()["no_changes"]["verbs"])


@lru_cache(maxsize=1)
def maker_tags() -> tuple[tuple[str, str], ...]:
    """Return the tags by which something marks what it makes by itself, each with the service of what does."""
    return tuple((entry["tag"], entry["service"]) for entry in _table()["maker_tags"])


@lru_cache(maxsize=1)
def no_attributes() -> frozenset[str]:
    """Return the members, in lower case, that say something of a request and not of what it is about."""
    return frozenset(member.lower() for member in _table()["no_attributes"]["members"])


@dataclass(frozen=True, slots=True)
class PatchedList:
    """How patch operations name the entries of a list.

    names: of the parts of an entry, where it is a structure. between: what stands between these. by_path: by the end of the path.
    """

    names: tuple[str, ...]
    between: str
    by_path: bool


@lru_cache(maxsize=_SERVICES)
def patched_list(service: str, noun: str, member: str) -> PatchedList | None:
    """Return how patch operations name the entries of a list; None where that is not known."""
    for entry in _table()["patched_lists"]:
        if (entry["service"], entry["name"], entry["member"]) == (service, noun, member):
            return PatchedList(tuple(entry.get("names", ())), entry.get("between", ""), bool(entry.get("by_path")))
    return None


@lru_cache(maxsize=1)
def _switches() -> dict[str, dict[str, Any]]:
    return {f"{entry['service']}:{entry['operation']}": entry["sets"] for entry in _table()["switches"]}


def switched_by(service: str, operation: str) -> dict[str, Any]:
    """Return the attributes that an operation sets by being called, none of its parameters: `State` of `DisableRule`."""
    return _switches().get(f"{service}:{operation}", {})


@lru_cache(maxsize=_SERVICES)
def kinds_of(service: str) -> tuple[Kind, ...]:
    """Return all kinds of a service."""
    found = [_reviewed(entry) for entry in _table()["kinds"] if entry["service"] == service]
    names = {kind.name for kind in found}
    by_name: dict[str, list[resource_kinds.ResourceKind]] = {}
    for known in resource_kinds.all_kinds_of(service):
        if known.name not in names:
            by_name.setdefault(known.name, []).append(known)
    for name, (first, *others) in by_name.items():
        # Several ways to name one: the first tells it, the members of the others are further names.
        found.append(
            Kind(
                service,
                name,
                tuple(dict.fromkeys((*first.created_by, *(op for each in others for op in each.created_by)))),
                tuple(dict.fromkeys((*first.deleted_by, *(op for each in others for op in each.deleted_by)))),
                _own_last(name, first.named),
                first.made_as,
                first.found_at,
                also_named=tuple(each.named[-1] for each in others if len(each.named) == 1),
            )
        )
    names = {kind.name for kind in found}
    found += [kind for kind in _of_other_verbs(service) if kind.name not in names]
    return tuple(found)


def _reviewed(entry: Mapping[str, Any]) -> Kind:
    part, brought = entry.get("part_of"), entry.get("brought_by")
    return Kind(
        entry["service"],
        entry["name"],
        tuple(entry["made_by"]),
        tuple(entry["ended_by"]),
        tuple(entry["named"]),
        tuple(entry.get("made_as", ())),
        entry.get("found_at", ""),
        dict(entry.get("defaults", {})),
        (part["kind"], part["by"]) if part else None,
        tuple(entry.get("also_named", ())),
        (brought["kind"], brought["by"]) if brought else None,
    )


def _of_other_verbs(service: str) -> Iterator[Kind]:
    try:
        operations = set(models.service_model(service).operation_names)
    except LookupError:
        return
    seen = set()
    for begin, end in _PAIRS:
        for operation in sorted(operations):
            name = operation.removeprefix(begin)
            if name == operation or name in seen or f"{end}{name}" not in operations:
                continue
            if is_no_resource(service, operation):
                continue
            made, ended = (models.operation_model(service, f"{verb}{name}").input_shape for verb in (begin, end))
            required = list(ended.required_members) if ended is not None else []
            if made is None or not required or not all(ended.members[m].type_name == "string" for m in required):
                continue
            if begin == "Put" and not set(required) <= set(made.members):
                continue
            if any(name.lower().endswith(_STEM.sub("", member).lower()) for member in required):
                seen.add(name)
                yield Kind(service, name, (operation,), (f"{end}{name}",), _own_last(name, tuple(required)))


def _own_last(name: str, named: Sequence[str]) -> tuple[str, ...]:
    """Return naming members with the one last that names the thing itself, and not what it is a part of."""
    named = [each for each in named if each not in _no_names()] or named
    fitting = [each for each in named if name.lower().endswith(_STEM.sub("", each).lower())]
    if not fitting:
        return tuple(named)
    own = max(fitting, key=lambda each: len(_STEM.sub("", each)))
    return (*(each for each in named if each != own), own)


@lru_cache(maxsize=_SERVICES)
def kind_named(service: str, noun: str) -> Kind | None:
    """Return the kind of a service that is called so, without regard to case and number; None where there is none."""
    folded = noun.lower()
    for kind in kinds_of(service):
        if kind.name.lower() in (folded, folded.removesuffix("s")):
            return kind
    return None


@lru_cache(maxsize=_OPERATIONS)
def made_by(service: str, operation: str) -> tuple[Kind, ...]:
    """Return the kinds that an operation makes."""
    return tuple(kind for kind in kinds_of(service) if operation in kind.made_by)


@lru_cache(maxsize=_OPERATIONS)
def ended_by(service: str, operation: str) -> tuple[Kind, ...]:
    """Return the kinds that an operation ends."""
    return tuple(kind for kind in kinds_of(service) if operation in kind.ended_by)


@lru_cache(maxsize=_OPERATIONS)
def nameable(service: str, operation: str) -> tuple[Kind, ...]:
    """Return the kinds that an operation may name, the most likely subject first.

    That is the one with the most naming members; of several, the one that the operation's name says first, or that stands
    after its `To` or `From`.
    """
    try:
        shape = models.operation_model(service, operation).input_shape
    except LookupError:
        return ()
    members = {member.lower() for member in shape.members} if shape is not None else set()
    found = []
    for kind in kinds_of(service):
        if not all(each.lower() in members or each in kind.defaults for each in kind.named[:-1]):
            continue
        spellings = {each.lower() for each in kind._spellings_in_calls()} & members
        if not spellings and (kind.named[-1] not in kind.defaults or kind.name not in operation):
            continue
        specific = any(_STEM.sub("", each).lower() == kind.name.lower() for each in spellings) or any(
            each.startswith(kind.name.lower()) for each in spellings
        )
        particular = len(kind.named) > 1 and not spellings <= _GENERAL
        if particular or specific or kind.name in operation:
            # What is left out means the usual one where an operation is about such a thing: not in one about another.
            own = kind.named[-1] if kind.name not in operation else ""
            found.append(replace(kind, defaults={member: v for member, v in kind.defaults.items() if member != own}))
    return tuple(sorted(found, key=lambda kind: _subject_rank(kind, operation)))


def _subject_rank(kind: Kind, operation: str) -> tuple[int, int]:
    for preposition in ("To", "From"):
        _, found, after = operation.partition(preposition)
        if found and after.startswith(kind.name):
            return -len(kind.named), -1
    at = operation.find(kind.name)
    return -len(kind.named), at if at >= 0 else len(operation)
