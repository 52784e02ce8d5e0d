"""The expected contents of tables: items by their keys, with a print of their attributes."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from replay_proxy.footprint.data_parts import items_written, writes_items
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.footprint.statements import item_statements
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import CHANGED_BYTES_MAX, UNKNOWN, ExpectedContents, Look, digest
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import LookError, Reader
from replay_proxy.replay.recorded_call import Call

PAGE_ITEMS = 2000
"""Items of a page at most: an emulator answers nobody else while it makes one."""


FAILED_CALLS_MAX = 1000
"""Calls to a table that failed since the last look; with so many, any item may have been written."""
BEFORE_KEYS_MAX = 1000
"""Writes to a table, such as a stack made, that are remembered until it is known what its keys are."""


class Items(ExpectedContents):
    """The items of one table. A part is named by its key, as JSON. keys: the names of the key's attributes.

    failed: by table, the calls that failed since the last look. is_written_by_others: tells whether something other than clients
    may write items, and not only delete what has expired. Where nothing does, an item of unknown print holds an effect only of a
    call that failed. To write it once more would be a change, which the stream of the table shows.
    """

    def __init__(
        self,
        container: Container,
        failed: dict[Container, list[Call]] | None = None,
        is_written_by_others: Callable[[], bool] = lambda: True,
    ) -> None:
        super().__init__(container)
        self.failed = {} if failed is None else failed
        self.is_written_by_others = is_written_by_others
        self._doubted: set[str] = set()
        self._all_doubted = False
        self._keys: tuple[str, ...] = ()
        self._before_keys: list[tuple[Mapping[str, Any], bytes | None]] = []

    def see(self, call: Call) -> None:
        """Take in a call to the table."""
        params = call.params
        match call.operation:
            case "CreateTable":
                self.clear()
                self._learn_keys(params)
            case "DeleteTable":
                self.clear()
            case "PutItem":
                self._write(params["Item"], _print_of(params["Item"]))
            case "UpdateItem":
                self._write(params["Key"], UNKNOWN)
            case "DeleteItem":
                self._write(params["Key"], None)
            case "BatchWriteItem":
                left = call.result.get("UnprocessedItems") or {}
                for table, writes in params["RequestItems"].items():
                    for write in writes if short_name(table) == self.container.name else ():
                        self._take_write(write, known=write not in left.get(table, ()))
            case "TransactWriteItems":
                for entry in params["TransactItems"]:
                    self._take_transaction(entry)
            case "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction":
                self._take_statements(call)
            case "ImportTable":
                self._forget_prints()
            case operation if operation.startswith("RestoreTable"):
                self._forget_prints()

    def _take_write(self, write: Mapping[str, Any], *, known: bool) -> None:
        if "PutRequest" in write:
            item = write["PutRequest"]["Item"]
            self._write(item, _print_of(item) if known else UNKNOWN)
        else:
            self._write(write["DeleteRequest"]["Key"], None if known else UNKNOWN)

    def _take_transaction(self, entry: Mapping[str, Any]) -> None:
        for kind, action in entry.items():
            if short_name(action["TableName"]) != self.container.name:
                continue
            if kind == "Put":
                self._write(action["Item"], _print_of(action["Item"]))
            elif kind in ("Update", "Delete"):
                self._write(action["Key"], None if kind == "Delete" else UNKNOWN)

    def _take_statements(self, call: Call) -> None:
        answers = call.result.get("Responses") or []
        for index, each in enumerate(item_statements(call.params)):
            if each is None:
                self._forget_prints()  # it may be a read, or write anything
            elif short_name(each.table) == self.container.name:
                failed = index < len(answers) and "Error" in answers[index]
                told = {"put": _print_of(each.item), "delete": None}.get(each.verb, UNKNOWN)
                self._write(each.item, UNKNOWN if failed else told)

    def may_hold_effect(self, part: str) -> bool:
        """Return whether something other than a recorded call may have written an item."""
        return self._all_doubted or part in self._doubted or self.is_written_by_others()

    def take(self, part: str, fingerprint: bytes | None) -> None:
        """Note that a finding was recorded: it is what is expected from now on."""
        super().take(part, fingerprint)
        self._doubted.discard(part)

    def _note_failed(self) -> None:
        """Note which items calls that failed may have written all the same."""
        failed = self.failed.pop(self.container, [])
        self._all_doubted = self._all_doubted or len(failed) >= FAILED_CALLS_MAX
        for call in failed:
            try:
                self._doubted |= set(self._named_by(call))
            except (LookupError, TypeError, ValueError, AttributeError):
                self._all_doubted = True

    def _named_by(self, call: Call) -> Iterator[str]:
        """Yield the items of the table that a call writes. Raises LookupError where that cannot be told."""
        if writes_items(call.operation):
            written = list(items_written(call.operation, call.params))
        else:
            statements = list(item_statements(call.params))
            written = [(each.table, each.item) for each in statements if each is not None]
            if len(written) < len(statements):
                raise LookupError(call.operation)
        for table, item in written:
            if short_name(table) == self.container.name:
                yield _part(self._keys, item)

    def _write(self, attributes: Mapping[str, Any], fingerprint: bytes | None) -> None:
        if not self._keys:
            self._before_keys.append(({**attributes}, fingerprint))
            if len(self._before_keys) > BEFORE_KEYS_MAX:
                self._before_keys.clear()  # what they wrote is found as if by itself, and recorded once more
            return
        part = _part(self._keys, attributes)
        if fingerprint is None:
            self.drop(part)
        else:
            self.put(part, fingerprint)

    def _forget_prints(self) -> None:
        """Note that any item may have been written."""
        self.parts = dict.fromkeys(self.parts, UNKNOWN)
        self.touched_whole = True

    def _learn_keys(self, table: Mapping[str, Any]) -> None:
        self._keys = tuple(sorted(key["AttributeName"] for key in table["KeySchema"]))
        waiting, self._before_keys = self._before_keys, []
        for attributes, fingerprint in waiting:
            self._write(attributes, fingerprint)

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look:
        """Read all items."""
        name = self.container.name
        if not self._keys:
            found = await reader.ask(self.container, caller, "DescribeTable", {"TableName": name})
            try:
                self._learn_keys(found["Table"])
            except (KeyError, TypeError) as error:
                raise LookError("its key is not told") from error
        self._note_failed()
        look, held, start = Look(), 0, None
        while True:
            asked: dict[str, Any] = {"TableName": name, "ConsistentRead": True, "Limit": PAGE_ITEMS}
            if start:
                asked["ExclusiveStartKey"] = start
            page = await reader.ask(self.container, caller, "Scan", asked)
            read = page.get("Items") or []
            # Many items take a while, in which requests are not to wait.
            for item, part, fingerprint in await asyncio.to_thread(_printed, self._keys, read):
                look.seen[part] = fingerprint
                if self.parts.get(part) != fingerprint:
                    held += len(part) + _size_of(item)
                    if held > CHANGED_BYTES_MAX:
                        look.more = True
                    else:
                        look.changed[part] = Finding("PutItem", {"TableName": name, "Item": item}, "Scan", part)
            start = page.get("LastEvaluatedKey")
            if not start:
                return look

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return the finding for an item that was deleted."""
        parameters = {"TableName": self.container.name, "Key": _key_of(part)}
        return Finding("DeleteItem", parameters, "Scan", part)


