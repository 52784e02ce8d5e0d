"""The original times of what a restore has made again: clients see those, not the times of the restore.

The emulator says of a resource that it was made during the restore. The recording knows better. So a restore remembers of
each call when it was made at first, when it was made again, and what it made or changed. Afterwards, a time in an answer
is replaced where two things are certain: it stands beside the name of such a resource, and it lies in the moment in which
that was made again. What a client changes later has a later time, and keeps it. A time that lies whole hours away from
such a moment was reckoned from it (a deletion in seven days, a certificate that is valid for a year), and keeps that
distance from the original moment. Where a recorded and a replayed answer showed the same member with two times, these are a
*pair*, which says it exactly.

Towards the emulator, the conditions `If-Modified-Since` and `If-Unmodified-Since` on objects are translated, and the time
from which on a client asks for the records of a stream.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.footprint.data_parts import OBJECT_WRITES
from replay_proxy.identifiers.rewriting.body import bodies, derived_headers
from replay_proxy.identifiers.rewriting.body.body_values import BodyValue, Neighbours, body_values
from replay_proxy.identifiers.rewriting.times import conditions
from replay_proxy.identifiers.rewriting.times.moments import Moment, Pair
from replay_proxy.identifiers.rewriting.times.remembered_times import RememberedTimes
from replay_proxy.identifiers.rewriting.times.time_members import may_be_time, original_in, seconds_of, shows_times
from replay_proxy.identifiers.rewriting.times.time_owners import (
    copy_name,
    names_around,
    object_name,
    object_of,
    parameters,
    part_name,
    scope_of_value,
)
from replay_proxy.identifiers.rewriting.times.time_places import TimePlace
from replay_proxy.identifiers.rewriting.times.time_texts import parse_time, time_in_words
from replay_proxy.identifiers.table.scan import Replacement

__all__ = ["Moment", "Pair", "Times", "object_name", "original_in", "seconds_of", "shows_times"]

_RESTORE = "x-amz-restore"
_STATE_CHANGE = "StateChange"
_EXPIRY = re.compile(r'expiry-date="([^"]+)"')


class Times(RememberedTimes):
    """The times of one session, put into answers and requests. Empty: every answer is shown as it is."""

    def may_change_answer(self, head: CallHead | None, data: bytes) -> bool:
        """Return whether these bytes of an answer could hold a time of the restore: quick, not exact."""
        if not self or head is None or not shows_times(head):
            return False
        if head.operation == "GetObject":
            data = data[: data.find(b"\r\n\r\n")]
        return self.may_show(data)

    def answer_to_client(self, answer: Answer, head: CallHead | None, request: Request) -> Answer:
        """Return an answer, which has client ids already, with the original times.

        request: the client's. Returns the identical object where nothing changes.
        """
        if not self or head is None or not shows_times(head) or not 200 <= answer.status < 300:
            return answer
        headers, body = answer.headers, answer.body
        if head.service == "s3":
            headers = self._headers(headers, head, request)
        if isinstance(body, bytes) and head.operation != "GetObject" and self.may_change_answer(head, body):
            new = self._body(answer, head, request)
            if new is not None:
                headers, body = derived_headers.for_unpacked(headers, new), new
        if headers is answer.headers and body is answer.body:
            return answer
        return Answer(answer.status, headers, body, answer.reason)

    def _is_of_restore(self, text: str) -> bool:
        seconds = parse_time(text)
        return seconds is not None and self.is_in_window(seconds)

    def _headers(self, headers: Headers, head: CallHead, request: Request) -> Headers:
        modified, restored = headers.get("last-modified"), _EXPIRY.search(headers.get(_RESTORE))
        if not (modified and self._is_of_restore(modified)) and restored is None:
            return headers
        params = parameters(head, request)
        own = (params.get("Bucket"), params.get("Key"), params.get("VersionId"))
        part = part_name(*own[:2], params["PartNumber"]) if params.get("PartNumber") else ""
        place = TimePlace("s3", head.operation, "LastModified")
        for name in filter(None, (part, object_name(*own))):
            if modified and (original := self.original(head, [("", name)], place, modified)):
                headers = headers.replaced("Last-Modified", original)
                break
        if restored is not None:
            place, now = TimePlace("s3", head.operation, "ExpiryDate"), parse_time(headers.get("date"))
            original = self.original(head, [("", copy_name(*own))], place, restored[1], now)
            text = headers.get(_RESTORE)
            headers = headers.replaced(_RESTORE, text.replace(restored[1], original)) if original else headers
        return headers

    def _body(self, answer: Answer, head: CallHead, request: Request) -> bytes | None:
        readable_body = bodies.readable_body(answer, head)
        if readable_body is None or readable_body[1] not in ("json", "xml"):
            return None
        body, body_format, payload = readable_body
        assert body_format is not None

        def is_wanted(name: str, text: str) -> bool:
            if words := time_in_words(text):
                return self.may_be_of_restore(text[slice(*words)])
            return may_be_time(head, name) and self.may_be_of_restore(text)

        params: dict[str, Any] | None = None
        now = parse_time(answer.headers.get("date"))
        replacements = []
        for found in body_values(body, body_format, is_wanted):
            body_value = _time_alone(found)
            params = parameters(head, request) if params is None else params
            place = TimePlace(head.service, head.operation, body_value.name, tuple(body_value.within))
            scope = scope_of_value(body_value, params)
            for names in self._names_of(body_value, head, params, place):
                original = self.original(head, names, place, body_value.text, now, scope)
                if original:
                    replacements.append(Replacement(body_value.start, body_value.end, body_value.text, original))
                    break
        outside = bodies.outside_payload(replacements, payload, body, body_format)
        return _replaced(body, outside) if outside else None

    def _names_of(
        self, body_value: BodyValue, head: CallHead, params: Mapping[str, Any], place: TimePlace
    ) -> Iterable[Neighbours]:
        """Return the names of what a time may belong to, the nearest first.

        What a request asks about names the whole, and not what is listed in it. It comes first all the same where the time lies
        in the very call that made the whole, and in none that made what stands around the time: that call made the part, too.
        """
        around = list(names_around(body_value, head, params))
        if body_value.listed and not any(self.lies_in_call(head, names, place, body_value.text) for names in around):
            asked = [(member, value) for member, value in params.items() if isinstance(value, str)]
            if self.lies_in_call(head, asked, place, body_value.text):
                around.insert(0, asked)
        return around

    def may_change_request(self, data: bytes) -> bool:
        """Return whether these bytes of a request could hold a time as a condition: quick, not exact."""
        return self.has_moments and conditions.may_be_conditional(data)

    def request_to_emulator(self, request: Request, head: CallHead | None) -> Request:
        """Return a request with its conditions in the emulator's times; the identical object where nothing changes."""
        if not self.has_moments or head is None:
            return request
        return conditions.request_to_emulator(self, request, head)

    def forget_changed(self, head: CallHead, request: Request) -> None:
        """Forget the times of an object that a client has written anew: it is no longer the one that was restored."""
        if self.has_moments and head.service == "s3" and head.operation in OBJECT_WRITES:
            self.forget(head, object_of(parameters(head, request)))


def _time_alone(body_value: BodyValue) -> BodyValue:
    """Return the time at the end of a reason in words, as that of a state, of which it is the reason; else `body_value`."""
    words = time_in_words(body_value.text)
    if words is None:
        return body_value
    end = body_value.end - (len(body_value.text) - words[1])
    text = body_value.text[slice(*words)]
    return replace(body_value, start=end - len(text), end=end, text=text, name=_STATE_CHANGE)


def _replaced(body: bytes, replacements: list[Replacement]) -> bytes:
    pieces, done = [], 0
    for replacement in replacements:
        pieces += [body[done : replacement.start], replacement.new.encode()]
        done = replacement.end
    return b"".join([*pieces, body[done:]])
