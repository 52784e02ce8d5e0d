"""When things were made: clients see the original times, not those of the restore.

A resource that was made again says that it was made in the moment of the restore. The recording knows better. So a restore
notes of each call when it was made at first, when it was made again, and what it made or changed. Afterwards, a time in an
answer is replaced where two things are certain: it stands beside the name of such a resource, and it lies in the moment in
which that was made again. What a client changes later has a later time, and keeps it.

Towards the emulator only one thing is turned round: the conditions `If-Modified-Since` and `If-Unmodified-Since` on objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from math import floor
from typing import Any
from urllib.parse import unquote, unquote_plus

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers import bodies, dependents
from replay_proxy.identifiers.learn import output_shape
from replay_proxy.identifiers.leaves import Leaf, Neighbours, leaves_of
from replay_proxy.identifiers.names import short
from replay_proxy.identifiers.scan import Hit
from replay_proxy.wire.parameters import parse_parameters

MOST = 250_000
"""Moments that are remembered; what is made again after so many shows the time of the restore."""
SLACK = 1.0
"""Seconds: emulators cut times to whole ones, and a clock is read before a call is carried out."""
_DEPTH = 10
_MOST_SIGNS = 2
_PART = "\0"

_TIME_NAME = re.compile(r"date|time|creat|modif|updat|chang|At$|since", re.IGNORECASE)
_OF_CHANGE = re.compile(r"modif|updat|chang", re.IGNORECASE)
_ISO = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|\+00:?00)?")
_EPOCH = re.compile(r"(\d{10})(\.\d+)?")
_MILLISECONDS = re.compile(r"\d{13}")
_HTTP = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
# Beside nothing else: who has a bucket of that name in another region has the same one.
_GLOBAL = frozenset({"s3", "iam", "route53", "cloudfront", "organizations"})
_LISTS_OBJECTS = frozenset({"ListObjects", "ListObjectsV2", "ListObjectVersions"})
_MADE_OBJECT = frozenset({"PutObject", "CopyObject", "CompleteMultipartUpload"})
_CONDITIONS = {
    "if-modified-since": "",
    "if-unmodified-since": "",
    "x-amz-copy-source-if-modified-since": "x-amz-copy-source",
    "x-amz-copy-source-if-unmodified-since": "x-amz-copy-source",
}
_CONDITION = re.compile(rb"modified-since: ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Moment:
    """When a call was made at first, and between which times it was made again: seconds since the epoch.

    creates: did it make something, or change it?
    """

    original: float
    begun: float
    ended: float
    creates: bool

    def covers(self, seconds: float) -> bool:
        """Is this the time of being made again?"""
        return self.begun - SLACK < seconds <= self.ended + SLACK


class Times:
    """The moments of one session, by what was made or changed in them. Empty: every answer is shown as it is."""

    def __init__(self) -> None:
        self._moments: dict[str, tuple[Moment, ...]] = {}
        self._begun, self._ended = float("inf"), 0.0
        self._signs: tuple[bytes, ...] | None = None

    def __len__(self) -> int:
        return len(self._moments)

    def note(self, head: CallHead, names: Iterable[str], moment: Moment) -> None:
        """A call was made again that made, or changed, what is called so (names, ids, ARNs; of objects see `object_name`)."""
        for key in {_key(head, name) for name in names if name}:
            if len(self._moments) < MOST or key in self._moments:
                self._moments[key] = (*self._moments.get(key, ()), moment)
                self._widen(moment)

    def _widen(self, moment: Moment) -> None:
        if moment.begun < self._begun or moment.ended > self._ended:
            self._begun, self._ended = min(self._begun, moment.begun), max(self._ended, moment.ended)
            self._signs = None

    # Answers.

    def may_show(self, head: CallHead | None, data: bytes) -> bool:
        """Could these bytes of an answer show a time of the restore? Quick, and not exact."""
        if not self._moments or head is None or not shows_times(head):
            return False
        if head.operation == "GetObject":
            data = data[: data.find(b"\r\n\r\n")]
        signs = self._signs
        if signs is None:
            signs = self._signs = _signs(self._begun - SLACK, self._ended + SLACK)
        return any(sign in data for sign in signs)

    def shown(self, answer: Answer, head: CallHead | None, request: Request) -> Answer:
        """The answer, in client ids already, with the original times; the identical object where nothing changes.

        request: the client's.
        """
        if not self._moments or head is None or not shows_times(head) or not 200 <= answer.status < 300:
            return answer
        headers, body = answer.headers, answer.body
        modified = headers.get("last-modified")
        if head.service == "s3" and modified and self._in_window(modified):
            headers = self._header(headers, modified, head, request)
        if isinstance(body, bytes) and head.operation != "GetObject" and self.may_show(head, body):
            new = self._body(answer, head, request)
            if new is not None:
                headers, body = dependents.for_unpacked(headers, new), new
        if headers is answer.headers and body is answer.body:
            return answer
        return Answer(answer.status, headers, body, answer.reason)

    def _header(self, headers: Headers, modified: str, head: CallHead, request: Request) -> Headers:
        params = _parameters(head, request)
        names = [object_name(params.get("Bucket"), params.get("Key"), params.get("VersionId"))]
        original = self._original(head, names, "LastModified", modified)
        return headers.replaced("Last-Modified", original) if original else headers

    def _body(self, answer: Answer, head: CallHead, request: Request) -> bytes | None:
        opened = bodies.opened(answer, head)
        if opened is None or opened[1] not in ("json", "xml"):
            return None
        body, spelling, payload = opened
        assert spelling is not None

        def sought(name: str, text: str) -> bool:
            return _TIME_NAME.search(name) is not None and self._in_window(text)

        params: dict[str, Any] | None = None
        hits = []
        for leaf in leaves_of(body, spelling, sought):
            params = _parameters(head, request) if params is None else params
            for names in _names_around(leaf, head, params):
                original = self._original(head, names, leaf.name, leaf.text)
                if original:
                    hits.append(Hit(leaf.start, leaf.end, leaf.text, original))
                    break
        outside = bodies.outside(hits, payload, body, spelling)
        return _replaced(body, outside) if outside else None

    def _in_window(self, text: str) -> bool:
        seconds = _seconds(text)
        return seconds is not None and self._begun - SLACK < seconds <= self._ended + SLACK

    def _original(self, head: CallHead, names: Iterable[str], member: str, text: str) -> str:
        """The time to be shown for `text`; empty where it is not known."""
        seconds = _seconds(text)
        if seconds is None:
            return ""
        known = [moments for name in names if name and (moments := self._moments.get(_key(head, name)))]
        # A name that fewer calls are known by says more.
        for moments in sorted(known, key=len):
            covering = [moment for moment in moments if moment.covers(seconds)]
            exactly = [moment for moment in covering if moment.begun <= seconds <= moment.ended]
            if exactly and seconds % 1:  # an emulator that tells parts of seconds tells calls apart
                covering = exactly
            last = _OF_CHANGE.search(member) is not None
            candidates = covering[-1:] if last else [moment for moment in covering if moment.creates]
            if len(candidates) == 1:
                return _like(text, candidates[0].original)
        return ""

    # Requests.

    def may_ask(self, data: bytes) -> bool:
        """Could these bytes of a request name a time as a condition? Quick, and not exact."""
        return bool(self._moments) and not data.startswith(b"POST") and _CONDITION.search(data) is not None

    def asked(self, request: Request, head: CallHead | None) -> Request:
        """A request whose conditions are in the emulator's times; the identical object where nothing changes."""
        if not self._moments or head is None or head.service != "s3":
            return request
        headers = request.headers
        for condition, source in _CONDITIONS.items():
            text = headers.get(condition)
            if not text:
                continue
            name = _source_name(headers.get(source)) if source else _object_of(_parameters(head, request))
            moments = self._moments.get(_key(head, name), ())
            seconds = _seconds(text)
            if len(moments) == 1 and seconds is not None and floor(moments[0].original) <= seconds < moments[0].ended:
                headers = headers.replaced(condition, _like(text, moments[0].ended))
        if headers is request.headers:
            return request
        return Request(request.method, request.target, headers, request.body)

    def changed(self, head: CallHead, request: Request) -> None:
        """A client has changed something. An object that is written anew is no longer the one that was restored."""
        if self._moments and head.service == "s3" and head.operation in _MADE_OBJECT:
            self._moments.pop(_key(head, _object_of(_parameters(head, request))), None)

    # Keeping.

    def listing(self) -> dict[str, list[list[float]]]:
        """Everything, as JSON."""
        return {
            key: [[each.original, each.begun, each.ended, float(each.creates)] for each in moments]
            for key, moments in self._moments.items()
        }

    @classmethod
    def of_listing(cls, listing: Mapping[str, Iterable[Iterable[float]]]) -> Times:
        """What `listing` was made of."""
        times = cls()
        for key, moments in listing.items():
            made = []
            for original, begun, ended, creates in moments:
                made.append(Moment(original, begun, ended, bool(creates)))
                times._widen(made[-1])
            times._moments[key] = tuple(made)
        return times


