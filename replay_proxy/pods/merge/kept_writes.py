"""Which writes of data stay ours although the pod has them, too.

A merge puts the pod's calls first. What both sides have written with one call is there then, and is not written again: else each
load would add versions to a bucket, unfinished uploads, records to a stream. But what the pod has ended since, and ours still
has, is written once more, by the calls that its present life in ours consists of: from the last write of all of it on. So is what
another call of ours reads (the source of a copy, the code of a function), as it was when it was read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from replay_proxy.footprint.data_parts import OBJECT_WRITES, copy_source, objects_read, objects_written
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.pods.merge.data_edits import ObjectName, is_by_parts
from replay_proxy.pods.merge.side import Side
from replay_proxy.replay.recorded_call import Call, call_of
from replay_proxy.resources.properties.stored_data import item_key, item_writes
from replay_proxy.resources.resource import Key, Resource
from replay_proxy.wire.mutability.judge import is_data

_READ_DEPTH: Final = 4
_WHOLE, _CHANGE, _END = "whole", "change", "end"
_VERBS: Final = {"put": _WHOLE, "update": _CHANGE, "delete": _END}
Part = tuple[Key, str]
"""An item or an object: the key of what holds it, and its own."""


@dataclass(frozen=True, slots=True)
class _Read:
    """An object that a call reads. numbers: of the calls by which it was there then. etag: of its content then."""

    part: Part
    numbers: tuple[int, ...]
    etag: str


@dataclass(slots=True)
class _Lives:
    """By which calls each part is there, as far as they were seen. ended: by which call it was gone last."""

    of: dict[Part, list[int]] = field(default_factory=dict)
    etags: dict[Part, str] = field(default_factory=dict)
    ended: dict[Part, int] = field(default_factory=dict)
    uploads: dict[str, list[int]] = field(default_factory=dict)


class KeptWrites:
    """Which writes of ours stay. objects: those that our calls read, and of which the pod has another content in the end.

    is_pods: tells whether the pod has a call of ours, too. Making this reads ours once or twice. Blocking, for long.
    """

    def __init__(self, ours: Side, pod: Side, is_pods: Callable[[Record], bool]) -> None:
        self._ours = ours
        self._is_pods = is_pods
        self._mine, self._its = ours.resources(), pod.resources()
        self._buckets = {key.names[-1]: key for key in self._mine if (key.service, key.noun) == ("s3", "Bucket")}
        self._lives = _Lives()
        self._reads: dict[int, list[_Read]] = {}
        self._own_readers: list[int] = []
        self._kept: dict[int, set[tuple[str, str]]] = defaultdict(set)
        self.objects: set[ObjectName] = set()
        alone, sources = self._first_look()
        tracked = alone | sources
        if tracked:
            self._follow(tracked)
            self._keep(alone)

    def parts(self, number: int) -> Collection[tuple[str, str]]:
        """Return name of the container and key of the parts that a call stays for, which the pod has, too."""
        return self._kept.get(number, ())

    @property
    def kept_objects(self) -> set[ObjectName]:
        """Name of the container and key of all parts that any call stays for, and the objects."""
        return self.objects.union(*self._kept.values())

    # -- reading ---------------------------------------------------------------------------------------------------

    def _first_look(self) -> tuple[set[Part], set[Part]]:
        """Return what both sides wrote with one call and only ours has in the end; and what our calls read."""
        alone: set[Part] = set()
        sources: set[Part] = set()
        for _number, record, call, touched in self._calls():
            sources.update(each for each in self._sources(call) if each[0] in self._its)
            if is_by_parts(record) and self._is_pods(record):
                for part, _verb in _written(call, touched, self._ours):
                    if _has(self._mine, part) and not _has(self._its, part):
                        alone.add(part)
        return alone, sources

    def _follow(self, tracked: Collection[Part]) -> None:
        """Follow the lives of parts through all our calls, and note what was read of them."""
        lives = self._lives
        for number, record, call, touched in self._calls():
            found = [
                _Read(each, tuple(lives.of.get(each, ())), lives.etags.get(each, ""))
                for each in self._sources(call)
                if each in tracked
            ]
            if found:
                self._reads[number] = found
                if not self._is_pods(record):
                    self._own_readers.append(number)
            if not is_by_parts(record):
                continue
            upload = str(call.params.get("UploadId") or "") if call.service == "s3" else ""
            if call.operation == "CreateMultipartUpload":
                lives.uploads[str(call.result.get("UploadId"))] = [number]
            elif call.operation in ("UploadPart", "UploadPartCopy"):
                lives.uploads.setdefault(upload, []).append(number)
            elif call.operation == "AbortMultipartUpload":
                lives.uploads.pop(upload, None)
            else:
                begun = lives.uploads.pop(upload, []) if upload else []
                for part, verb in _written(call, touched, self._ours):
                    if part in tracked:
                        self._live(part, verb, number, begun, call)

    def _live(self, part: Part, verb: str, number: int, begun: list[int], call: Call) -> None:
        lives = self._lives
        if verb == _END:
            lives.of.pop(part, None)
            lives.ended[part] = number
        elif verb == _WHOLE:
            lives.of[part] = [*begun, number]
            lives.etags[part] = _etag(call)
        else:
            lives.of.setdefault(part, []).append(number)

    def _keep(self, alone: Collection[Part]) -> None:
        waiting = [(part, tuple(self._lives.of.get(part, ()))) for part in alone]
        waiting += [found for number in self._own_readers for found in self._needed(number)]
        while waiting:
            part, numbers = waiting.pop()
            key, text = part
            for number in numbers:
                kept = self._kept[number]
                if (key.names[-1], text) not in kept:
                    kept.add((key.names[-1], text))
                    waiting += self._needed(number)

    def _needed(self, number: int) -> Iterator[tuple[Part, tuple[int, ...]]]:
        """Yield what a call reads and does not find after the pod's calls: part, and the calls that make it and end it."""
        for read in self._reads.get(number, ()):
            key, text = read.part
            held = self._its[key].data
            if held is not None and text in held.parts:
                if not read.etag or held.parts[text][1] != read.etag:
                    self.objects.add((key.names[-1], text))
                    yield read.part, read.numbers
                continue
            yield read.part, read.numbers
            if read.part not in self._lives.of and read.part in self._lives.ended:
                yield read.part, (self._lives.ended[read.part],)

    # -- calls -----------------------------------------------------------------------------------------------------

    def _calls(self) -> Iterator[tuple[int, Record, Call, list[Resource]]]:
        """Yield our changes that can be read and were not refused, and the resources that each touched."""
        ours = self._ours
        for number, record in ours:
            entry = ours.entry(number)
            if entry is None or entry.failed or record.kind is RecordKind.WITNESS:
                continue
            call = call_of(record, ours.load)
            if call is not None:
                yield number, record, call, ours.touched(entry)[0]

    def _sources(self, call: Call) -> Iterator[Part]:
        """Yield the objects that a call reads, of buckets of ours."""
        if call.service == "s3":
            source = copy_source(call.params)
            found = [] if source is None else [source]
        elif is_data(call.service, call.operation):
            found = []
        else:
            found = [*objects_read(call.params, _READ_DEPTH)]
        for bucket, key in found:
            if bucket in self._buckets:
                yield self._buckets[bucket], key


