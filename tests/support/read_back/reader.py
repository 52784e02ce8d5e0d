"""Reads everything that can be named, round by round, and the same reads again later."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from tests.support.read_back.catalogue import reads_of
from tests.support.read_back.known_values import KnownValues

ROUNDS = 5
PER_MEMBER_SET = 10
"""So many things of a kind are asked for one by one."""
PER_LISTED_SET = 2
"""So many where they are listed together as well."""
READS_MAX = 300
"""Of one service."""
NOT_UNDERSTOOD_MAX = 2
"""An operation that gives so many answers that cannot be read, and no other, is taken for one that does not exist."""


@dataclass(frozen=True)
class Asked:
    """One read: with which parameters, as JSON."""

    service: str
    operation: str
    params: str

    def __str__(self) -> str:
        return f"{self.service}:{self.operation} {self.params}"


@dataclass
class State:
    """What was read. answers: by read; an answer is a dict, a refusal the code of its error."""

    answers: dict[Asked, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> int:
        return sum(isinstance(each, dict) for each in self.answers.values())

    def shows(self, asked: Asked) -> bool:
        return isinstance(self.answers.get(asked), dict)


NOT_UNDERSTOOD = "refused: not understood"


class Reader:
    """Reads through clients. client: a function that makes a client of a service."""

    def __init__(self, client: Callable[[str], Any], show: Callable[[Any], Any] = lambda value: value) -> None:
        self._client = client
        self._renewed: dict[str, str] = {}
        self._show = show

    def everything(self, services: Iterable[str], calls: Iterable[tuple[str, dict[str, Any], Any]]) -> State:
        """Read whatever exists. calls: service, parameters and answer of those that made the state."""
        state = State()
        known: dict[str, KnownValues] = {service: KnownValues() for service in services}
        for service, params, result in calls:
            if service in known:
                known[service].add_call(params, result)
        for service, values in known.items():
            self._read(service, values, state)
        return state

    def _read(self, service: str, known: KnownValues, state: State) -> None:
        count = 0
        unsupported: set[str] = set()
        broken: Counter[str] = Counter()
        for _ in range(ROUNDS):
            before = count
            for read in reads_of(service):
                if read.key in unsupported:
                    continue
                listed = not read.required and state.shows(Asked(service, read.operation, _text(dict(read.fixed))))
                for params in known.parameters(read, PER_LISTED_SET if listed else PER_MEMBER_SET):
                    asked = Asked(service, read.operation, _text(params))
                    if asked in state.answers:
                        continue
                    answer = self._ask(read.service, read.operation, params)
                    if answer == NOT_UNDERSTOOD:
                        broken[read.key] += 1
                    if answer is None or broken[read.key] >= NOT_UNDERSTOOD_MAX:
                        unsupported.add(read.key)
                        break
                    count += 1
                    state.answers[asked] = answer
                    if isinstance(answer, dict):
                        known.add_call({name: params[name] for name in params if name not in dict(read.fixed)}, answer)
                    if count >= READS_MAX:
                        return
            if count == before:
                return

    def again(self, reads: Mapping[Asked, Any]) -> State:
        """The same reads. reads: with what they showed at first; shard iterators end, and are replaced by new ones."""
        state = State()
        for asked, shown in reads.items():
            params = {name: self._renewed.get(str(value), value) for name, value in json.loads(asked.params).items()}
            answer = self._ask(asked.service, asked.operation, params)
            state.answers[asked] = "no answer" if answer is None else answer
            if asked.operation == "GetShardIterator" and isinstance(shown, dict) and isinstance(answer, dict):
                self._renewed[shown["ShardIterator"]] = answer["ShardIterator"]
        return state

    def _ask(self, service: str, operation: str, params: dict[str, Any]) -> Any:
        """What a read shows, or the code of its refusal; None where it cannot be asked here."""
        client = self._client(service)
        try:
            answer = client._make_api_call(operation, params)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            code = str(error.response["Error"].get("Code"))
            if status in (404, 405, 500, 501) and code in UNSUPPORTED:
                return None
            return f"refused: {code}"
        except ResponseParserError:
            return NOT_UNDERSTOOD
        except BotoCoreError as error:
            return f"refused: {type(error).__name__}"
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return f"not understood: {type(error).__name__}"
        answer.pop("ResponseMetadata", None)
        return self._show(_plain(answer))


UNSUPPORTED = frozenset({
    "404", "405", "501", "500", "InternalFailure", "InternalError", "NotYetImplemented", "NotImplemented", "InvalidAction",
    "UnknownOperationException", "UnknownOperation", "MethodNotAllowed", "Unknown", "UnsupportedOperation",
})  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if hasattr(value, "read"):
        value = value.read()
    if isinstance(value, bytes):
        try:
            return value.decode() if len(value) < 500 else f"bytes {hashlib.sha256(value).hexdigest()}"
        except UnicodeDecodeError:
            return f"bytes {hashlib.sha256(value).hexdigest()}"
    return value


def _text(params: dict[str, Any]) -> str:
    return json.dumps(params, sort_keys=True, ensure_ascii=False)