def object_name(bucket: object, key: object, version: object = None) -> str:
    """The name of an object, or of one of its versions, as `Times` knows it."""
    return f"{bucket}{_PART}{key}" + (f"{_PART}{version}" if version and version != "null" else "")


@lru_cache(maxsize=1024)
def _shows_times(service: str, operation: str, protocol: str) -> bool:
    if service == "s3" and operation in ("GetObject", "HeadObject"):
        return True
    return _has_time(output_shape(CallHead(service, operation, protocol)), _DEPTH)


def shows_times(head: CallHead) -> bool:
    """Can an answer to this call tell when something was made or changed? As far as a model knows."""
    return _shows_times(head.service, head.operation, head.protocol)


def _has_time(shape: Any, depth: int) -> bool:
    if shape is None or not depth:
        return False
    if shape.type_name == "structure":
        return any(
            _has_time(part, depth - 1)
            if part.type_name in ("structure", "list", "map")
            else part.type_name == "timestamp" or (part.type_name != "blob" and _TIME_NAME.search(name) is not None)
            for name, part in shape.members.items()
        )
    if shape.type_name == "list":
        return shape.member.type_name == "timestamp" or _has_time(shape.member, depth - 1)
    if shape.type_name == "map":
        named = any(_TIME_NAME.search(each) for each in getattr(shape.key, "enum", ()))
        return named or _has_time(shape.value, depth - 1)
    return False


