"""What a version says of itself, compared with what it holds: its digest, its calls, its services.

A load empties the emulator first. So a version whose journal was cut off, emptied or changed is refused before that, also where
each of its blobs is what its digest says. How many resources the calls add up to depends on the program that counts, and so does
the spelling of the metamodel: of these it is asked alone that they are numbers.
"""

from __future__ import annotations

import hashlib

from replay_proxy.journal.format.records import Record
from replay_proxy.pods.limits import damaged
from replay_proxy.pods.oci.descriptor import CALLS, RESOURCES, SERVICES, STATE, UNPACKED, is_digest
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.wording import counted

_DIGITS_MAX = 18


class Stated:
    """Takes the lines of a version as they come, and compares them in the end. where: for messages.

    Raises PodError where what is said is no number, or no digest.
    """

    def __init__(self, manifest: Manifest, where: str) -> None:
        self._annotations = manifest.annotations
        self._where = where
        self._digest = hashlib.sha256()
        self._services: set[str] = set()
        self._calls = 0
        for name in (CALLS, RESOURCES, UNPACKED):
            said = self._annotations.get(name, "0")
            if not said.isascii() or not said.isdigit() or len(said) > _DIGITS_MAX:
                raise damaged(f"{where}: what it says of itself is no number: {name} is {said[:40]!r}")
        if manifest.state and not is_digest(manifest.state):
            raise damaged(f"{where}: what it says of itself is no digest: {STATE} is {manifest.state[:100]!r}")

    def see(self, line: bytes, record: Record) -> None:
        """Take a line, without its newline, and its record."""
        self._digest.update(line)
        self._digest.update(b"\n")
        self._calls += 1
        if record.head is not None and record.head.service:
            self._services.add(record.head.service)

    def check(self) -> None:
        """Compare, after the last line. Raises PodError where a version holds something else than it says."""
        where, annotations = self._where, self._annotations
        said = annotations.get(CALLS)
        if said is not None and int(said) != self._calls:
            raise damaged(f"{where} says that it holds {counted(int(said), 'call')}, and holds {self._calls}")
        state = annotations.get(STATE, "")
        if not state and not self._calls:
            raise damaged(f"{where} holds no call, and does not say that it is empty")
        if state and state != f"sha256:{self._digest.hexdigest()}":
            raise damaged(f"{where} holds another state than the one whose digest it gives")
        services = annotations.get(SERVICES)
        if services is not None and services != ",".join(sorted(self._services)):
            raise damaged(f"{where} says that it holds calls to {services[:200]!r}, and holds others")
