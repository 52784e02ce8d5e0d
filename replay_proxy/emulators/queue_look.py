"""Looking at the messages of a queue without taking them, by an endpoint of the emulator's own; as data.

Which emulator it is, the probes of `reset` tell. moto has no such endpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from replay_proxy.exchange import Answer, Headers, Request

DELAY_S = "ReplayDelaySeconds"
"""Among the attributes of a message that is hidden because it was sent with a delay: the delay. Not one of SQS's own."""


def _localstack(url: str, region: str) -> Request:
    account, name = url.rstrip("/").rsplit("/", 2)[-2:]
    target = f"/_aws/sqs/messages/{region}/{account}/{quote(name)}?ShowInvisible=true&ShowDelayed=true"
    headers = (("Host", "localhost"), ("Content-Type", "application/x-amz-json-1.0"), ("Accept", "application/json"))
    return Request("GET", target, Headers(headers))


def _ministack(url: str, region: str) -> Request:
    target = "/_ministack/sqs/messages?" + urlencode({"QueueUrl": url, "region": region})
    return Request("GET", target, Headers((("Host", "localhost"), ("Accept", "application/json"))))


def _as_received(content: Any) -> list[dict[str, Any]]:
    """Return MiniStack's list of messages as an answer to ReceiveMessage has them."""
    (regions,) = content["messages"].values()  # where there is no such queue, this raises
    (queues,) = regions.values()
    (shown,) = queues.values()
    return [
        {
            "MessageId": each["MessageId"],
            "Body": each["Body"],
            "MD5OfBody": each["MD5OfBody"],
            **({"MD5OfMessageAttributes": each["MD5OfMessageAttributes"]} if each["MD5OfMessageAttributes"] else {}),
            "MessageAttributes": each["MessageAttributes"],
            "Attributes": {
                **{name: str(value) for name, value in (each["Attributes"] or {}).items() if isinstance(value, str)},
                "SentTimestamp": str(int(each["SentTimestamp"]) * 1000),
                **({DELAY_S: str(delay)} if (delay := _delay_of(each)) else {}),
                **({"MessageGroupId": each["MessageGroupId"]} if each["MessageGroupId"] else {}),
                **(
                    {"MessageDeduplicationId": each["MessageDeduplicationId"]} if each["MessageDeduplicationId"] else {}
                ),
            },
        }
        for each in shown
    ]


def _delay_of(message: dict[str, Any]) -> int:
    """Return for how many seconds after it was sent a message is hidden; 0 where it is not, or because somebody took it."""
    if message["IsVisible"] or message["ReceiveCount"]:
        return 0
    return max(0, int(message["VisibleAt"]) - int(message["SentTimestamp"]))


_ENDPOINTS: dict[str, tuple[Callable[[str, str], Request], Callable[[Any], list[dict[str, Any]]]]] = {
    "LocalStack": (_localstack, lambda content: list(content.get("Messages") or ())),
    "MiniStack": (_ministack, _as_received),
}


def queue_look_of(emulator: str, url: str, region: str) -> Request | None:
    """Return the request that shows the messages of a queue; None where `emulator` (as `reset` names it) has none.

    url: of the queue, in the emulator's identifiers.
    """
    endpoint = _ENDPOINTS.get(emulator)
    return None if endpoint is None else endpoint[0](url, region)


def messages_of(emulator: str, answer: Answer) -> bytes | None:
    """Return the answer to `queue_look_of` like one to ReceiveMessage, as JSON; None where it shows no messages."""
    if answer.status != 200 or not isinstance(answer.body, bytes):
        return None
    try:
        return orjson.dumps({"Messages": _ENDPOINTS[emulator][1](orjson.loads(answer.body))})
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        return None
