"""Which operations show a resource, and with which parameters.

The models tell it: an operation that only reads, called after the kind of the resource, whose required members can be filled with
what the recording knows the resource by. Best is one that is asked for exactly one; then one that is asked for several by name or
id; last one that lists all, in whose answer the resource is looked for. `data/readings.json` has what the models do not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from botocore.model import Shape

from replay_proxy.doctor.answers import table
from replay_proxy.footprint.names.resource_names import own_name
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.resources.kinds import kind_named
from replay_proxy.resources.resource import Resource
from replay_proxy.wire.models.models import operation_model, service_model
from replay_proxy.wire.mutability.judge import judge

_OPERATIONS: Final = 32768
_SINGLE: Final = ("Get", "Describe", "Head", "AdminGet")
_SEVERAL: Final = ("Describe", "Get", "BatchGet", "List", "Search")
_MORE: Final = ("Attributes", "Configuration", "Details", "Info", "Summary", "Status", "Properties")
_ENDINGS: Final = ("Identifier", "Arn", "ARN", "Name", "Url", "Id")


@dataclass(frozen=True, slots=True)
class Reading:
    """A read that shows a resource. parameters: as boto3 takes them. search: the answer may be about others, too."""

    service: str
    operation: str
    parameters: Mapping[str, Any]
    search: bool

    @property
    def key(self) -> str:
        """What two equal reads have in common."""
        return f"{self.service}:{self.operation} {sorted(self.parameters.items())!r}"


class Names:
    """By what a resource is known, by the members that calls name it with, in lower case. whole: what it is a part of."""

    def __init__(self, model: ResourceModel, resource: Resource) -> None:
        self.resource = resource
        self.kind = kind_named(resource.service, resource.key.noun)
        self._values: dict[str, str] = {}
        named = self.kind.named if self.kind is not None else ()
        for parent in resource.parents:
            if parent in model.resources:
                self._take(model.resources[parent], overwrite=False)
        arn = model.arn(resource)
        for member, name in zip(named, resource.key.names, strict=False):
            # What a stack made may be known by its name alone, where calls name such a thing by its ARN.
            value = arn if arn and member is named[-1] and member.lower().endswith("arn") else name
            # An id may be written with a path; what the parent is called by stays.
            if value and own_name(self._values.get(member.lower(), "")) != own_name(value):
                self._values[member.lower()] = value
        self._take(resource, overwrite=True)
        for spelling in self._spellings():
            self._values.setdefault(spelling, self._by_ending(spelling, arn))
        if arn:
            for spelling in ("arn", "resourcearn", "resource", f"{resource.key.noun.lower()}arn"):
                self._values.setdefault(spelling, arn)

    def _take(self, resource: Resource, *, overwrite: bool) -> None:
        noun = resource.key.noun.lower()
        for member, value in resource.identifiers.items():
            lower = member.lower()
            for name in (lower, f"{noun}{lower}" if lower in ("id", "arn", "name", "url") else lower):
                if overwrite or name not in self._values:
                    self._values[name] = value

    def _spellings(self) -> Iterator[str]:
        if self.kind is None:
            return
        noun = self.kind.name.lower()
        last = self.kind.named[-1].lower()
        yield from (last, last.removesuffix("s"), noun, f"{noun}name", f"{noun}id", f"{noun}identifier")
        yield from (each.lower() for each in (*self.kind.made_as, *self.kind.also_named))

    def _by_ending(self, spelling: str, arn: str) -> str:
        """Return the identifier of the kind that a member is called after: an ARN where it ends so. arn: where it is known."""
        own = self.resource.key.names[-1]
        for ending, known in (("arn", arn), ("url", "")):
            if spelling.endswith(ending):
                identifiers = self.resource.identifiers.items()
                return next((v for m, v in identifiers if m.lower().endswith(ending)), known or own)
        return own

    def value(self, member: str) -> str | None:
        """Return what a member of this name takes; None where that is not known."""
        lower = member.lower()
        for name in (lower, lower.removesuffix("s"), f"{lower}s"):
            if name in self._values:
                return self._values[name]
        given = next((each for name, each in self.resource.attributes.items() if name.lower() == lower), None)
        if isinstance(given, str) and given:
            return given
        noun = self.resource.key.noun.lower()
        if lower in ("id", "identifier", "name", "names", "ids", "arns", "arn"):
            single = lower.rstrip("s")
            found = self._values.get(f"{noun}{single}")
            by_id = self.kind is not None and self.kind.is_by_id
            return found or (self.resource.key.names[-1] if single != "arn" and (single != "id" or by_id) else None)
        return None

    @property
    def all(self) -> frozenset[str]:
        """Every name of the resource itself."""
        own = {self.resource.key.names[-1], *self.resource.identifiers.values()}
        parents = self.kind.named[:-1] if self.kind is not None else ()
        own -= {value for member, value in self.resource.identifiers.items() if member in parents}
        return frozenset(each for each in own if each)


def readings_of(names: Names) -> list[Reading]:
    """Return the reads that show a resource, the best first; empty where there is none."""
    resource = names.resource
    key = f"{resource.service}:{resource.key.noun}"
    if key in _not_examined():
        return []
    found: list[Reading] = []
    entry = _reviewed().get(key)
    if entry is not None:
        reading = _filled(resource.service, entry["operation"], names, search=bool(entry.get("search")), entry=entry)
        if reading is not None:
            found.append(reading)
    for operation, is_single in _candidates(resource.service, resource.key.noun):
        reading = _filled(resource.service, operation, names, search=not is_single, entry=None)
        if reading is not None and all(each.operation != reading.operation for each in found):
            found.append(reading)
    return found


def readings_after(names: Names, setter: str) -> list[Reading]:
    """Return the reads of what an operation sets: one, several where each shows one attribute, or none."""
    reading = reading_after(names, setter)
    return [reading] if reading is not None else list(_readings_of_attributes(names, setter))


def _readings_of_attributes(names: Names, setter: str) -> Iterator[Reading]:
    """Return the reads of what `ModifyVpcAttribute` sets: `DescribeVpcAttribute` is asked for one attribute at a time."""
    service = names.resource.service
    operation = f"Describe{setter.removeprefix('Modify')}"
    if not setter.startswith("Modify") or operation not in reads_of_service(service):
        return
    shape = operation_model(service, operation).input_shape
    asked = shape.members.get("Attribute") if shape is not None and "Attribute" in shape.required_members else None
    offered = {each.lower(): each for each in getattr(asked, "enum", ())}
    for member in names.resource.attributes:
        if member.lower() in offered:
            fixed = {"Attribute": offered[member.lower()]}
            reading = _filled(service, operation, names, search=False, entry={"fixed": fixed})
            if reading is not None:
                yield reading


def reading_after(names: Names, setter: str) -> Reading | None:
    """Return the read of what an operation sets (`PutBucketPolicy`: `GetBucketPolicy`); None where there is none."""
    service = names.resource.service
    setter = setter.removeprefix("Admin")
    noun = setter
    for verb in (
        "Put",
        "Set",
        "Modify",
        "Update",
        "Add",
        "Attach",
        "Associate",
        "Register",
        "Create",
        "Enable",
        "Rotate",
    ):
        if setter.startswith(verb):
            noun = setter.removeprefix(verb)
            break
    operations = [
        each["operation"] for each in table()["link_readings"] if (each["service"], each["noun"]) == (service, noun)
    ]
    operations += [f"{verb}{stem}" for verb in ("Get", "Describe", "List") for stem in (noun, f"{noun}s")]
    for operation in operations:
        if operation in reads_of_service(service):
            reading = _filled(service, operation, names, search=False, entry=None)
            if reading is not None and reading.parameters:  # else it lists all there are, perhaps by name alone
                return reading
    return None


def reading_of(names: Names, operation: str) -> Reading | None:
    """Return a read of a resource by an operation; None where it is not known what it is to be asked with."""
    return _filled(names.resource.service, operation, names, search=False, entry=None)


@lru_cache(maxsize=1)
def _reviewed() -> Mapping[str, Mapping[str, Any]]:
    return {entry["kind"]: entry for entry in table()["readings"]}


@lru_cache(maxsize=1)
def _not_examined() -> frozenset[str]:
    return frozenset(entry["kind"] for entry in table()["not_examined"])


@lru_cache(maxsize=256)
def reads_of_service(service: str) -> frozenset[str]:
    """Return the operations of a service that only read."""
    try:
        operations = service_model(service).operation_names
    except LookupError:
        return frozenset()
    return frozenset(each for each in operations if not judge(service, each).mutates)


@lru_cache(maxsize=_OPERATIONS)
def members_answered(service: str, operation: str) -> frozenset[str]:
    """Return the names, in lower case, of all members that the answer of an operation can have."""
    found: set[str] = set()
    seen: set[str] = set()
    open_shapes = [operation_model(service, operation).output_shape]
    while open_shapes:
        shape = open_shapes.pop()
        if shape is None or shape.name in seen:
            continue
        seen.add(shape.name)
        if shape.type_name == "structure":
            found |= {member.lower() for member in shape.members}
            open_shapes += shape.members.values()
        elif shape.type_name == "list":
            open_shapes.append(shape.member)
        elif shape.type_name == "map":
            open_shapes.append(shape.value)
    return frozenset(found)


@lru_cache(maxsize=_OPERATIONS)
def _candidates(service: str, noun: str) -> tuple[tuple[str, bool], ...]:
    """Return the operations that may show such a resource, each with whether it is asked for exactly one."""
    reads = reads_of_service(service)
    plurals = (f"{noun}s", f"{noun}es", f"{noun[:-1]}ies")
    single = [(f"{verb}{noun}", True) for verb in _SINGLE]
    several = [(f"{verb}{plural}", False) for verb in _SEVERAL for plural in plurals]
    partial = [(f"{verb}{noun}{more}", True) for more in _MORE for verb in _SINGLE]
    return tuple((operation, whole) for operation, whole in (*single, *several, *partial) if operation in reads)


def _filled(
    service: str, operation: str, names: Names, *, search: bool, entry: Mapping[str, Any] | None
) -> Reading | None:
    """Return a read with its parameters; None where a required one is not known."""
    if operation not in reads_of_service(service):
        return None
    entry = entry or {}
    parameters = parameters_naming(service, operation, names, entry.get("fixed", {}), entry.get("named_by", {}))
    return None if parameters is None else Reading(service, operation, parameters, search)


def parameters_naming(
    service: str,
    operation: str,
    names: Names,
    fixed: Mapping[str, Any] | None = None,
    named_by: Mapping[str, str] | None = None,
) -> dict[str, Any] | None:
    """Return the parameters with which an operation is about a resource; None where a required one is not known.

    fixed: parameters as they are. named_by: for members of another name, the one whose value they take.
    """
    shape = operation_model(service, operation).input_shape
    members: Mapping[str, Shape] = shape.members if shape is not None else {}
    required = set(shape.required_members) if shape is not None else set()
    named_by, fixed = named_by or {}, fixed or {}
    parameters: dict[str, Any] = {}
    for member, part in members.items():
        if member in fixed:
            parameters[member] = fixed[member]
            continue
        is_text = part.type_name == "string" or (part.type_name == "list" and part.member.type_name == "string")
        is_number = part.type_name in ("integer", "long")
        if not (is_text or is_number) or (getattr(part, "enum", None) and member not in required):
            if member in required:
                return None
            continue
        if member not in required and member not in named_by and not names_it(member, names):
            continue
        value = names.value(named_by.get(member, member))
        is_usual = names.kind is not None and value == names.kind.defaults.get(member, "")
        if is_usual and member not in required:
            continue  # not every emulator takes what is left out for the same as what it means
        if value is None or (is_number and not value.isdecimal()):
            if member in required:
                return None
            continue
        if part.serialization.get("location") == "uri":
            value = own_name(value) if value.startswith("/") else value
        parameters[member] = [value] if part.type_name == "list" else int(value) if is_number else value
    return parameters


def names_it(member: str, names: Names) -> bool:
    """Does a member that may be left out name the resource itself, or what it is a part of?"""
    kind, noun = names.kind, names.resource.key.noun
    lower = member.lower().removesuffix("s")
    stems = {noun.lower(), *(f"{noun}{ending}".lower() for ending in _ENDINGS)}
    if kind is not None:
        stems |= {each.lower().removesuffix("s") for each in (*kind.named, *kind.made_as, *kind.also_named)}
    return lower in stems - {"version", "action", "type"}
