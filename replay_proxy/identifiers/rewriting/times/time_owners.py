"""What a point in time in an answer belongs to: the names beside it, and those of parts of data as `times` knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote, unquote_plus

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.identifiers.rewriting.body.body_values import BodyValue, Neighbours
from replay_proxy.identifiers.rewriting.times.time_places import TimePlace, is_number_name
from replay_proxy.wire.codecs.parameters import parse_parameters

PART = "\0"
Scope = frozenset[tuple[str, str]]
"""Short names, each with its member in lower case."""
_FIELDS_OF_ARN = 6
_LISTS_OBJECTS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})
_SHOWS_EVENTS = frozenset({"GetLogEvents", "FilterLogEvents"})


def object_name(bucket: object, key: object, version: object = None) -> str:
    """Return the name of an object, or of one of its versions, as `Times` knows it."""
    return f"{bucket}{PART}{key}" + (f"{PART}{version}" if version and version != "null" else "")


def part_name(bucket: object, key: object, number: object) -> str:
    """Return the name of a part of an object, or of an upload, as `Times` knows it."""
    return f"{object_name(bucket, key)}{PART}{PART}{number}"


def copy_name(bucket: object, key: object, version: object = None) -> str:
    """Return the name of what an archived object was restored to for some days, as `Times` knows it."""
    return f"{object_name(bucket, key, version)}{PART}{PART}restored"


def marker_name(bucket: object, key: object) -> str:
    """Return the name of the delete markers of an object whose versions nobody was told, as `Times` knows it."""
    return f"{object_name(bucket, key)}{PART}{PART}marker"


def log_stream(group: object, stream: object) -> str:
    """Return the name of the events in a log stream, as `Times` knows it. group: its name or ARN."""
    name = str(group).removesuffix(":*").rpartition(":log-group:")[2] if str(group).startswith("arn:") else str(group)
    return f"{name}{PART}{stream}"


def stream_records(stream: object) -> str:
    """Return the name of the records in a stream, as `Times` knows it. stream: its name or ARN."""
    return f"{str(stream).rpartition('/')[2]}{PART}records"


def number_name(member: str, number: object) -> str:
    """Return the name of what has a number, as `Times` knows it: the third `DeploymentNumber`."""
    return f"{PART}{member.lower()}{PART}{number}"


def names_around(body_value: BodyValue, head: CallHead, params: Mapping[str, Any]) -> Iterator[Neighbours]:
    """Return the names of what a time may belong to, each with its member, the nearest first."""
    if head.service == "s3" and head.operation in _LISTS_OBJECTS:
        yield [("", _listed(body_value.around, params))]
        if body_value.within[0] == "DeleteMarker":
            yield [("", marker_name(params.get("Bucket"), _listed_key(body_value.around)))]
        return
    if head.service == "s3" and head.operation == "ListParts":
        yield [("", part_name(params.get("Bucket"), params.get("Key"), dict(body_value.around[0]).get("PartNumber")))]
        return
    if head.service == "logs" and head.operation in _SHOWS_EVENTS:
        stream = dict(body_value.around[0]).get("logStreamName") or params.get("logStreamName")
        yield [("", log_stream(params.get("logGroupName") or params.get("logGroupIdentifier"), stream))]
        return
    for neighbours, numbers in zip(body_value.around, body_value.numbers, strict=True):
        # XML does not tell a number from a text.
        both = [*numbers, *(each for each in neighbours if each[1].isdecimal())]
        numbered = [(member, number_name(member, number)) for member, number in both if is_number_name(member)]
        yield [*neighbours, *numbered]
        if head.service == "logs" and (stream := dict(neighbours).get("logStreamName")):
            yield [("", log_stream(params.get("logGroupName") or params.get("logGroupIdentifier"), stream))]
    if not body_value.listed:
        yield [(member, value) for member, value in params.items() if isinstance(value, str)]


def accounts_shown(names: Iterable[str]) -> dict[str, str]:
    """Return in which account each thing is whose ARN is among these names, by its short name."""
    fields = [(name, name.split(":", 5)) for name in names if name.startswith("arn:")]
    return {short_name(name): parts[4] for name, parts in fields if len(parts) == _FIELDS_OF_ARN and parts[4]}


def accounts_around(names: Neighbours, place: TimePlace) -> dict[str, str]:
    """Return in which account each of the things is that have these names, by its short name.

    The ARN of what a time is of tells it of all its names: that of a secret ends otherwise than the secret's name.
    """
    shown = accounts_shown(name for _, name in names)
    own = set(accounts_shown(name for member, name in names if place.owns(member)).values())
    if len(own) != 1:
        return shown
    (account,) = own
    return {**{short_name(name): account for member, name in names if not place.refers(member)}, **shown}


def scope_of_value(body_value: BodyValue, params: Mapping[str, Any]) -> Scope:
    """Return the short names in all structures around a time, and at the top of the parameters, each with its member."""
    sent = ((member, value) for member, value in params.items() if isinstance(value, str))
    return frozenset((member.lower(), short_name(name)) for each in (*body_value.around, sent) for member, name in each)


def _listed(around: list[Neighbours], params: Mapping[str, Any]) -> str:
    """Return the name of the object that an entry of a list of objects describes."""
    return object_name(params.get("Bucket"), _listed_key(around), dict(around[0]).get("VersionId"))


def _listed_key(around: list[Neighbours]) -> str:
    key = dict(around[0]).get("Key", "")
    return unquote_plus(key) if dict(around[-1]).get("EncodingType") == "url" else key


def source_name(source: str) -> str:
    """Return the name of the object that `x-amz-copy-source` names."""
    path, _, version = unquote(source).partition("?versionId=")
    bucket, _, key = path.lstrip("/").partition("/")
    return object_name(bucket, key, version)


def object_of(params: Mapping[str, Any]) -> str:
    return object_name(params.get("Bucket"), params.get("Key"), params.get("VersionId"))


def parameters(head: CallHead, request: Request) -> dict[str, Any]:
    try:
        return parse_parameters(head, request)
    except MalformedMessage:
        return {}
