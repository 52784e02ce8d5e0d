"""Whether an emulator still holds what was recorded, found by asking it; for emulators that can keep no session mark.

A restore into an emulator that lived on would make everything twice. Most creations are not refused the second time: a queue of
the same name is the same queue, a network is one more. So before anything is sent, the emulator is asked for some resources that
the recording made and nothing undid. The calls that ask list such resources and need no parameters, so they cannot echo what they
were asked. An emulator that was restarted lists none of them.

Identifiers that the emulator generated (`vpc-…`) are the better proof: no script that fills a new emulator makes a resource again
under the identifier that the session remembers. One of them suffices. Names that clients chose could be there again because such
a script chose them, too. So they only count where there is nothing better, and then all that are asked for must be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from replay_proxy.errors import MalformedMessage, RecordingError, StorageError
from replay_proxy.exchange import Answer, BlobRef, CallHead, Request
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope
from replay_proxy.identifiers.table.scan import translated
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.journal.read.reader import Recording
from replay_proxy.replay.planning.plan import Plan
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import operation_model, protocol_of, service_model
from replay_proxy.wire.models.service_index import service_index
from replay_proxy.wire.mutability.judge import judge
from replay_proxy.wire.signing.sigv4 import Credential, sign_again

PROBES_MAX = 12
"""Resources that are asked for: half of them the oldest, half the latest."""
_MAKING = ("Create", "Run", "Register", "Import", "Allocate", "Publish", "Put", "Request")
_READING = ("List", "Describe", "Get")
_NAMING = ("identifier", "name", "arn", "url", "id")
_PAGE_ENTRIES = 50
"""Entries of a page, where a call requires a size."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A resource to ask for. names: what it is called. generated: the emulator named it, and not a client.

    head, parameters: the call that lists such resources. credential: the one that the call is signed with.
    """

    names: tuple[str, ...]
    generated: bool
    head: CallHead
    parameters: Mapping[str, Any]
    credential: Credential

    def request(self, secret_key: str) -> Request:
        """Return the request that lists such resources. secret_key: to sign with, where the emulator checks signatures."""
        service, region = self.head.service, self.head.region or "us-east-1"
        host = f"{service_model(service).endpoint_prefix}.{region}.amazonaws.com"
        request = build_request(self.head, self.parameters, host)
        key = self.credential.access_key or "test"
        signing_name = service_index().services[service].signing_name
        return sign_again(request, access_key=key, region=region, service=signing_name, secret_key=secret_key)

    def is_in(self, answer: Answer, aliases: AliasTable) -> bool | None:
        """Return whether an answer lists the resource; None where it cannot be read."""
        try:
            outcome = parse_answer(self.head, answer)
        except MalformedMessage:
            return None
        if not outcome.ok:
            return None
        scope = Scope(self.head.account, self.head.region)
        names = [translated(name, aliases, scope, to_client=False) for name in self.names]
        return any(_is_called(text, name) for text in _texts(outcome.parsed) for name in names)


def entry_count(probe: Probe, answer: Answer) -> int:
    """Return how many entries the longest list of an answer has."""
    try:
        return max((len(each) for each in _lists(parse_answer(probe.head, answer).parsed)), default=0)
    except MalformedMessage:
        return 0


def probes_of(recording: Recording, plan: Plan) -> list[Probe]:
    """Return the resources to ask for; empty where no call can list what was made. Blocking."""
    made = [seq for seq in plan.order if _makes(recording, seq)]
    found: dict[tuple[str, ...], Probe] = {}
    half = PROBES_MAX // 2
    for seqs, most in ((made, half), (reversed(made), PROBES_MAX)):
        for seq in seqs:
            if len(found) >= most:
                break
            probe = _probe_at(recording, seq)
            if probe is not None:
                found.setdefault(probe.names, probe)
    return list(found.values())


def is_present(listed: Iterable[tuple[Probe, bool | None]], *, aliases_known: bool) -> bool | None:
    """Return whether the emulator still holds what was recorded, by whether it lists resources; None where it could not be asked.

    listed: resources, each with whether it is listed (None: unknown). aliases_known: it is known what the emulator calls today
    what it had named itself; else only a resource that it named the same is found.
    """
    known = [(probe, there) for probe, there in listed if there is not None]
    generated = [there for probe, there in known if probe.generated]
    named = [there for probe, there in known if not probe.generated]
    if any(generated):
        return True
    if generated and (aliases_known or not named):
        return False
    return all(named) if named else None


def _makes(recording: Recording, seq: int) -> bool:
    what = recording.index.call_type(recording.index.position(seq))
    return what.kind is RecordKind.MUTATION and bool(_listing(what.service, what.operation))


def _probe_at(recording: Recording, seq: int) -> Probe | None:
    try:
        record = recording.fetch(seq)
        return probe_of(record)
    except (MalformedMessage, RecordingError, StorageError, LookupError):
        return None


def probe_of(record: Record) -> Probe | None:
    """Return how to ask for what a recorded call made; None where there is no way. Raises MalformedMessage, LookupError."""
    head = record.head
    if head is None or isinstance(record.request.body, BlobRef) or isinstance(record.answer.body, BlobRef):
        return None
    listing = _listing(head.service, head.operation)
    if not listing:
        return None
    noun = _noun(head.operation)
    asked = parse_parameters(head, record.request)
    chosen = {text for text in _texts(asked) if text}
    shown = [text for text in _own(parse_answer(head, record.answer, record.request).parsed, noun) if text]
    generated = tuple(dict.fromkeys(text for text in shown if not any(_is_part(each, text) for each in chosen)))
    named = tuple(dict.fromkeys(text for text in _own(asked, noun) if text))
    if not generated and not named:
        return None
    operation, parameters = listing
    protocol = protocol_of(head.service)
    reading = replace(head, operation=operation, protocol=protocol)
    return Probe(generated or named, bool(generated), reading, parameters, record.credential)


@lru_cache(maxsize=1024)
def _listing(service: str, making: str) -> tuple[str, Mapping[str, Any]] | None:
    """Return the operation that lists what the operation `making` makes, with its parameters; None where there is none."""
    noun = _noun(making)
    if not noun:
        return None
    try:
        operations = frozenset(service_model(service).operation_names)
    except LookupError:
        return None
    for word in _READING:
        for plural in (f"{noun}s", f"{noun}es", f"{noun[:-1]}ies", noun):
            operation = f"{word}{plural}"
            if operation in operations and not judge(service, operation).mutates:
                parameters = _minimal_parameters(service, operation)
                if parameters is not None:
                    return operation, parameters
    return None


def _minimal_parameters(service: str, operation: str) -> Mapping[str, Any] | None:
    """Return the fewest parameters that a call can do with; None where it needs more than the size of a page."""
    shape = operation_model(service, operation).input_shape
    parameters = {}
    for name in shape.required_members if shape is not None else ():
        member = shape.members[name]
        if member.type_name not in ("integer", "long"):
            return None
        parameters[name] = min(_PAGE_ENTRIES, int(member.metadata.get("max", _PAGE_ENTRIES)))
    return parameters


def _noun(operation: str) -> str:
    for word in _MAKING:
        if operation.startswith(word):
            noun = operation.removeprefix(word)
            return noun.removesuffix("s") if word == "Run" else noun
    return ""


def _own(value: Any, noun: str, depth: int = 0) -> Iterator[str]:
    """Return the texts in members that name a resource itself: `VpcId` of a `Vpc`, `GroupId` of a `SecurityGroup`."""
    if depth > 4:
        return
    if isinstance(value, Mapping):
        for name, each in value.items():
            if isinstance(each, str):
                if _names(name, noun):
                    yield each
            else:
                yield from _own(each, noun, depth + 1)
    elif isinstance(value, list):
        for each in value:
            yield from _own(each, noun, depth + 1)


def _names(member: str, noun: str) -> bool:
    lower, thing = member.lower(), noun.lower()
    if lower == thing:
        return True
    for suffix in _NAMING:
        if lower.endswith(suffix):
            return thing.endswith(lower.removesuffix(suffix))
    return False


def _is_part(chosen: str, text: str) -> bool:
    """Return whether what a client chose is a whole part of a text, as a name is of an ARN."""
    return re.search(rf"(?<![A-Za-z0-9]){re.escape(chosen)}(?![A-Za-z0-9])", text) is not None


def _is_called(text: str, name: str) -> bool:
    """Return whether `text` is the name (of a domain, perhaps with its final dot), or a URL or an ARN that ends with it."""
    text = text.removesuffix(".")
    return text == name or text.endswith((f"/{name}", f":{name}"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _lists(each)
    elif isinstance(value, list):
        yield value
