"""Items of DynamoDB tables: overwritten and deleted.

A PutItem leaves nothing of the item that its key had before, and neither does a DeleteItem. So whatever wrote the item before is
superseded, and a delete as well, when nothing is left for it to delete. An UpdateItem builds on what is there. A recorded write
with a condition is known to have succeeded. Where what it depended on is superseded, its condition is removed (and with it what
it would have returned of the item before).

What a transaction touches stays as it is, because its conditions are about several items at one time. So does everything before a
call that may read or write any items (PartiQL, backups, exports). Tables whose CreateTable was not seen are not looked at, nor
are tables with a stream, where every write is visible.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.replay.planning.supersession.decisions import SupersessionDecisions
from replay_proxy.replay.recorded_call import Call

_Place = tuple[int, int]
"""Number of the writing call, and of the entry in it (-1 where it is no batch)."""

_OVERWRITTEN = "the item was overwritten"
_DELETED = "the item was deleted"
_TELLING = (
    "ConditionExpression",
    "Expected",
    "ReturnValues",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
)
# Calls that neither read nor write items.
_APART = frozenset(
    {
        "TagResource",
        "UntagResource",
        "UpdateTimeToLive",
        "UpdateContinuousBackups",
        "UpdateContributorInsights",
        "PutResourcePolicy",
        "DeleteResourcePolicy",
    }
)


@dataclass(slots=True)
class _Item:
    """An item. calls: those that its value comes from. pinned: it depends on something that stays.

    spelling: a digest of its key as it is spelled. `1` and `1.0` are one number for DynamoDB, and two for moto. mixed: several
    spellings were used, and the item is not looked at.
    """

    spelling: bytes
    calls: list[_Place] = field(default_factory=list)
    pinned: bool = False
    mixed: bool = False


@dataclass(slots=True)
class _Table:
    """A table. keys: the names of its key attributes. blank: nothing is in it but what was seen."""

    keys: tuple[str, ...]
    blank: bool = True
    items: dict[bytes, _Item] = field(default_factory=dict)


class ItemsRule:
    """The rule for DynamoDB items. Memory: a digest and a few numbers for each item."""

    def __init__(self, decisions: SupersessionDecisions) -> None:
        self._decisions = decisions
        self._tables: dict[str, _Table] = {}

    def see(self, call: Call) -> None:
        """Note a call to DynamoDB; calls are shown in order."""
        params = call.params
        try:
            match call.operation:
                case "CreateTable":
                    self._create(call)
                case "DeleteTable":
                    self._tables.pop(_name(call, params["TableName"]), None)
                case "UpdateTable":
                    if params.get("StreamSpecification", {}).get("StreamEnabled") or "ReplicaUpdates" in params:
                        self._tables.pop(_name(call, params["TableName"]), None)
                case "PutItem":
                    self._put(call, params["TableName"], params["Item"], -1)
                case "DeleteItem":
                    self._delete(call, params["TableName"], params["Key"], -1)
                case "UpdateItem":
                    self._update(call, params["TableName"], params["Key"])
                case "BatchWriteItem":
                    self._batch(call)
                case "TransactWriteItems":
                    for entry in params["TransactItems"]:
                        for action in entry.values():
                            self._pin(call, action["TableName"], action.get("Item") or action["Key"])
                case operation if operation not in _APART:
                    self.pin_all(_scope(call))
        except (KeyError, TypeError, AttributeError):
            # Not what the model promises: nothing is known any more.
            self.pin_all("")

    def pin_all(self, scope: str) -> None:
        """Let all items stay that are in the tables of an account and region (`""`: of any), since something unknown happened."""
        for name, table in self._tables.items():
            if name.startswith(scope):
                table.blank = False
                table.items.clear()

    def _create(self, call: Call) -> None:
        name = _name(call, call.params["TableName"])
        if call.params.get("StreamSpecification", {}).get("StreamEnabled"):
            self._tables.pop(name, None)
        else:
            self._tables[name] = _Table(tuple(sorted(key["AttributeName"] for key in call.params["KeySchema"])))

    def _find(self, call: Call, table_name: str, attributes: Mapping[str, Any]) -> tuple[_Table, _Item] | None:
        table = self._tables.get(_name(call, table_name))
        if table is None:
            return None
        spelling = _digest(table.keys, attributes, str)
        item = table.items.setdefault(_digest(table.keys, attributes, _number), _Item(spelling))
        item.mixed = item.mixed or item.spelling != spelling
        return None if item.mixed else (table, item)

    def _put(self, call: Call, table_name: str, attributes: Mapping[str, Any], entry: int) -> None:
        found = self._find(call, table_name, attributes)
        if found is not None:
            self._replace(call, found[1], entry, _OVERWRITTEN)
            found[1].calls = [(call.seq, entry)]

    def _delete(self, call: Call, table_name: str, key: Mapping[str, Any], entry: int) -> None:
        found = self._find(call, table_name, key)
        if found is None:
            return
        table, item = found
        self._replace(call, item, entry, _DELETED)
        if table.blank and not item.pinned:
            item.calls = []
            self._decisions.supersede_entry(call.seq, entry, "there is nothing left for it to delete")
        else:
            item.calls = [(call.seq, entry)]

    def _update(self, call: Call, table_name: str, key: Mapping[str, Any]) -> None:
        found = self._find(call, table_name, key)
        if found is not None:
            found[1].calls.append((call.seq, -1))

    def _replace(self, call: Call, item: _Item, entry: int, reason: str) -> None:
        if item.calls and entry < 0 and any(member in call.params for member in _TELLING):
            self._decisions.lift_condition(call.seq)
        for seq, earlier in item.calls:
            self._decisions.supersede_entry(seq, earlier, reason, call.seq)

    def _batch(self, call: Call) -> None:
        writes = [(table, write) for table, each in call.params["RequestItems"].items() for write in each]
        left = call.result.get("UnprocessedItems") or {}
        if not call.can_be_split:
            for table, write in writes:
                self._pin(call, table, _written(write))
            return
        self._decisions.note_batch(call.seq, len(writes))
        for number, (table, write) in enumerate(writes):
            if write in left.get(table, ()):
                self._decisions.supersede_entry(call.seq, number, "the table had not taken it")
            elif "PutRequest" in write:
                self._put(call, table, write["PutRequest"]["Item"], number)
            else:
                self._delete(call, table, write["DeleteRequest"]["Key"], number)

    def _pin(self, call: Call, table_name: str, attributes: Mapping[str, Any]) -> None:
        found = self._find(call, table_name, attributes)
        if found is not None:
            found[1].calls = []
            found[1].pinned = True


def tables_of(call: Call) -> set[str]:
    """Return the tables that a batch or a transaction writes to, as it names them; empty for other calls."""
    params = call.params
    if call.operation == "BatchWriteItem":
        return set(params.get("RequestItems", ()))
    if call.operation == "TransactWriteItems":
        return {action["TableName"] for entry in params.get("TransactItems", ()) for action in entry.values()}
    return set()


def _written(write: Mapping[str, Any]) -> Mapping[str, Any]:
    item: Mapping[str, Any] = write["PutRequest"]["Item"] if "PutRequest" in write else write["DeleteRequest"]["Key"]
    return item


def _scope(call: Call) -> str:
    return f"{call.head.account}/{call.head.region}/"


def _name(call: Call, table: str) -> str:
    return _scope(call) + short_name(table)


def _digest(keys: tuple[str, ...], attributes: Mapping[str, Any], number: Callable[[str], str]) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for key in keys:
        ((kind, value),) = attributes[key].items()
        text = number(value) if kind == "N" else value
        data = text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogatepass")
        digest.update(f"{key}\0{kind}\0{len(data)}\0".encode() + data)
    return digest.digest()


def _number(text: str) -> str:
    """Return a number in its one plain spelling. Raises `TypeError` where the text is no number."""
    try:
        return format(Decimal(text).normalize(), "f")
    except InvalidOperation:
        raise TypeError(f"{text!r} is no number") from None