def original_in(answer: Answer, head: CallHead, earliest: float, latest: float) -> float | None:
    """The time that an answer itself shows for what it made: the only one between these; None where there is no such."""
    opened = bodies.opened(answer, head) if shows_times(head) else None
    if opened is None or opened[1] not in ("json", "xml"):
        return None

    def sought(name: str, text: str) -> bool:
        seconds = _seconds(text)
        return _TIME_NAME.search(name) is not None and seconds is not None and earliest <= seconds <= latest

    found = {_seconds(leaf.text) for leaf in leaves_of(opened[0], opened[1], sought)}
    return found.pop() if len(found) == 1 else None


def seconds_of(iso: str) -> float:
    """The seconds since the epoch of a time as journals write it."""
    return datetime.fromisoformat(iso).timestamp()


def _key(head: CallHead, name: str) -> str:
    where = "" if head.service in _GLOBAL else f"{head.account}/{head.region}"
    return f"{head.service}/{where}/{name if _PART in name else short(name)}"


def _names_around(leaf: Leaf, head: CallHead, params: Mapping[str, Any]) -> Iterator[list[str]]:
    """The names of what a time may belong to, the nearest first."""
    if head.service == "s3" and head.operation in _LISTS_OBJECTS:
        yield [_listed(leaf.around, params)]
        return
    for neighbours in leaf.around:
        yield [text for _, text in neighbours]
    if not leaf.listed:
        yield [value for value in params.values() if isinstance(value, str)]


