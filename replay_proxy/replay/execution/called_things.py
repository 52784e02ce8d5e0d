"""What a call has made or changed, and by which names that is known: those of its parameters and those of its answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import Any

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint import resource_kinds
from replay_proxy.footprint.additions import makes, own_name_members
from replay_proxy.footprint.data_parts import OBJECT_WRITES
from replay_proxy.footprint.given_names import given_names
from replay_proxy.footprint.members.answer_identifiers import all_texts, answer_texts, output_shape
from replay_proxy.footprint.members.naming_members import names_region, naming_at_top
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.identifiers.rewriting.times.time_owners import (
    copy_name,
    log_stream,
    marker_name,
    number_name,
    object_name,
    part_name,
    stream_records,
)
from replay_proxy.identifiers.rewriting.times.time_places import (
    CHANGING,
    as_of_user,
    bare_noun,
    is_own_name,
    is_told_by_verb,
    members_beside,
    names_within,
    number_of,
)
from replay_proxy.identifiers.rewriting.user_pools.web_tokens import claims_of
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models import models
from replay_proxy.wire.mutability.judge import Effect, is_data, judge

ENDING = ("Delete", "Terminate", "Detach", "Remove", "Untag")
"""How the names of operations begin that end something, or take something from it."""
PARENTS_MAX = 4
"""Of the names that a call gives beside that of its thing, so many are kept."""
_OBJECTS = OBJECT_WRITES | {"DeleteObject"}
_UPLOADED = frozenset({"UploadPart", "UploadPartCopy"})
_OF_PARTS = frozenset(
    {"s3", "sqs", "kinesis", "logs", "dynamodb", "firehose", "sns", "cloudwatch", "events", "iot-data"}
)
"""Services whose data has no names of its own: its times are told of parts, or not at all."""
_MAKES_TOO = frozenset({"SignUp"})
_MESSAGES = frozenset({"SendMessage", "SendMessageBatch"})
_RECORDS = frozenset({"PutRecord", "PutRecords"})
_DEPTH = 3
"""How deep in parameters and answers names are looked for."""
_OPERATIONS = 4096


def parameters_of(head: CallHead, request: Request) -> dict[str, Any]:
    """Return the parameters of a call; none where they cannot be read."""
    try:
        return parse_parameters(head, request)
    except MalformedMessage:
        return {}


def writes_parts(service: str, operation: str) -> bool:
    """Return whether a call writes data that has no names of its own: objects, messages, items; not so the users of a pool."""
    return service in _OF_PARTS and is_data(service, operation)


def things_of_call(head: CallHead, request: Request, answer: Answer) -> tuple[list[str], list[str], bool]:
    """Return the names of what a call made or changed, names that it only shows beside, and whether it made something."""
    service, operation = head.service, head.operation
    if writes_parts(service, operation):
        return _data_named(head, request, answer), [], True
    params = parse_parameters(head, request)
    bare = as_of_user(operation)
    made = resource_kinds.created_by(service, operation)
    if not made and not makes(bare) and operation not in _MAKES_TOO:
        if not bare.startswith(CHANGING) and (bare.startswith(ENDING) or not is_told_by_verb(service, bare)):
            return [], [], False
        # What a change shows and was not told, it has made: a change of record sets, a modification of a volume.
        told = set(all_texts(params))
        shown = answer_texts(head, parse_answer(head, answer, request))
        new = [value for value in (*shown.identifiers, *shown.listed) if value not in told]
        names = [*_named_by_kind(service, bare, params), *_names_inside(bare, params), *_users(service, params)]
        return names, new, False
    outcome = parse_answer(head, answer, request)
    found = [name for kind in made for each in resource_kinds.names_made(kind, params, outcome.parsed) for name in each]
    if not found:
        found = _own_names(bare, params)
    found += _users(service, params)
    shown = answer_texts(head, outcome)
    sent = set(all_texts(params))
    beside = [params[member] for member in members_beside(service, operation) if isinstance(params.get(member), str)]
    return found, [*beside, *(value for value in (*shown.identifiers, *shown.listed) if value not in sent)], True


def shown_names(head: CallHead, request: Request, answer: Answer, names: Collection[str]) -> list[str]:
    """Return what an answer calls a thing that the call named otherwise: a user who is named by an address of mail.

    names: of the thing, as `things_of_call` gives them. The answer calls it so in a member of the same name.
    """
    asked = {
        member: value
        for member, value in naming_at_top(parameters_of(head, request))
        if value in names or short_name(value) in names
    }
    if not asked or writes_parts(head.service, head.operation):
        return []
    parsed = parse_answer(head, answer, request).parsed
    return [value for member, sent in asked.items() for value in _nearest_in(parsed, member) if value != sent]


def _nearest_in(answer: Any, member: str) -> list[str]:
    """Return the texts in the members of one name that stand furthest out in the structures of an answer."""
    level = [answer]
    for _ in range(_DEPTH):
        level = [each for each in level if isinstance(each, dict)]
        if found := [each[member] for each in level if isinstance(each.get(member), str)]:
            return found
        level = [part for each in level for part in each.values()]
    return []


def drawn_by_the_way(head: CallHead, request: Request, answer: Answer) -> list[str]:
    """Return the identifiers that the answer to a call shows, and that it was not told: of what the call may have made.

    So does `GetId` make the identity that it names, though its name does not say so.
    """
    told = set(all_texts(parameters_of(head, request)))
    shown = answer_texts(head, parse_answer(head, answer, request))
    return [value for value in (*shown.identifiers, *shown.listed) if value not in told]


def named_by_the_way(head: CallHead, request: Request, answer: Answer) -> list[str]:
    """Return what a call names that may have changed it, though its name does not say so."""
    params = parameters_of(head, request)
    users = _users(head.service, params)
    if head.service == "cognito-idp":
        users += _users(head.service, parse_answer(head, answer, request).parsed.get("AuthenticationResult", {}))
    return [*(value for _, value in naming_at_top(params)), *users]


@lru_cache(maxsize=_OPERATIONS)
def is_carried_out(service: str, operation: str) -> bool:
    """Return whether some call carries out what a creation makes, as `ExecuteChangeSet` does; then it changes what that is for.

    Such a call may name a change set by its id alone, and so not the stack that it changes.
    """
    made = bare_noun(operation)
    try:
        names = models.service_model(service).operation_names
    except LookupError:
        return False
    return any(
        bare_noun(each) == made
        and not makes(each)
        and not each.startswith((*CHANGING, *ENDING))
        and judge(service, each).effect is Effect.MUTATES
        for each in names
    )


def _named_by_kind(service: str, operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return what a change names, also by members that are called as a kind is, such as `service`.

    Not what it lets its thing refer to: the function of a `RotateSecret`, the metric of a `PutMetricAlarm`.
    """
    members, named, about = _identity(service, operation), naming_at_top(params), bare_noun(operation).lower()
    by_kind = [
        value
        for member, value in params.items()
        if isinstance(value, str) and (member in members or member.lower() == about)
    ]
    own = [value for _, value in _of_identity(named, members)] if members else []
    given = given_names(service, operation, params)
    return list(dict.fromkeys([*by_kind, *own] or given or [value for _, value in named]))