def _printed(keys: tuple[str, ...], items: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str, bytes]]:
    """Return items with their names and prints. Raises LookError where one is not as its model says."""
    try:
        return [(item, _part(keys, item), _print_of(item)) for item in items]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise LookError(f"an item cannot be understood: {error}") from error


def _part(keys: tuple[str, ...], attributes: Mapping[str, Any]) -> str:
    """Return the name of an item. Raises KeyError where it has no such key."""
    return orjson.dumps({key: _canonical(attributes[key]) for key in keys}, option=orjson.OPT_SORT_KEYS).decode()


def _key_of(part: str) -> dict[str, Any]:
    key: dict[str, Any] = orjson.loads(part)
    return {name: {"B": b64decode(value["B"])} if "B" in value else value for name, value in key.items()}


def _print_of(item: Mapping[str, Any]) -> bytes:
    content = {name: _canonical(value) for name, value in item.items()}
    return digest(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))


def _canonical(value: Any) -> Any:
    """Return an attribute value as JSON that equal values share: sets have no order, and `1` and `1.0` are one number."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return {kind: _number(content)}
        case "B":
            return {kind: _binary(content)}
        case "SS":
            return {kind: sorted(content)}
        case "NS":
            return {kind: sorted(map(_number, content))}
        case "BS":
            return {kind: sorted(map(_binary, content))}
        case "M":
            return {kind: {name: _canonical(each) for name, each in content.items()}}
        case "L":
            return {kind: [_canonical(each) for each in content]}
    return {kind: content}


def _number(text: Any) -> str:
    try:
        return format(Decimal(text).normalize(), "f")
    except (InvalidOperation, TypeError, ValueError):
        return str(text)


def _binary(data: Any) -> str:
    return b64encode(data).decode("ascii") if isinstance(data, bytes) else str(data)


def _size_of(item: Mapping[str, Any]) -> int:
    """Return about how many bytes an item takes."""
    return len(orjson.dumps({name: _canonical(value) for name, value in item.items()}))
