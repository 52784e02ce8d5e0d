"""What the expected contents of all kinds of containers have in common.

Each part (a message, an item, an object) is expected with a *print*, by which a part that was changed is known. A print that
no call tells, as after an update by an expression, is unknown. A part is *unconfirmed* until it was seen, or written, since the
emulator's last restart: it is not found to be gone, because a restore may have failed to bring it back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import Reader
from replay_proxy.replay.recorded_call import Call

UNKNOWN = b""
"""The print of a part of which no call tells the contents."""
CHANGED_BYTES_MAX = 32 << 20
"""Of changed parts that are held at a time; what is beyond that is left to the next look."""


@dataclass(slots=True)
class Look:
    """What a container was seen to hold.

    seen: the print of each part. changed: the parts whose print was not the expected one, as the finding to be recorded if
    nothing speaks against it; several parts may have one finding. complete: all parts were seen, so that the others are gone.
    more: a further look is needed. read: the operation that told what is gone. too_large: parts that were not read because of
    their size.
    """

    seen: dict[str, bytes] = field(default_factory=dict)
    changed: dict[str, Finding] = field(default_factory=dict)
    complete: bool = True
    more: bool = False
    read: str = ""
    too_large: int = 0


class ExpectedContents(ABC):
    """What a container is expected to hold, by its recorded calls and by earlier looks.

    touched: the parts that calls wrote since `begin_look`, until `end_look`.
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        self.parts: dict[str, bytes] = {}
        self.unconfirmed: set[str] = set()
        self.touched: set[str] = set()
        self.touched_whole = False
        self._is_looked_at = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.container}: {len(self.parts)} parts, {len(self.unconfirmed)} unconfirmed>"

    @abstractmethod
    def see(self, call: Call) -> None:
        """Take in a recorded call to the container.

        Raises:
            KeyError, TypeError, AttributeError: it is not as its model says.
        """

    @abstractmethod
    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look | None:
        """Read the container; None where nothing can have changed.

        thorough: read all of it, even where a cheap sign says that nothing changed.

        Raises:
            LookError: it cannot be read. OSError, TimeoutError: the emulator does not answer.
        """

    @abstractmethod
    def gone(self, part: str, look: Look) -> Finding | None:
        """Return the finding for a part that is gone; None where that is not recorded for this kind."""

    def begin_generation(self) -> None:
        """Note that the emulator was restarted, and the recorded state restored: nothing is confirmed any more."""
        self.unconfirmed = set(self.parts)

    def forget_explained(self) -> None:  # noqa: B027  # most kinds expect nothing else than what calls show
        """Note that the emulator's calls were made again: what they made without showing it is another one now."""

    def begin_look(self) -> None:
        """Forget what calls touched before."""
        self.touched.clear()
        self.touched_whole = False
        self._is_looked_at = True

    def end_look(self) -> None:
        """Take no more note of what calls touch."""
        self.touched.clear()
        self._is_looked_at = False

    def is_touched(self, part: str) -> bool:
        """Return whether a call may have written this part since the look began."""
        return self.touched_whole or part in self.touched

    def put(self, part: str, fingerprint: bytes) -> None:
        """Expect a part with this print from now on."""
        self.parts[part] = fingerprint
        self.unconfirmed.discard(part)
        self.touch(part)

    def touch(self, part: str) -> None:
        """Note that a call may have written a part."""
        if self._is_looked_at:
            self.touched.add(part)

    def drop(self, part: str) -> None:
        """Expect a part no longer."""
        self.parts.pop(part, None)
        self.unconfirmed.discard(part)
        self.touch(part)

    def clear(self) -> None:
        """Expect nothing any more."""
        self.parts.clear()
        self.unconfirmed.clear()
        self.touched_whole = True

    def findings(self, look: Look, *, caused: bool) -> Iterator[tuple[Finding, str, bytes | None]]:
        """Yield what is other than expected: the finding, the part that it is of, and the part's print (None: it is gone).

        What is as expected, and what cannot be told, becomes what is expected from now on. caused: something may have had an
        effect, so that a part of unknown print may hold one.
        """
        # Of messages that moved to another queue, the end of the one comes before the beginning of the other.
        if look.complete:
            for part in [part for part in self.parts if part not in look.seen and part not in self.touched]:
                if part in self.unconfirmed or self.is_touched(part) or part not in self.parts:
                    continue
                finding = self.gone(part, look)
                if finding is not None:
                    yield finding, part, None
        yielded: set[int] = set()
        for part, fingerprint in look.seen.items():
            if self.is_touched(part):
                continue
            expected = self.parts.get(part)
            known = part not in self.unconfirmed
            self.unconfirmed.discard(part)
            if expected == fingerprint:
                continue
            if expected == UNKNOWN and not (caused and known and self.may_hold_effect(part)):
                self.parts[part] = fingerprint
                continue
            changed = look.changed.get(part)
            if changed is None:
                continue
            if id(changed) in yielded:
                self.parts[part] = fingerprint
            else:
                yielded.add(id(changed))
                yield changed, part, fingerprint

    def may_hold_effect(self, part: str) -> bool:
        """Return whether a part of unknown print may hold what something other than a recorded call wrote."""
        return True

    def take(self, part: str, fingerprint: bytes | None) -> None:
        """Note that a finding was recorded: it is what is expected from now on."""
        if fingerprint is None:
            self.parts.pop(part, None)
        else:
            self.parts[part] = fingerprint


def digest(data: bytes) -> bytes:
    """Return a print of these bytes."""
    return blake2b(data, digest_size=12).digest()


def written(value: Mapping[str, Any], member: str) -> str:
    """Return a member that is a text. Raises TypeError where it is none."""
    text = value[member]
    if not isinstance(text, str):
        raise TypeError(f"{member} is no text")
    return text