def _identity(service: str, operation: str) -> frozenset[str]:
    """Return the members that name what an operation is about, by its noun; empty where that is no kind of thing."""
    about = bare_noun(operation).lower()
    kinds = [kind for kind in resource_kinds.all_kinds_of(service) if kind.name.lower() == about]
    return frozenset(member for kind in kinds for member in kind.named)


def _users(service: str, texts: Mapping[str, Any]) -> list[str]:
    """Return the users of a pool that parameters or tokens are about: named by themselves, in a challenge, or by a token."""
    named = [claims_of(texts.get("AccessToken")).get("username")]
    if service == "cognito-idp":
        responses = texts.get("ChallengeResponses")
        named += [texts.get("Username"), responses.get("USERNAME") if isinstance(responses, dict) else None]
    return [each for each in named if isinstance(each, str)]


def regions_in(value: Any, member: str = "", depth: int = _DEPTH) -> Iterator[str]:
    """Return the regions that parameters name, in which a call may make or change copies of its thing."""
    if isinstance(value, str):
        if names_region(member):
            yield value
    elif depth and isinstance(value, dict):
        for name, each in value.items():
            yield from regions_in(each, name, depth - 1)
    elif depth and isinstance(value, list):
        for each in value:
            yield from regions_in(each, member, depth)


def drawn_within(head: CallHead, request: Request, answer: Answer) -> list[str]:
    """Return what a call made within something else, by the token that its client drew for it, or by its number."""
    if not resource_kinds.token_members(head.service, head.operation) and not _numbers(head.service, head.operation):
        return []
    params, parsed = parse_parameters(head, request), parse_answer(head, answer, request)
    tokens = {params.get(member) for member in resource_kinds.token_members(head.service, head.operation)}
    drawn = [value for value in answer_texts(head, parsed).identifiers if value in tokens]
    numbers = (
        (member, _structure(parsed.parsed, around).get(member))
        for around, member in _numbers(head.service, head.operation)
    )
    return [*drawn, *(number_name(member, number) for member, number in numbers if isinstance(number, int))]


def _structure(answer: Mapping[str, Any], member: str) -> Mapping[str, Any]:
    """Return the structure in a member of an answer, or the answer itself where it is in none."""
    found = answer.get(member) if member else answer
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=_OPERATIONS)
def _numbers(service: str, operation: str) -> tuple[tuple[str, str], ...]:
    """Return the members of an answer that number what the call has made or begun, each with the structure around it, if any."""
    shape = output_shape(CallHead(service, operation, ""))
    members = shape.members if shape is not None else {}
    inner = [(name, part.members) for name, part in members.items() if part.type_name == "structure"]
    return tuple(
        (around, member)
        for around, known in [("", members), *inner]
        for member in known
        if number_of(member, operation)
    )


