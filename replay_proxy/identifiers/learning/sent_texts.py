"""The texts that a client sent in the parameters of a call, which a restore sends again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import CallHead, Request
from replay_proxy.footprint.members.answer_identifiers import all_texts
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.mutability.judge import Effect, judge

_DEPTH = 6


class SentTexts:
    """What the request of a change said. Worked out when it is first asked for.

    A read says which page is wanted, and of whom; nothing of that has to be shown again. Nor has an address of the proxy, by
    whichever name the client called that: an emulator is told its own.
    """

    def __init__(self, head: CallHead, request: Request | None) -> None:
        self._head = head
        self._request = request

    def __contains__(self, text: str) -> bool:
        return text in self._texts and not self._is_of_proxy(text)

    def has_element(self, value: Any) -> bool:
        """Return whether a value is an element of a list that the client sent: a tag, labels included."""
        return _has_element(self._params, value, _DEPTH)

    @cached_property
    def _texts(self) -> frozenset[str]:
        return frozenset(all_texts(self._params))

    @cached_property
    def _params(self) -> Mapping[str, Any]:
        head, request = self._head, self._request
        if request is None or judge(head.service, head.operation).effect is not Effect.MUTATES:
            return {}
        try:
            return parse_parameters(head, request)
        except MalformedMessage:
            return {}

    def _is_of_proxy(self, text: str) -> bool:
        if self._request is None:
            return False
        try:
            authority = urlsplit(text).netloc
        except ValueError:  # an address in brackets that is none
            return False
        return bool(authority) and authority.lower().endswith(self._request.headers.get("host").lower() or "\0")


def _has_element(sent: Any, value: Any, depth: int) -> bool:
    if isinstance(sent, Mapping) and depth:
        return any(_has_element(each, value, depth - 1) for each in sent.values())
    if isinstance(sent, list) and depth:
        return value in sent or any(_has_element(each, value, depth - 1) for each in sent)
    return False
