"""The expected contents of queues: messages by their ids.

Emulators have endpoints that show the messages of a queue without taking them. Where there is none, a look has to receive: the
messages are hidden for a moment, and counted as received once more. So such a look is made only where the number of messages
says that something changed, or where something had an effect; and never where a dead-letter queue takes what was received often.

A message lives in one queue. One that was expected in another queue has moved here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from replay_proxy.emulators.queue_look import DELAY_S
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.expected import ExpectedContents, Look
from replay_proxy.observing.finding import Finding
from replay_proxy.observing.reader import LookError, Reader
from replay_proxy.replay.recorded_call import Call

HIDDEN_S: Final = 10
"""How long a message that a look received stays hidden, where the look does not come to its end."""
RECEIVED_MAX: Final = 2000
"""Messages that a look by receiving takes at most."""
PEEK: Final = "peek"
"""What stands for the name of a read, where an endpoint of the emulator's own showed the messages."""
DELAY_S_MAX: Final = 900
"""The longest delay that a message can have."""
_THERE: Final = b"1"
_COUNTS: Final = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_FIFO: Final = ".fifo"
MessageHomes = dict[str, "Messages"]
"""Where each message is expected."""


class Messages(ExpectedContents):
    """The messages of one queue. homes: shared by all queues."""

    def __init__(self, container: Container, homes: MessageHomes) -> None:
        super().__init__(container)
        self.homes = homes
        self._url = ""

    def see(self, call: Call) -> None:
        """Take in a call to the queue."""
        match call.operation:
            case "SendMessage":
                self._sent(call.result.get("MessageId"))
            case "SendMessageBatch":
                for entry in call.result.get("Successful", ()):
                    self._sent(entry.get("MessageId"))
            case "DeleteMessage" | "DeleteMessageBatch":
                known = call.notes.get("messages")
                for message in known.values() if isinstance(known, Mapping) else ():
                    self.drop(message)
                    self.homes.pop(message, None)
            case "PurgeQueue" | "DeleteQueue":
                for message in self.parts:
                    self.homes.pop(message, None)
                self.clear()

    def _sent(self, message: str | None) -> None:
        if message:
            self.put(message, _THERE)
            self._move_here(message)

    def _move_here(self, message: str) -> None:
        home = self.homes.get(message)
        if home is not None and home is not self:
            home.drop(message)
        self.homes[message] = self

    def take(self, part: str, fingerprint: bytes | None) -> None:
        """Note that a finding was recorded."""
        super().take(part, fingerprint)
        if fingerprint is not None:
            self._move_here(part)
        elif self.homes.get(part) is self:
            del self.homes[part]

    async def look(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look | None:
        """Read the messages of the queue."""
        found = await reader.ask(self.container, caller, "GetQueueUrl", {"QueueName": self.container.name})
        self._url = str(found.get("QueueUrl", ""))
        seen = await reader.look_into_queue(self.container, caller, self._url)
        if seen is not None:
            return self._looked(seen.get("Messages", ()), read=PEEK, complete=True)
        return await self._receive(reader, caller, thorough=thorough)

    def gone(self, part: str, look: Look) -> Finding | None:
        """Return the finding for a message that was consumed."""
        handle = f"observed-{part}"
        parameters = {"QueueUrl": self._url, "ReceiptHandle": handle}
        return Finding("DeleteMessage", parameters, look.read, part, notes={"messages": {handle: part}})

    def _looked(self, messages: Any, *, read: str, complete: bool) -> Look:
        look = Look(complete=complete, read=read)
        for message in messages:
            identity = message["MessageId"]
            look.seen[identity] = _THERE
            if identity not in self.parts and not self._is_expected_by_another_account(identity):
                look.changed[identity] = self._finding(message, read)
        return look

    def _is_expected_by_another_account(self, message: str) -> bool:
        """Return whether the message is expected in a queue of the same name: one that clients name by another account.

        The default account of an emulator has two names: its number, and none.
        """
        home = self.homes.get(message)
        if home is None:
            return False
        return (home.container.name, home.container.region) == (self.container.name, self.container.region)

    def _finding(self, message: Mapping[str, Any], read: str) -> Finding:
        attributes = message.get("Attributes") or {}
        body = str(message.get("Body", ""))
        parameters: dict[str, Any] = {"QueueUrl": self._url, "MessageBody": body}
        result = {"MessageId": message["MessageId"], "MD5OfMessageBody": hashlib.md5(body.encode()).hexdigest()}  # noqa: S324
        sent = {name: _plain(value) for name, value in (message.get("MessageAttributes") or {}).items()}
        if sent:
            parameters["MessageAttributes"] = sent
            if message.get("MD5OfMessageAttributes"):
                result["MD5OfMessageAttributes"] = message["MD5OfMessageAttributes"]
        for member in ("MessageGroupId", "MessageDeduplicationId"):
            if attributes.get(member):
                parameters[member] = attributes[member]
        if self.container.name.endswith(_FIFO):
            parameters.setdefault("MessageGroupId", "default")
            parameters.setdefault("MessageDeduplicationId", message["MessageId"])
        if attributes.get("AWSTraceHeader"):
            trace = {"DataType": "String", "StringValue": attributes["AWSTraceHeader"]}
            parameters["MessageSystemAttributes"] = {"AWSTraceHeader": trace}
        delay_s = int(attributes.get(DELAY_S) or 0)
        if 0 < delay_s <= DELAY_S_MAX and not self.container.name.endswith(_FIFO):
            parameters["DelaySeconds"] = delay_s
        made_at = float(attributes.get("SentTimestamp") or 0) / 1000
        return Finding("SendMessage", parameters, read, message["MessageId"], result, made_at=made_at)

    async def _receive(self, reader: Reader, caller: Caller, *, thorough: bool) -> Look | None:
        asked = {"QueueUrl": self._url, "AttributeNames": ["All"]}
        attributes = (await reader.ask(self.container, caller, "GetQueueAttributes", asked)).get("Attributes", {})
        counts = [int(attributes.get(name) or 0) for name in _COUNTS]
        if sum(counts) == len(self.parts) and not (thorough and counts[0]):
            return None
        if not counts[0]:
            # Nothing could be received; whatever is expected and not under way is gone.
            return Look(complete=not sum(counts), more=bool(sum(counts)), read="GetQueueAttributes")
        if attributes.get("RedrivePolicy"):
            raise LookError("a look would count as a receive, and would move messages to its dead-letter queue")
        messages, complete = await self._received(reader, caller)
        return self._looked(messages, read="ReceiveMessage", complete=complete and not any(counts[1:]))

    async def _received(self, reader: Reader, caller: Caller) -> tuple[list[dict[str, Any]], bool]:
        """Receive all messages, and make them visible again. Returns whether they are all."""
        asked = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": 10,
            "VisibilityTimeout": HIDDEN_S,
            "AttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        }
        messages: list[dict[str, Any]] = []
        try:
            while len(messages) < RECEIVED_MAX:
                found = (await reader.ask(self.container, caller, "ReceiveMessage", asked)).get("Messages") or []
                if not found:
                    return messages, not self.container.name.endswith(_FIFO)
                messages += found
        finally:
            await self._show_again(reader, caller, messages)
        return messages, False

    async def _show_again(self, reader: Reader, caller: Caller, messages: list[dict[str, Any]]) -> None:
        for begin in range(0, len(messages), 10):
            entries = [
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                for number, message in enumerate(messages[begin : begin + 10])
            ]
            asked = {"QueueUrl": self._url, "Entries": entries}
            await reader.ask(self.container, caller, "ChangeMessageVisibilityBatch", asked)


def _plain(attribute: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message attribute as it is sent: without members that are there and empty."""
    return {member: value for member, value in attribute.items() if value not in (None, "", [], b"")}
