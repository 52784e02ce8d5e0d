"""What a call touches, as far as its order among other calls is concerned.

A *thing* is a text: a service and a name or an identifier (as the run of characters that no encoding touches, see
`compaction.mentions`), or a part of a whole (a bucket and a key). A call *writes* some things and *refers* to others. Two
calls must keep their order when both touch a thing and at least one of them writes it; `graph` builds on that.

What is written: whatever the call names in members that name things, at any depth, and every identifier that its answer
shows for the first time. That is generous, since such a member may only refer to its thing; it costs parallelism, and never
the right order. What is referred to: every thing of any service known so far that stands anywhere in the parameters: in an
ARN, a policy, a template, a target. So nobody has to know that a key is named in the configuration of a bucket.

Data is finer, because there is much of it: an object by its key, an item by the hash key of its table. Messages,
records and log events keep their order in their queue, stream and log stream. They all refer to the whole that holds them.

Calls that create things of one kind are made one after the other, so that lists show the things as they did. A witness keeps
its place among all calls of its service, because it shows what was there at its time. What cannot be understood is a
barrier: everything before it is done first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from replay_proxy.exchange import CallHead
from replay_proxy.identifiers.learn import identifier_values
from replay_proxy.identifiers.names import short
from replay_proxy.replay.compaction import kinds, mentions
from replay_proxy.replay.compaction.calls import Call
from replay_proxy.wire.answers import Outcome
from replay_proxy.wire.mutability import is_data

_DATA = Path(__file__).parent / "data" / "order.json"
_SHORTEST = 4
"""Characters. Shorter runs stand everywhere, and tell nothing but in members that name things."""
_DEPTH = 12
_PART = "\0"
_SERVICE = "\0service "
"""The thing that every call of a service refers to, and that those write which may touch anything of it."""
_TRIGGER = "\0trigger "
_NOT_NAMING = frozenset({"AttributeName", "attributeName", "HeaderName", "MetricName", "Namespace"})


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one call touches.

    barrier: it may touch anything. stray: it refers to something that no earlier call is known to have made, so that
    it waits for all infrastructure before it. data, trigger: what it is. writes wins over refers.
    creates: the kind of things that it creates; empty where it creates none.
    """

    writes: frozenset[str] = frozenset()
    refers: frozenset[str] = frozenset()
    barrier: bool = False
    stray: bool = False
    data: bool = False
    trigger: bool = False
    creates: str = ""

    @property
    def wholes(self) -> list[str]:
        """The things that hold what it touches."""
        return [thing for thing in (*self.refers, *self.writes) if _PART not in thing]


BARRIER = Footprint(barrier=True)