def _listed(around: list[Neighbours], params: Mapping[str, Any]) -> str:
    """The object that an entry of a list of objects is about."""
    own, whole = dict(around[0]), dict(around[-1])
    key = own.get("Key", "")
    if whole.get("EncodingType") == "url":
        key = unquote_plus(key)
    return object_name(params.get("Bucket"), key, own.get("VersionId"))


def _source_name(source: str) -> str:
    """The object that `x-amz-copy-source` names."""
    path, _, version = unquote(source).partition("?versionId=")
    bucket, _, key = path.lstrip("/").partition("/")
    return object_name(bucket, key, version)


def _object_of(params: Mapping[str, Any]) -> str:
    return object_name(params.get("Bucket"), params.get("Key"), params.get("VersionId"))


def _parameters(head: CallHead, request: Request) -> dict[str, Any]:
    try:
        return parse_parameters(head, request)
    except MalformedMessage:
        return {}


def _replaced(body: bytes, hits: list[Hit]) -> bytes:
    pieces, done = [], 0
    for hit in hits:
        pieces += [body[done : hit.start], hit.new.encode()]
        done = hit.end
    return b"".join([*pieces, body[done:]])


# How times are written.


def _seconds(text: str) -> float | None:
    """The seconds since the epoch that a text says; None where it is no time of a known form."""
    if len(text) < 10 or len(text) > 40:
        return None
    try:
        if match := _EPOCH.fullmatch(text):
            return float(text)
        if _MILLISECONDS.fullmatch(text):
            return int(text) / 1000
        if match := _ISO.fullmatch(text):
            return datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp() + float(match[2] or 0)
        if _HTTP.fullmatch(text):
            return parsedate_to_datetime(text).timestamp()
    except ValueError:
        pass
    return None


def _like(text: str, seconds: float) -> str:
    """A time in the form of `text`. Where that has no fraction but zeros, the new one has none either."""
    if match := _EPOCH.fullmatch(text):
        return f"{floor(seconds)}{_fraction(match[2], seconds)}"
    if _MILLISECONDS.fullmatch(text):
        return str(floor(seconds) * 1000 if text.endswith("000") else floor(seconds * 1000))
    when = datetime.fromtimestamp(floor(seconds), UTC)
    if match := _ISO.fullmatch(text):
        return f"{when.strftime('%Y-%m-%dT%H:%M:%S')}{_fraction(match[2], seconds)}{match[3] or ''}"
    return format_datetime(when, usegmt=True)


def _fraction(like: str | None, seconds: float) -> str:
    if not like:
        return ""
    digits = len(like) - 1
    if not like.strip(".0"):
        return like
    return f".{floor((seconds - floor(seconds)) * 10**digits):0{digits}d}"


def _signs(begun: float, ended: float) -> tuple[bytes, ...]:
    """Bytes of which one stands in every text that tells a time between these: few, and as long as may be."""
    first, last = floor(begun), floor(ended)
    signs: set[str] = set()
    # By how much the last characters of a time count, the seconds first.
    for unit, cut in ((10, 1), (60, 3), (600, 4), (3600, 6), (86400, 9)):
        starts = range(first // unit * unit, last + 1, unit)
        if len(starts) <= _MOST_SIGNS or unit == 86400:
            for start in starts:
                when = datetime.fromtimestamp(start, UTC)
                signs |= {when.strftime("%Y-%m-%dT%H:%M:%S")[:-cut], when.strftime("%d %b %Y %H:%M:%S")[:-cut]}
            break
    for digits in range(1, 9):
        starts = range(first // 10**digits * 10**digits, last + 1, 10**digits)
        if len(starts) <= _MOST_SIGNS:
            signs.update(str(start)[:-digits] for start in starts)
            break
    return tuple(sorted(sign.encode() for sign in signs))
