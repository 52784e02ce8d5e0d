"""What steps work on: clients, names, and what was made before."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from replay_proxy.footprint import resource_kinds
from replay_proxy.footprint.names.resource_names import short_name
from tests.support.read_back.comparison import leaves

DRAWN = "{drawn}"
"""In a name, stands for an identifier that an emulator drew."""
_PLAIN = re.compile(r"[A-Za-z0-9-]{3,40}")


class MissingError(Exception):
    """A step needs something that was not made, and cannot be made here."""


@dataclass(frozen=True)
class Step:
    """One step of a service. ends: it takes something away, and is no part of the scenario in order."""

    service: str
    do: Callable[[World], None]
    ends: bool
    makes: str

    @property
    def name(self) -> str:
        return f"{self.service}:{self.do.__name__}"


STEPS: dict[str, list[Step]] = defaultdict(list)
FURTHER: dict[str, list[Step]] = defaultdict(list)
"""Steps of random histories alone."""
_MAKERS: dict[str, Step] = {}


def step(
    service: str, *, makes: str = "", ends: bool = False, further: bool = False
) -> Callable[[Callable[[World], None]], Callable[[World], None]]:
    """Register a step. makes: the kind of what it makes, for those that need one. further: of random histories alone."""

    def register(do: Callable[[World], None]) -> Callable[[World], None]:
        made = Step(service, do, ends, makes)
        (FURTHER if further else STEPS)[service].append(made)
        if makes:
            _MAKERS.setdefault(makes, made)
        return do

    return register


class World:
    """An account and a region of an emulator. names: what things are called."""

    def __init__(self, client: Callable[[str], Any], names: list[str], mark: str = "") -> None:
        """mark: tells what all accounts share (names of buckets) from that of others; empty for the first."""
        self.mark = mark
        self._client = client
        self._names = self._called = names
        self._made: dict[str, list[Any]] = defaultdict(list)
        self._numbers = (0, 0, 0)
        self._making: set[str] = set()
        self.calls: list[tuple[str, dict[str, Any], Any]] = []
        self.trail: list[str] = []
        self.refused: list[str] = []
        self.broken: set[str] = set()
        """Services of which a call broke the emulator halfway (500): it may have done a part, which no answer tells."""

    def take(self, which: Step, numbers: tuple[int, int, int] = (0, 0, 0)) -> bool:
        """Take one step; tell whether the emulator did it."""
        self._numbers = numbers
        self._called = [each.replace(DRAWN, self._drawn()) for each in self._names]
        try:
            which.do(self)
        except (ClientError, BotoCoreError, ResponseParserError, MissingError) as error:
            self.refused.append(f"{which.name}: {error}")
            return False
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            self.refused.append(f"{which.name}: an answer without what it should have: {error!r}")
            return False
        return True

    def __call__(self, service: str, operation: str, /, **params: Any) -> Any:
        """Make a call; what it answered."""
        try:
            result = self._client(service)._make_api_call(operation, params)
        except ResponseParserError:
            self.broken.add(service)
            raise
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 500:
                self.broken.add(service)
            raise
        result.pop("ResponseMetadata", None)
        self.calls.append((service, params, {k: v for k, v in result.items() if not hasattr(v, "read")}))
        self.trail.append(f"{service}:{operation} {params}")
        return result

    @property
    def name(self) -> str:
        return self._called[self._numbers[0] % len(self._called)]

    @property
    def other(self) -> str:
        return self._called[self._numbers[1] % len(self._called)]

    def _drawn(self) -> str:
        """The identifier that an emulator drew last."""
        for _, _, answer in reversed(self.calls):
            for member, value in _members(answer):
                if member.endswith(("Id", "id")) and isinstance(value, str) and _PLAIN.fullmatch(value):
                    return value
        return "id"

    def ended(self) -> set[str]:
        """The identifiers that an emulator drew for what was deleted again, and that leaves nothing behind."""
        sent, drawn, ended = set[str](), set[str](), set[str]()
        for asked, (service, params, answer) in zip(self.trail, self.calls, strict=True):
            operation = asked.partition(" ")[0].partition(":")[2]
            for kind in resource_kinds.deleted_by(service, operation):
                ended |= {name[-1] for name in resource_kinds.names_in(kind, params)} & drawn
            sent |= set(leaves(params))
            drawn |= {short_name(each) for each in leaves(answer)} - sent
        return ended

    @property
    def number(self) -> int:
        return self._numbers[2]

    def keep(self, kind: str, value: Any) -> Any:
        self._made[kind].append(value)
        return value

    def pick(self, kind: str) -> Any:
        """One that was made before; where none was, it is made."""
        if not self._made[kind]:
            if kind not in _MAKERS or kind in self._making:
                raise MissingError(kind)
            self._making.add(kind)
            try:
                _MAKERS[kind].do(self)
            finally:
                self._making.discard(kind)
        if not self._made[kind]:
            raise MissingError(kind)
        return self._made[kind][self._numbers[1] % len(self._made[kind])]

    def gone(self, kind: str, value: Any) -> None:
        self._made[kind] = [each for each in self._made[kind] if each != value]


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for member, each in value.items():
            yield member, each
            yield from _members(each)
    elif isinstance(value, list):
        for each in value:
            yield from _members(each)
