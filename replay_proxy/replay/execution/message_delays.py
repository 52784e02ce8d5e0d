"""How long messages that are sent again are still to be hidden: until the moment at which their first delay was over.

A message that was sent with a delay is visible afterwards. Sent again by a restore as it was sent at first, it would be hidden
once more, after each restart. So it is asked for what is left of the delay, also where that is its queue's own. Messages of FIFO
queues have no delay but that.
"""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.codecs.parameters import parse_parameters

_DELAY: Final = "DelaySeconds"
_QUEUES: Final = frozenset({"CreateQueue", "SetQueueAttributes"})
_MESSAGES: Final = frozenset({"SendMessage", "SendMessageBatch"})
_FIFO: Final = ".fifo"


class MessageDelays:
    """The delays of one restore. now: the time in seconds since the epoch."""

    def __init__(self, now: Callable[[], float] = clock.time) -> None:
        self._now = now
        self._of_queues: dict[tuple[str, str, str], int] = {}

    def asked(self, request: Request, head: CallHead, time: str) -> Request:
        """Return a request to SQS that asks for what is left of a delay; the identical object where there is none.

        To be called for every call that is made again. request: as it was recorded. time: of the call, ISO 8601.
        """
        if head.service != "sqs" or head.operation not in _QUEUES | _MESSAGES or not isinstance(request.body, bytes):
            return request
        if head.operation in _MESSAGES and not self._of_queues and _DELAY.encode() not in request.body:
            return request
        try:
            params, moment = parse_parameters(head, request), datetime.fromisoformat(time).timestamp()
            if head.operation in _QUEUES:
                self._note_queue(head, params)
                return request
            changed = self._with_delays(head, params, self._now() - moment)
        except (MalformedMessage, ValueError, TypeError, AttributeError, KeyError):
            return request  # not as its model says: sent as it was
        if changed is None:
            return request
        body = build_request(head, changed, request.headers.get("host")).body
        assert isinstance(body, bytes)
        headers = request.headers.replaced("Content-Length", str(len(body))).without("content-encoding")
        return replace(request, body=body, headers=headers)

    def _note_queue(self, head: CallHead, params: Mapping[str, Any]) -> None:
        delay = (params.get("Attributes") or {}).get(_DELAY)
        if delay is not None:
            self._of_queues[_key(head, params.get("QueueName") or params["QueueUrl"])] = int(delay)

    def _with_delays(self, head: CallHead, params: dict[str, Any], age_s: float) -> dict[str, Any] | None:
        """Return the parameters with what is left of the delays after `age_s`; None where nothing is other than it was."""
        queue = params["QueueUrl"]
        if queue.endswith(_FIFO):
            return None
        own = self._of_queues.get(_key(head, queue), 0)
        entries = [dict(each) for each in params["Entries"]] if "Entries" in params else [params]
        delays = [int(each.get(_DELAY) or 0) if _DELAY in each else own for each in entries]
        if not any(delays):
            return None
        for each, delay in zip(entries, delays, strict=True):
            each[_DELAY] = max(0, math.ceil(delay - max(0.0, age_s)))
        return {**params, "Entries": entries} if "Entries" in params else params


def _key(head: CallHead, queue: str) -> tuple[str, str, str]:
    return head.account, head.region, short_name(queue)
