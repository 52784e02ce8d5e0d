"""When the writes to tables with a stream were made at first: the records of the stream show it.

Of other tables nothing is noted: no time of an item is shown anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.data_parts import begins_stream
from replay_proxy.footprint.statements import item_statements
from replay_proxy.identifiers.rewriting.times.rewrite import Moment, Times
from replay_proxy.identifiers.rewriting.times.table_records import STREAMED_TABLES, stream_of, writes_of, written
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters

_STATEMENTS = frozenset({"ExecuteStatement", "BatchExecuteStatement", "ExecuteTransaction"})
_OF_TABLES = frozenset({"CreateTable", "UpdateTable"})


_UNKNOWN_MOMENT = (
    "something other than a recorded call wrote items of this table (code in the emulator, a client that passed the proxy by,"
    " or a call that was answered with an error); when is not known, so that its stream may have other records, or in another"
    " order"
)


class _Write(NamedTuple):
    """The write of one item. is_whole: whether `item` is all of the item, and not its key."""

    table: str
    item: Mapping[str, Any]
    removes: bool = False
    is_whole: bool = False


class UnknownMoments:
    """Tells, once of each table with a stream, that something else than a recorded call wrote items of it.

    What was observed is there, but nobody knows when it was written: among which other writes, and by how many. So the stream of
    a restore need not have the same records in the same order.
    """

    def __init__(self, times: Times) -> None:
        self._times = times
        self._told: set[tuple[str, str, str]] = set()

    def said_of(self, record: Record) -> str:
        """Return what is to be said of the stream of the table that an observation writes to; empty where nothing is."""
        head = record.head
        if record.kind is not RecordKind.OBSERVATION or head is None or head.service != "dynamodb":
            return ""
        try:
            tables = {write.table for write in _writes(head.operation, parse_parameters(head, record.request))}
        except (MalformedMessage, KeyError, TypeError, AttributeError):  # of a recording that somebody has written
            return ""
        for table in tables:
            where = (head.account, head.region, stream_of(table))
            if where not in self._told and self._times.moments_of(head, stream_of(table)):
                self._told.add(where)
                return f"{table}: {_UNKNOWN_MOMENT}"
        return ""


def note_item_writes(times: Times, head: CallHead, original: Request, answer: Answer, moment: Moment) -> None:
    """Note in `times` which items a call to DynamoDB wrote in this moment. Raises `MalformedMessage`.

    original, answer: the recorded messages.
    """
    if head.operation in _OF_TABLES:
        params = parse_parameters(head, original)
        if begins_stream(params):
            schema = parse_answer(head, answer, original).parsed.get("TableDescription", {}).get("KeySchema", ())
            key_names = tuple(each["AttributeName"] for each in schema)
            names = [STREAMED_TABLES, stream_of(params.get("TableName"))]
            times.remember(head, names, replace(moment, creates=False, within=key_names))
    elif times.moments_of(head, STREAMED_TABLES):
        for write in _writes(head.operation, parse_parameters(head, original)):
            if streams := times.moments_of(head, stream_of(write.table)):
                within = written(write.item, streams[-1].within, is_whole=write.is_whole)
                made = replace(moment, creates=not write.removes, within=within)
                times.remember(head, [writes_of(write.table)], made)


def _writes(operation: str, params: Mapping[str, Any]) -> Iterator[_Write]:
    if operation in _STATEMENTS:
        for statement in item_statements(params):
            if statement is not None:
                yield _Write(statement.table, statement.item, statement.verb == "delete")
    elif operation == "PutItem":
        yield _Write(params["TableName"], params["Item"], is_whole=True)
    elif operation in ("UpdateItem", "DeleteItem"):
        yield _Write(params["TableName"], params["Key"], operation == "DeleteItem")
    elif operation == "BatchWriteItem":
        for table, entries in params["RequestItems"].items():
            for entry in entries:
                yield _of_entry(table, entry.get("PutRequest"), entry.get("DeleteRequest"))
    elif operation == "TransactWriteItems":
        for entry in params["TransactItems"]:
            for action in (each for name, each in entry.items() if name != "ConditionCheck"):
                if "Item" in action:
                    yield _Write(action["TableName"], action["Item"], is_whole=True)
                else:
                    yield _Write(action["TableName"], action["Key"], "Delete" in entry)


def _of_entry(table: str, put: Mapping[str, Any] | None, delete: Mapping[str, Any] | None) -> _Write:
    if put is not None:
        return _Write(table, put["Item"], is_whole=True)
    return _Write(table, (delete or {})["Key"], removes=True)
