"""Taking away the messages that a restore itself makes the emulator send: each restart would leave one more of them.

S3, for one, sends a test event to each destination of a notification when that is configured, and so when it is configured
again. The test event of the first time is restored like any other message if it still waited, and was consumed if not. So the
new one goes. It is known by its text, and by its id, which is not that of a restored message. What to look for is in
`data/echoes.json`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from replay_proxy import log
from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead
from replay_proxy.footprint.names.resource_names import arn_place, arn_service, short_name
from replay_proxy.identifiers.table.alias_table import AliasTable, Scope
from replay_proxy.journal.format.records import Record
from replay_proxy.replay.execution.sending.sender import EmulatorSender
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import protocol_of
from replay_proxy.wire.signing.sigv4 import Credential

_log = log.get("restore")
_DATA = Path(__file__).parent / "data" / "echoes.json"
_HIDDEN_S: Final = 10
"""For how long messages that are looked through are hidden, if the restore is cut off meanwhile."""
_LOOKED_THROUGH_MAX: Final = 1000
_ATTEMPTS_MAX: Final = 3
_PAUSE_S: Final = 0.2
"""Before it is looked again, where an emulator sends the message a moment after its answer."""


@dataclass(frozen=True, slots=True)
class _Destination:
    """A queue to which an echo goes, or a topic that passes it on.

    sign: the text by which it is known. credential: of the call that caused it.
    """

    arn: str
    sign: str
    credential: Credential
    account: str


@cache
def _signs() -> Mapping[tuple[str, str], tuple[str, int]]:
    """Return of each operation the sign of its messages, and how many there are."""
    entries = orjson.loads(_DATA.read_bytes())["echoes"]
    return {
        (each["service"], name): (each["sign"], each.get("count", 1)) for each in entries for name in each["operations"]
    }


class Echoes:
    """The echoes of one restore."""

    def __init__(self, sender: EmulatorSender, aliases: AliasTable, host: str) -> None:
        self._sender = sender
        self._aliases = aliases
        self._host = host
        self._expected: Counter[_Destination] = Counter()

    def note(self, record: Record) -> None:
        """Note a call that was made again with success."""
        head = record.head
        if head is None or (head.service, head.operation) not in _signs():
            return
        with suppress(MalformedMessage):
            self.expect(head, parse_parameters(head, record.request), record.credential)

    def expect(self, head: CallHead, params: Mapping[str, Any], credential: Credential) -> None:
        """Note a call with these parameters that was made with success, if it has echoes."""
        sign, count = _signs().get((head.service, head.operation), ("", 0))
        if sign:
            for arn in _arns(params):
                self._expected[_Destination(arn, sign, credential, head.account)] += count

    async def remove(self) -> None:
        """Take away the echoes of the calls that were noted. What cannot be taken away is logged, and stays."""
        expected, self._expected = self._expected, Counter()
        for named, count in expected.items():
            try:
                for destination in await self._queues(named):
                    left = count
                    for attempt in range(_ATTEMPTS_MAX):
                        if attempt:
                            await asyncio.sleep(_PAUSE_S)
                        left -= await self._remove_from(destination, left)
                        if left <= 0:
                            break
            except (OSError, TimeoutError, MalformedMessage, LookupError) as error:
                reason = str(error) or type(error).__name__
                _log.debug("a message that the restore caused was not taken away", place=named.arn, reason=reason)

    async def _queues(self, named: _Destination) -> list[_Destination]:
        """Return the queues that what is named passes an echo to: itself, or those that are subscribed to a topic."""
        if arn_service(named.arn) == "sqs":
            return [named]
        if arn_service(named.arn) != "sns":
            return []
        shown = (await self._ask(named, "ListSubscriptionsByTopic", {"TopicArn": named.arn})).get("Subscriptions") or []
        endpoints = {str(each.get("Endpoint")) for each in shown}
        return [replace(named, arn=each) for each in sorted(endpoints) if arn_service(each) == "sqs"]

    async def _remove_from(self, destination: _Destination, count: int) -> int:
        """Take away at most `count` echoes from a queue. Return how many there were."""
        url = (await self._ask(destination, "GetQueueUrl", {"QueueName": short_name(destination.arn)}))["QueueUrl"]
        asked = {"QueueUrl": url, "AttributeNames": ["All"]}
        attributes = (await self._ask(destination, "GetQueueAttributes", asked)).get("Attributes", {})
        waiting = int(attributes.get("ApproximateNumberOfMessages") or 0)
        if not waiting or (attributes.get("RedrivePolicy") and waiting > count):
            return 0  # to look through others would count as receives, and could move them to their dead-letter queue
        scope = Scope(destination.account, arn_place(destination.arn)[0])
        removed, others = 0, list[str]()
        asked = {"QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": _HIDDEN_S}
        while removed < count and len(others) < _LOOKED_THROUGH_MAX:
            messages = (await self._ask(destination, "ReceiveMessage", asked)).get("Messages") or []
            for message in messages:
                handle, identity = message["ReceiptHandle"], message["MessageId"]
                if destination.sign in message.get("Body", "") and self._aliases.to_client(identity, scope) == identity:
                    await self._ask(destination, "DeleteMessage", {"QueueUrl": url, "ReceiptHandle": handle})
                    removed += 1
                else:
                    others.append(handle)
            if not messages:
                break
        for begin in range(0, len(others), 10):
            entries = [
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
                for number, handle in enumerate(others[begin : begin + 10])
            ]
            await self._ask(destination, "ChangeMessageVisibilityBatch", {"QueueUrl": url, "Entries": entries})
        return removed

    async def _ask(self, destination: _Destination, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a queue or topic answers to a call, in the emulator's identifiers. Raises LookupError where it refuses."""
        region = arn_place(destination.arn)[0]
        own = destination.credential
        service = arn_service(destination.arn)
        credential = Credential(own.access_key, region, service, "header")
        head = CallHead(service, operation, protocol_of(service), destination.account, region, own.access_key)
        request = build_request(head, params, self._host)
        outcome = parse_answer(head, await self._sender.send(self._sender.signed(request, credential)), request)
        if not outcome.ok:
            raise LookupError(f"{operation}: {outcome.error_code}")
        return outcome.parsed


def _arns(value: Any) -> set[str]:
    """Return the ARNs among the texts of parameters."""
    if isinstance(value, str):
        return {value} if value.startswith("arn:") else set()
    if isinstance(value, Mapping):
        return {arn for each in value.values() for arn in _arns(each)}
    if isinstance(value, list):
        return {arn for each in value for arn in _arns(each)}
    return set()