def _written(call: Call, touched: Collection[Resource], ours: Side) -> Iterator[tuple[Part, str]]:
    """Yield each part that a call writes, and how: all of it, something of it, or its end."""
    held = {each.key.names[-1]: each for each in touched}
    try:
        if call.service == "s3":
            verb = _WHOLE if call.operation in OBJECT_WRITES else _CHANGE
            ends = call.operation in ("DeleteObject", "DeleteObjects")
            for (bucket, text), version in zip(objects_written(call.params), _versions(call.params), strict=True):
                if bucket in held:
                    yield (ours.key(held[bucket]), text), _END if ends and not version else verb
            return
        for name, item, verb in item_writes(call.operation, call.params):
            table = held.get(short_name(name))
            key = item_key(table, item) if table is not None else None
            if table is not None and key is not None and verb in _VERBS:
                yield (ours.key(table), key), _VERBS[verb]
    except (KeyError, TypeError, AttributeError, ValueError):
        return  # not what its model promises


def _versions(params: Mapping[str, object]) -> list[object]:
    """Return which version of each object a call is about, in the order of `objects_written`; none for the latest."""
    given = params.get("Delete")
    if isinstance(given, Mapping):
        return [each.get("VersionId") for each in given["Objects"]]
    return [params.get("VersionId")]


def _has(resources: Mapping[Key, Resource], part: Part) -> bool:
    resource = resources.get(part[0])
    return resource is not None and resource.data is not None and part[1] in resource.data.parts


def _etag(call: Call) -> str:
    copied = call.result.get("CopyObjectResult")
    result = copied if isinstance(copied, Mapping) else call.result
    return str(result.get("ETag") or "").strip('"')
