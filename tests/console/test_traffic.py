"""What passes is kept within bounds, and whoever is slower than it misses some."""

from __future__ import annotations

import time

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.proxy.requests.traffic import ENTRIES_MAX, Fate, Traffic

REQUEST = Request("GET", "/bucket?X-Amz-Signature=secret", Headers())
LIST = CallHead("sqs", "ListQueues", "json")
CREATE = CallHead("sqs", "CreateQueue", "json", "111122223333", "eu-west-1")


def test_a_slow_viewer_skips_what_is_no_longer_kept() -> None:
    traffic = Traffic()
    for _ in range(ENTRIES_MAX + 7):
        traffic.note(LIST, REQUEST, 200, None, time.monotonic())
    entries, skipped = traffic.since(0, 500)
    assert (len(entries), skipped) == (500, ENTRIES_MAX + 7 - 500)
    entries, skipped = traffic.since(0, 10_000)
    assert (len(entries), skipped) == (ENTRIES_MAX, 7)
    assert traffic.since(traffic.count, 500) == ([], 0)


def test_each_fate_is_told_with_the_reason_of_a_refusal() -> None:
    traffic = Traffic()
    now = time.monotonic()
    refusal = Answer(400, Headers(), b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"secret"}')
    traffic.note(LIST, REQUEST, 400, lambda: refusal, now)
    traffic.note(CREATE, REQUEST, 200, None, now)
    traffic.note(None, REQUEST, 200, None, now)
    traffic.note_change(CREATE, REQUEST, 200, None, now, seq=7)
    traffic.note_change(CREATE, REQUEST, 400, lambda: refusal, now, seq=0)
    traffic.note_change(CREATE, REQUEST, 200, None, now, seq=0)
    traffic.note_unavailable(CREATE, REQUEST, "the emulator is away")
    entries, _skipped = traffic.since(0, 100)
    assert [(each.fate, each.error, each.seq) for each in entries] == [
        (Fate.READ, "QueueDoesNotExist", 0),
        (Fate.SWITCHED_OFF, "", 0),
        (Fate.UNRECOGNISED, "", 0),
        (Fate.RECORDED, "", 7),
        (Fate.REFUSED, "QueueDoesNotExist", 0),
        (Fate.UNRECORDED, "", 0),
        (Fate.UNAVAILABLE, "the emulator is away", 0),
    ]
    assert "secret" not in str(entries), "neither queries nor messages are shown"