@dataclass(slots=True)
class Footprints:
    """Works out footprints of calls in their order; knows the things that were touched so far, by service."""

    _known: dict[str, set[str]] = field(default_factory=dict)
    _hash_keys: dict[str, str] = field(default_factory=dict)

    def of(self, call: Call) -> Footprint:
        """The footprint of the next call."""
        data = not call.witness and is_data(call.service, call.operation)
        found = self._data(call) if data else None
        return found or self._infrastructure(call, data=data)

    def _infrastructure(self, call: Call, *, data: bool) -> Footprint:
        service = call.service
        created = kinds.created_by(service, call.operation)
        named = dict(_named(call.params, _DEPTH))
        own = {member for kind in created for member in (*kind.named, *kinds.own_names(kind))}
        runs = {run for text in named if (run := _run_of(text)) is not None}
        at_home = {text for text, member in named.items() if member in own or self._knows(service, text)}
        refers = {
            thing
            for text in mentions.strings(call.params)
            if text not in at_home
            for thing in self._found(text, 1 if text in named else _SHORTEST)
        }
        refers.update(f"s3 {bucket}{_PART}{key}" for bucket, key in _objects_read(call.params, _DEPTH))
        stray = not created and any(self._is_stray(text) for text in named)
        named_runs = frozenset(runs)
        of_home = {_run_of(text) for text in at_home}
        for run, namespace in self._shown(call):
            if namespace != service and run in self._known and run not in of_home:
                refers.update(self._things(run, namespace))
            else:
                runs.add(run)
        for run in runs:
            self._known.setdefault(run, set()).add(service)
        writes = {_thing(service, run) for run in runs}
        trigger = is_trigger(call.head)
        if trigger:
            # It changes what it names for other triggers only: data in it has no need to wait for a trigger.
            armed = {_thing(service, run) for run in named_runs}
            refers |= armed
            writes = (writes - armed) | {f"{_TRIGGER}{thing}" for thing in armed}
        whole = _SERVICE + service
        if call.witness or not (named or created or call.operation.startswith(_ADDING)):
            writes.add(whole)
        creates = f"{service}:{call.operation}" if created or not named else ""
        if service == "dynamodb" and call.operation == "CreateTable":
            self._remember_key(call.params)
        refers |= {whole, *self._things(call.access_key, "")}
        barrier = not call.witness and is_barrier(call.head)
        return Footprint(
            frozenset(writes), frozenset(refers - writes), barrier, stray, data=data, trigger=trigger, creates=creates
        )

    def _knows(self, service: str, text: str) -> bool:
        return service in self._known.get(_run_of(text) or "", ())

    def _found(self, text: str, shortest: int = _SHORTEST) -> Iterator[str]:
        """The known things that a text mentions by runs of at least so many characters."""
        namespace = _namespace(text)
        for run in mentions.runs(text):
            if len(run) >= shortest or namespace:  # in an ARN, a name of one letter is a name
                yield from self._things(run, namespace)

    def _things(self, run: str, namespace: str) -> list[str]:
        services = self._known.get(run)
        if services is None:
            return []
        return [_thing(service, run) for service in ({namespace} if namespace in services else services)]

    def _shown(self, call: Call) -> set[tuple[str, str]]:
        """The identifiers in its answer, each with the service that an ARN around it names."""
        found = set()
        for text in identifier_values(call.head, Outcome(call.answer.status, call.result)):
            namespace = _namespace(text)
            run = _run_of(text)
            if run is not None and len(run) >= _SHORTEST:
                found.add((run, namespace))
            found.update((each, namespace) for each in mentions.generated(text))
        if call.witness:
            # What it teaches may stand in any text, such as the outputs of a stack.
            found.update((each, "") for text in mentions.strings(call.result) for each in mentions.generated(text))
        return found

    def _is_stray(self, text: str) -> bool:
        """Is it an ARN of something that was never seen? What AWS itself owns is always there."""
        return text.startswith("arn:") and ":aws:" not in text and (_run_of(text) or "") not in self._known

    def _remember_key(self, params: Mapping[str, Any]) -> None:
        for entry in params.get("KeySchema", ()):
            if entry.get("KeyType") == "HASH":
                self._hash_keys[short(params["TableName"])] = entry["AttributeName"]

    # Data.

    def _data(self, call: Call) -> Footprint | None:
        """The parts that a call writes, where they are known to be all that it writes."""
        params = call.params
        try:
            match call.service:
                case "s3":
                    parts = list(_objects(params))
                case "dynamodb":
                    parts = [self._item(table, item) for table, item in _items(call.operation, params)]
                case "sqs":
                    parts = [(short(params["QueueUrl"]), "messages")]
                case "kinesis":
                    parts = [(short(params.get("StreamName") or params["StreamARN"]), "records")]
                case "logs":
                    parts = [(params["logGroupName"], params["logStreamName"])]
                case _:
                    return None
        except (KeyError, TypeError, AttributeError):
            return None
        if not parts:
            return None
        writes = frozenset(f"{call.service} {whole}{_PART}{part}" for whole, part in parts)
        marks = {mentions.mark(whole) for whole, _part in parts}
        # One that a stack made may be known only from what a call of another service showed.
        wholes = {_thing(call.service, run) for run in marks}.union(*(self._things(run, call.service) for run in marks))
        refers = {_SERVICE + call.service, *wholes, *self._pointed_at(call), *self._things(call.access_key, "")}
        # A copy of an object onto itself both reads and writes it.
        return Footprint(writes, frozenset(refers - writes), data=True)

    def _item(self, table: str, item: Mapping[str, Any]) -> tuple[str, str]:
        table = short(table)
        key = self._hash_keys.get(table)
        if key is None or key not in item:
            return table, "items"
        return table, orjson.dumps(_plain(item[key]), default=repr, option=orjson.OPT_SORT_KEYS).decode()

    def _pointed_at(self, call: Call) -> Iterator[str]:
        """What an object refers to outside of its bucket: the source of a copy, a key."""
        if call.service != "s3":
            return
        source = call.params.get("CopySource")
        if isinstance(source, str):
            bucket, _, key = unquote(source.partition("?versionId=")[0]).lstrip("/").partition("/")
            source = {"Bucket": bucket, "Key": key}
        if isinstance(source, Mapping):
            bucket = str(source.get("Bucket", ""))
            yield _thing("s3", mentions.mark(bucket))
            yield f"s3 {bucket}{_PART}{source.get('Key')}"
        yield from self._found(str(call.params.get("SSEKMSKeyId", "")))


