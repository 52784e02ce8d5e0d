"""Asking the emulator in clients' identifiers, as a client would, without being one; and looking into its queues."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from replay_proxy.emulators.queue_look import messages_of, queue_look_of
from replay_proxy.emulators.reset import reset_endpoint_of
from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.observing.container import Caller, Container
from replay_proxy.observing.finding import credential_for, head_of, request_of
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.signing.sigv4 import Credential

_JSON = Headers((("Content-Type", "application/x-amz-json-1.0"),))


class Questions:
    """Asks one emulator. timeout_s: for each question."""

    def __init__(self, translator: Translator, upstream: UpstreamClient, timeout_s: float) -> None:
        self._translator = translator
        self._upstream = upstream
        self._timeout_s = timeout_s
        self._emulator: str | None = None

    async def ask(self, head: CallHead, request: Request, credential: Credential) -> Answer:
        """Send a request in clients' identifiers, signed by `credential`, and return its answer in them.

        Raises:
            OSError, TimeoutError: there is none.
        """
        translator = self._translator
        key = credential.access_key
        current = key if key.isdecimal() else translator.aliases.to_emulator(key)
        to_emulator = translator.access_keys.signed(
            translator.to_emulator(request, head), replace(credential, access_key=current)
        )
        answer = await self._send(to_emulator)
        return translator.answer_to_client(answer, head, request)

    async def look_into_queue(self, container: Container, caller: Caller, url: str) -> Mapping[str, Any] | None:
        """Return the messages of a queue as ReceiveMessage shows them, without taking them; None where there is no way.

        Raises:
            OSError, TimeoutError: the emulator does not answer.
        """
        if self._emulator is None:
            endpoint = await reset_endpoint_of(self._send)
            self._emulator = "" if endpoint is None else endpoint.name
        head = head_of(container, "ReceiveMessage", caller.access_key)
        asked = request_of(head, {"QueueUrl": url}, caller)
        own = _queue_url_in(self._translator.to_emulator(asked, head)) or url
        question = queue_look_of(self._emulator, own, container.region or credential_for(container, caller).region)
        if question is None:
            return None
        found = messages_of(self._emulator, await self._send(question))
        if found is None:
            return None
        answer = self._translator.answer_to_client(Answer(200, _JSON, found), head, asked)
        try:
            return parse_answer(head, answer, asked).parsed
        except MalformedMessage:
            return None

    def forget_emulator(self) -> None:
        """Find out anew which emulator it is: it was restarted."""
        self._emulator = None

    async def _send(self, request: Request) -> Answer:
        async with asyncio.timeout(self._timeout_s):
            return await self._upstream.exchange(request)


def _queue_url_in(request: Request) -> str:
    """Return the queue URL in a request to receive messages; empty where there is none."""
    try:
        found = orjson.loads(request.body) if isinstance(request.body, bytes) else {}
    except orjson.JSONDecodeError:
        return ""
    return str(found.get("QueueUrl", "")) if isinstance(found, dict) else ""
