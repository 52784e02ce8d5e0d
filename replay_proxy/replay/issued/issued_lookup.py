"""Finds the recorded call that gave out a value, by the digest of the value.

The first question reads the lines of issuing calls, and no others. It keeps 16 bytes of each value, its digest and the number
of the record, and 24 bytes of each call, its place in the file. Records that are younger than that were made by the emulator
of today, unless it has been restored since, after which the next question reads them, too.
"""

from __future__ import annotations

import asyncio
import re
from array import array
from bisect import bisect_left
from dataclasses import replace
from pathlib import Path
from typing import Any

from replay_proxy.errors import ReplayProxyError
from replay_proxy.journal.format.records import Record
from replay_proxy.journal.read.index import CallType, Index
from replay_proxy.journal.read.lookup import RecordLookup
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.replay.issued.issuing_calls import issuing_call, revokes, sets_password

KEYS_NOTE = "jwks"
"""The note of the public keys by which the tokens of a call are verified: each the JSON Web Key with the pool that it is of."""
_KEYS_MAX = 100
CALLS_MAX = 500_000
"""How many issuing calls are remembered, the latest: what others gave out is refused by the emulator."""
_DIGESTS = re.compile(rb'"issued":\[((?:"[0-9a-f]{16}",?)*)\]')
_DIGEST = re.compile(rb"[0-9a-f]{16}")


class IssuedLookup:
    """The values that the calls of one recording gave out. Not to be asked by two threads at a time."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._digests: array[int] | None = None
        self._seqs: array[int] = array("Q")
        self._revocations: tuple[Record, ...] = ()
        self._passwords: tuple[Record, ...] = ()
        self._keys: list[tuple[str, dict[str, Any]]] = []
        self._recording: Recording | None = None
        self._reading = asyncio.Lock()

    @property
    def may_know(self) -> bool:
        """Whether anything may be found. Cheap; True until the recording has been looked at."""
        return self._digests is None or len(self._digests) > 0

    def look_again(self) -> None:
        """Read the recording anew at the next question: the emulator was restored."""
        self._digests = self._recording = None

    async def find(self, digest: str) -> Record | None:
        """Return the latest record of a call that gave out the value with this digest; None where none did."""
        async with self._reading:
            if self._digests is None:
                await asyncio.to_thread(self._read)
            assert self._digests is not None
            key = int(digest, 16)
            at = bisect_left(self._digests, key)
            if at == len(self._digests) or self._digests[at] != key:
                return None
            return await asyncio.to_thread(self._record, self._seqs[at])

    async def revocations(self) -> tuple[Record, ...]:
        """Return the records of calls that revoked tokens, in order."""
        async with self._reading:
            if self._digests is None:
                await asyncio.to_thread(self._read)
            return self._revocations

    async def passwords(self) -> tuple[Record, ...]:
        """Return the records of calls that set passwords of users, in order."""
        async with self._reading:
            if self._digests is None:
                await asyncio.to_thread(self._read)
            return self._passwords

    async def keys(self, pool: str) -> list[dict[str, Any]]:
        """Return the public keys by which tokens of a user pool were verified, the latest first."""
        async with self._reading:
            if self._digests is None:
                await asyncio.to_thread(self._read)
            return [key for of_pool, key in reversed(self._keys) if of_pool == pool]

    def _record(self, seq: int) -> Record | None:
        """Return a record by its number; None where it cannot be read. Blocking."""
        assert self._recording is not None
        try:
            return self._recording.fetch(seq)
        except (ReplayProxyError, KeyError):
            return None

    def _read(self) -> None:
        """Find the digests in the lines of issuing calls. Blocking."""
        found: dict[int, int] = {}
        revocations: list[Record] = []
        passwords: list[Record] = []
        keys: list[tuple[str, dict[str, Any]]] = []
        try:
            recording = read(self._data_dir)
            lookup, index, small = RecordLookup(recording), recording.index, Index()
            for position in lookup.positions(_is_issuing)[-CALLS_MAX:]:
                seq = index.seqs[position]
                small.add(seq, index.offsets[position], index.lengths[position], index.call_type(position))
                line = recording.line(position)
                notes_at = max(0, line.rfind(b'"notes":'))
                for digest in _digests_in(line, notes_at):
                    found[digest] = seq
                if line.find(b'"jwks":', notes_at) >= 0:
                    keys += _keys_in(recording.at(position))
            revocations = [recording.at(position) for position in lookup.positions(_is_revoking)]
            passwords = [recording.at(position) for position in lookup.positions(_sets_password)]
            # The index of everything else is not needed any more.
            self._recording = replace(recording, found=replace(recording.found, index=small))
        except ReplayProxyError:
            found = {}
        digests = sorted(found)
        self._seqs = array("Q", (found[digest] for digest in digests))
        self._revocations, self._passwords = tuple(revocations), tuple(passwords)
        self._keys = keys[-_KEYS_MAX:]
        self._digests = array("Q", digests)


def _is_issuing(what: CallType) -> bool:
    return issuing_call(what.service, what.operation) is not None


def _is_revoking(what: CallType) -> bool:
    return revokes(what.service, what.operation)


def _sets_password(what: CallType) -> bool:
    return sets_password(what.service, what.operation)


def _digests_in(line: bytes, notes_at: int) -> list[int]:
    match = _DIGESTS.search(line, notes_at)
    return [int(each, 16) for each in _DIGEST.findall(match[1])] if match is not None else []


def _keys_in(record: Record) -> list[tuple[str, dict[str, Any]]]:
    noted = record.notes.get(KEYS_NOTE)
    entries = [each for each in noted if isinstance(each, dict)] if isinstance(noted, list) else []
    return [(str(each.get("pool")), each["key"]) for each in entries if isinstance(each.get("key"), dict)]