def _objects_read(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Bucket and key of the objects that a call reads: the code of a function, a script. In members, or as a URI."""
    if isinstance(value, str) and value.startswith("s3://"):
        bucket, _, key = value.removeprefix("s3://").partition("/")
        yield bucket, key
    elif isinstance(value, Mapping) and depth:
        named = {name.lower().removeprefix("s3"): each for name, each in value.items() if isinstance(each, str)}
        if "bucket" in named and "key" in named:
            yield named["bucket"], named["key"]
        for each in value.values():
            yield from _objects_read(each, depth - 1)
    elif isinstance(value, list) and depth:
        for each in value:
            yield from _objects_read(each, depth - 1)


def _thing(service: str, run: str) -> str:
    return f"{service} {run}"


def _namespace(text: str) -> str:
    """The service that an ARN names; empty for any other text."""
    return text.split(":", 3)[2] if text.startswith("arn:") and text.count(":") > 2 else ""


def _run_of(text: str) -> str | None:
    """The run by which what a text names is known; None where it is too common to tell anything."""
    run = mentions.mark(short(text))
    return run if run and not mentions.is_common(run) else None


def _plain(key: Any) -> Any:
    """`1` and `1.0` are one number."""
    try:
        return {"N": str(Decimal(key["N"]).normalize())} if "N" in key else key
    except (InvalidOperation, TypeError):
        return key


_ADDING = ("Create", "Run", "Allocate", "Request", "Import", "Register", "Start", "Publish", "Purchase", "Copy")


def _named(value: Any, depth: int) -> Iterator[tuple[str, str]]:
    """The texts in members that name something, at any depth, each with its member."""
    if depth <= 0:
        return
    if isinstance(value, Mapping):
        for member, below in value.items():
            naming = mentions.NAMING.search(member) is not None and member not in _NOT_NAMING
            if isinstance(below, str):
                if naming:
                    yield below, member
            elif isinstance(below, list) and naming:
                yield from ((each, member) for each in below if isinstance(each, str))
                yield from _named(below, depth - 1)
            else:
                yield from _named(below, depth - 1)
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, (dict, list)):
                yield from _named(each, depth - 1)


def _objects(params: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    bucket = params["Bucket"]
    if "Delete" in params:
        return [(bucket, entry["Key"]) for entry in params["Delete"]["Objects"]]
    return [(bucket, params["Key"])]


def _items(operation: str, params: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Table and item, or key, of everything that a call writes. Raises KeyError where it cannot be told (PartiQL)."""
    if operation == "BatchWriteItem":
        for table, writes in params["RequestItems"].items():
            for write in writes:
                yield table, write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
    elif operation == "TransactWriteItems":
        for entry in params["TransactItems"]:
            for action in entry.values():
                yield action["TableName"], action.get("Item") or action["Key"]
    else:
        yield params["TableName"], params["Item"] if "Item" in params else params["Key"]


@cache
def _table() -> dict[str, frozenset[tuple[str, str]]]:
    document = orjson.loads(_DATA.read_bytes())
    return {
        section: frozenset(
            (entry["service"], operation) for entry in document[section] for operation in entry["operations"]
        )
        for section in ("barriers", "triggers")
    }


def is_barrier(head: CallHead) -> bool:
    """Does the call make or change resources of other services under names that cannot be seen?"""
    return (head.service, head.operation) in _table()["barriers"]


def is_trigger(head: CallHead) -> bool:
    """Does data set something off once this call was made?"""
    return (head.service, head.operation) in _table()["triggers"]