def parents_of(head: CallHead, request: Request, names: Collection[str], creates: bool) -> tuple[str, ...]:
    """Return the short names of what a call names beside what it made or changed: what that is in, or belongs to."""
    named = naming_at_top(parameters_of(head, request))
    if creates and head.operation in _MAKES_TOO:
        return ()  # a user is of a pool, which the call does not name
    if creates:
        bare = as_of_user(head.operation)
        identity = frozenset(
            member for kind in resource_kinds.made_by(head.service, head.operation) for member in kind.named
        )
        named = _of_identity(named, identity)
        beside = [value for member, value in named if value not in names or not is_own_name(head.service, bare, member)]
    else:
        of_thing = _of_identity(named, _identity(head.service, as_of_user(head.operation)))
        beside = [value for _, value in of_thing] if len(named) > 1 else []
    return tuple(dict.fromkeys(short_name(value) for value in beside if value))[:PARENTS_MAX]


def _of_identity(named: list[tuple[str, str]], identity: frozenset[str]) -> list[tuple[str, str]]:
    """Leave out what a call names, but its thing is not named by: the key that an alias stands for at the moment."""
    members = {each.lower() for each in identity}
    return [(member, value) for member, value in named if not members or member.lower() in members]


def names_only_within(head: CallHead, request: Request, answer: Answer) -> list[str]:
    """Return the names in an answer that are unique within a parent only: of a version, or of the first one of what was made."""
    parsed = parse_answer(head, answer, request).parsed
    bare = as_of_user(head.operation)
    return [text for member, text in _texts(parsed) if names_within(head.service, bare, member)]


def _texts(value: Any, member: str = "", depth: int = _DEPTH) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield member, value
    elif isinstance(value, dict) and depth:
        for name, each in value.items():
            yield from _texts(each, name, depth - 1)


def _own_names(operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return the names that a creation of no known kind gives, itself or in a structure of its parameters (`TableInput.Name`)."""
    own = (params[member] for member in own_name_members(operation) if isinstance(params.get(member), str))
    return [*own, *_names_inside(operation, params)]


def _names_inside(operation: str, params: Mapping[str, Any]) -> list[str]:
    """Return the names that the structures at the top of parameters give to what is made or changed."""
    members = own_name_members(f"Create{bare_noun(operation)}")
    inside = [each for each in params.values() if isinstance(each, dict)]
    return [each[member] for each in inside for member in members if isinstance(each.get(member), str)]


def _data_named(head: CallHead, request: Request, answer: Answer) -> list[str]:
    """Return the names of the data that a call wrote, as `Times` knows them; none for data of which no time is shown."""
    service, operation = head.service, head.operation
    params = parse_parameters(head, request)
    match service:
        case "s3" if operation in _OBJECTS:
            bucket, key = params.get("Bucket"), params.get("Key")
            names = [object_name(bucket, key, answer.headers.get("x-amz-version-id"))]
            if operation != "DeleteObject" and object_name(bucket, key) not in names:
                names.append(object_name(bucket, key))
            return names
        case "s3" if operation in _UPLOADED:
            return [part_name(params.get("Bucket"), params.get("Key"), params.get("PartNumber"))]
        case "s3" if operation == "RestoreObject":
            return [copy_name(params.get("Bucket"), params.get("Key"), params.get("VersionId"))]
        case "s3" if operation == "DeleteObjects":
            return _markers(params, parse_answer(head, answer, request).parsed)
        case "sqs" if operation in _MESSAGES:
            return list(_values("MessageId", parse_answer(head, answer, request).parsed, "Successful"))
        case "kinesis" if operation in _RECORDS:
            numbers = _values("SequenceNumber", parse_answer(head, answer, request).parsed, "Records")
            return [*numbers, stream_records(params.get("StreamARN") or params.get("StreamName"))]
        case "logs" if operation == "PutLogEvents":
            return [log_stream(params.get("logGroupName"), params.get("logStreamName"))]
    return []


def _markers(params: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    """Return the names of the delete markers that a call made; by their objects alone where it has asked to be told of none."""
    bucket, asked, told = params.get("Bucket"), params.get("Delete"), result.get("Deleted", ())
    if told or not isinstance(asked, dict) or not asked.get("Quiet"):
        marked = (each for each in told if each.get("DeleteMarkerVersionId"))
        return [object_name(bucket, each.get("Key"), each["DeleteMarkerVersionId"]) for each in marked]
    kept = {each.get("Key") for each in result.get("Errors", ())}
    objects = (each for each in asked.get("Objects", ()) if isinstance(each, dict) and not each.get("VersionId"))
    return [marker_name(bucket, each.get("Key")) for each in objects if each.get("Key") not in kept]


def _values(member: str, result: Mapping[str, Any], entries: str) -> Iterator[str]:
    for entry in (result, *result.get(entries, ())):
        if isinstance(entry.get(member), str):
            yield entry[member]
