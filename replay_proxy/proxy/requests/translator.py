"""Sends one request to the emulator, in the emulator's identifiers, and returns the answer in the clients' identifiers.

Bodies up to a threshold are held and looked at as a whole. Larger ones stream, unless identifiers in them may have to be
replaced. A streaming member (the bytes of an object) is the user's own data, and is never looked into.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, UpstreamError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.members.payload_members import services_with_encoded_fields
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.identifiers.rewriting.rewrite import answer_to_client, request_to_emulator
from replay_proxy.identifiers.rewriting.times.rewrite import Moment, Pair
from replay_proxy.identifiers.rewriting.times.table_records import writes_of
from replay_proxy.identifiers.rewriting.user_pools.oauth_requests import TOKEN_PATHS
from replay_proxy.identifiers.rewriting.user_pools.one_time_codes import with_codes_of_aliases
from replay_proxy.identifiers.table.alias_table import Origin
from replay_proxy.identifiers.table.scan import known_in
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.proxy.http.client.call import UpstreamAnswer
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.http.streams import Incoming, Outgoing, Stream, collect, rejoin
from replay_proxy.proxy.requests.held.held_file import HeldFile
from replay_proxy.proxy.requests.held.held_tokens import HeldTokens
from replay_proxy.proxy.requests.held.stream_records import Shown
from replay_proxy.proxy.requests.issued_values import PUBLIC_DOCUMENTS, IssuedValues
from replay_proxy.proxy.requests.journaling.recorder import SpooledBody
from replay_proxy.proxy.requests.mark_filter import may_list_mark, without_mark
from replay_proxy.proxy.requests.receipts.handles import RECEIPTS_FILE, ReceiptHandles
from replay_proxy.proxy.requests.receipts.renewal import renew_receipts
from replay_proxy.replay.access_keys import IDENTITY
from replay_proxy.replay.issued.issued_lookup import IssuedLookup
from replay_proxy.replay.issued.stand_ins import KeyRefusedError
from replay_proxy.replay.runs.answers import answer_about_runs
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.codecs.answers import Outcome, parse_answer
from replay_proxy.wire.models import models
from replay_proxy.wire.signing.sigv4 import Credential, credential_of

_log = log.get("runs")

WHOLE_BODY_BYTES_MAX = 128 << 20
"""A larger body is never held in memory, even where identifiers in it would have to be replaced. (The largest request that
mixes references and data is Lambda's function code, of 50 MB at most before base64.)"""

_PACKED = re.compile(rb"cbor|\r\ncontent-encoding:", re.IGNORECASE)

"""Where this stands in a message, its body may be encoded, and its bytes do not show the identifiers in it."""

EVENT_STREAM = "application/vnd.amazon.eventstream"


class Translator:
    """Translates between the clients and one emulator, by what is known of its identifiers, secrets and times."""

    def __init__(
        self,
        upstream: UpstreamClient,
        session_state: SessionState,
        endpoints: Endpoints,
        body_bytes_max: int,
        issued: IssuedLookup | None = None,
        held_place: Path | None = None,
    ) -> None:
        """body_bytes_max: of a body that is looked at as a whole in any case (`--body-threshold`).

        issued: finds the calls that gave out what clients present; None where nothing is recorded. held_place: the directory
        where it is written down what clients hold; None where nothing is written.
        """
        self.issued = None if issued is None else IssuedValues(issued, self._make_again, self.ask)
        self._upstream = upstream
        self.use_session(session_state)
        self.endpoints = endpoints
        receipts_file = None if held_place is None else HeldFile(held_place, RECEIPTS_FILE)
        self.receipts = ReceiptHandles(held_file=receipts_file)
        self.held_tokens = HeldTokens(held_place, self.ask, self._learn_held, self._writes_of)
        self._body_bytes_max = body_bytes_max

    def begin_emulator_generation(self) -> None:
        """Note that what clients hold means nothing to the emulator any more: it has lost its memory."""
        self.receipts.begin_emulator_generation()
        self.held_tokens.begin_generation()

    def _learn_held(self, head: CallHead, client: Shown, emulator: Shown) -> None:
        """Take what was drawn of a record before a restart as aliases, and when it was made."""
        origin = Origin(0, f"{head.service}:{head.operation}")
        if client.drawn != emulator.drawn:  # else nobody was shown it before
            for old, new in zip((client.number, *client.drawn), (emulator.number, *emulator.drawn), strict=True):
                with suppress(ValueError):
                    self.aliases.add(old, new, scope=scope_of(head), learned_from=origin)
        if client.made_at is not None and emulator.made_at is not None:
            self.times.pair(head, client.drawn, Pair("", emulator.made_at, client.made_at))

    def _writes_of(self, head: CallHead, table: str) -> Sequence[Moment]:
        """Return when the items of a table were written, whose stream shows it."""
        return self.times.moments_of(replace(head, service="dynamodb"), writes_of(table))

    def use_session(self, session_state: SessionState) -> None:
        """Translate by `session_state` from now on: a restore has made a new one."""
        self.session_state = session_state
        self.aliases, self.access_keys, self.times = (
            session_state.aliases,
            session_state.access_keys,
            session_state.times,
        )
        self.client_secrets = session_state.client_secrets
        if self.issued is not None:
            self.issued.use_session(session_state)
        self.runs = session_state.runs
        self.changes = session_state.changes
        self.start_positions = session_state.start_positions

    def may_change_request(self, data: bytes, body_at: int) -> bool:
        """Return whether `to_emulator` might change a request of these bytes. Quick; may say True without need.

        body_at: the offset of its body.
        """
        return (
            self.endpoints.may_change_request(data, body_at)
            or (len(self.aliases) > 0 and self._may_name(data, to_client=False))
            or self.times.may_change_request(data)
            or self.client_secrets.may_change_request(data)
        )

    def may_change_answer(self, data: bytes, body_at: int, head: CallHead | None) -> bool:
        """Return whether `answer_to_client` might change an answer of these bytes. Quick; may say True without need.

        body_at: the offset of its body.
        """
        return (
            self.endpoints.may_change_answer(data, body_at)
            or (len(self.aliases) > 0 and (_packs_fields(head) or self._may_name(data, to_client=True)))
            or self.times.may_change_answer(head, data)
            or may_list_mark(data, head)
            or self.runs.may_answer(head)
            or self.changes.may_answer(head)
            or self.start_positions.may_change(head)
        )

    def _may_name(self, data: bytes, *, to_client: bool) -> bool:
        return _PACKED.search(data) is not None or bool(known_in(data, self.aliases, to_client=to_client))

    async def read_beginning(self, incoming: Incoming) -> tuple[bytes, Stream | None]:
        """Read a request's body as far as it is looked at as a whole. Returns that, and the rest (None where nothing is left)."""
        if incoming.body is None:
            return b"", None
        if incoming.length is not None and incoming.length > self._body_bytes_max:
            return b"", incoming.body
        return await collect(incoming.body, self._body_bytes_max)

    def must_hold_whole(self, head: CallHead) -> bool:
        """Return whether a large request body must be held, because identifiers in it may have to be replaced."""
        return bool(len(self.aliases)) and not models.streams_input(head.service, head.operation)

    async def send(
        self,
        request: Request,
        rest: Stream | None,
        incoming: Incoming,
        head: CallHead | None,
        spooled: SpooledBody | None = None,
    ) -> UpstreamAnswer:
        """Send a request, in the emulator's identifiers. Returns the answer as the emulator gives it.

        request, rest: with as much of its body as is held, and what is still to come. spooled: where the whole body is spooled
        on its way. Raises as `UpstreamClient.send` does, or `StorageError` from `spooled`.
        """
        if rest is None:
            if head is not None and self.receipts.any_stale:
                request = await renew_receipts(request, head, self.receipts, self.ask)
            if head is not None:
                request = await self.held_tokens.in_request(request, head)
            if self.issued is not None:
                try:
                    request = await self.issued.in_request(request, head)
                except KeyRefusedError as refused:
                    answer = refused.answer
                    return UpstreamAnswer(answer.status, answer.reason, answer.headers, None, bytes_of(answer))
            to_emulator = self.to_emulator(request, head)
            return await self._upstream.send(
                to_emulator.method,
                to_emulator.target,
                to_emulator.headers,
                bytes_of(to_emulator),
                upgrade=incoming.upgrade,
            )
        if spooled is None and head is not None and self.must_hold_whole(head):
            prefix, more = await collect(rejoin(bytes_of(request), rest), WHOLE_BODY_BYTES_MAX)
            if more is None:
                return await self.send(request_of(incoming, prefix), None, incoming, head)
            rest = more
            request = request_of(incoming, prefix)
        bare = Request(request.method, request.target, request.headers)
        to_emulator = self.to_emulator(bare, head)
        stream = rejoin(bytes_of(request), rest) if spooled is None else spooled.chunks()
        return await self._upstream.send(
            to_emulator.method, to_emulator.target, to_emulator.headers, stream, incoming.length
        )

    async def _make_again(self, request: Request, head: CallHead, credential: Credential) -> Answer:
        """Make a call again that gave out what a client presents. Raises `UpstreamError`."""
        to_emulator = request_to_emulator(
            self.client_secrets.with_hashes(request, head, self.aliases), head, self.aliases, self.endpoints
        )
        key = credential.access_key
        today = replace(credential, access_key=key if key.isdecimal() else self.aliases.to_emulator(key))
        signed = self.access_keys.signed(to_emulator, today)
        answer = await self._upstream.send(signed.method, signed.target, signed.headers, bytes_of(signed))
        return Answer(answer.status, answer.headers, await answer.read(), answer.reason)

    async def ask(self, request: Request, head: CallHead | None) -> Answer:
        """Send a request of the proxy's own, in client ids. Returns its answer, in client ids. Raises `UpstreamError`."""
        to_emulator = self.to_emulator(request, head)
        answer = await self._upstream.send(
            to_emulator.method, to_emulator.target, to_emulator.headers, bytes_of(to_emulator)
        )
        whole = Answer(answer.status, answer.headers, await answer.read(), answer.reason)
        return answer_to_client(whole, head, request, self.aliases, self.endpoints)

    def placed(self, head: CallHead) -> CallHead:
        """Return a client's call in the account of the key that signed it, where the emulator has given that key."""
        keys = self.access_keys
        if head.access_key not in keys.accounts:
            return head
        return keys.placed(head, self.aliases.to_client(keys.default_account))

    async def identity_of(self, access_key: str, session_token: str) -> Outcome:
        """Ask the emulator whose a key is. Return what it told, in client ids. Raises `UpstreamError`, `MalformedMessage`."""
        request = self.access_keys.identity_request(self.endpoints.upstream, access_key)
        if session_token:
            headers = request.headers.replaced("X-Amz-Security-Token", session_token)
            request = Request(request.method, request.target, headers, request.body)
        return parse_answer(IDENTITY, await self.ask(request, replace(IDENTITY, access_key=access_key)), request)

    async def learn_default_account(self) -> bool:
        """Ask the emulator for its default account. Return whether it has told it."""
        request = self.access_keys.identity_request(self.endpoints.upstream)
        try:
            answer = await self._upstream.send(request.method, request.target, request.headers, bytes_of(request))
            whole = Answer(answer.status, answer.headers, await answer.read(), answer.reason)
            self.access_keys.learn_default_account(parse_answer(IDENTITY, whole, request))
        except (UpstreamError, MalformedMessage):
            return False
        return bool(self.access_keys.default_account)

    def to_emulator(self, request: Request, head: CallHead | None) -> Request:
        """Return the request in the emulator's identifiers; the same object where nothing changes.

        A changed request is signed anew where the secret of its access key is known.
        """
        derived = self.client_secrets.with_hashes(request, head, self.aliases)
        derived = with_codes_of_aliases(derived, head, self.aliases)
        to_emulator = request_to_emulator(
            self.times.request_to_emulator(derived, head), head, self.aliases, self.endpoints
        )
        if to_emulator is request:
            return to_emulator
        credential = credential_of(to_emulator)
        return (
            self.access_keys.signed(to_emulator, credential) if self.access_keys.can_sign(credential) else to_emulator
        )

    async def to_client(self, answer: UpstreamAnswer, request: Request, head: CallHead | None) -> Outgoing:
        """Return the answer as the client is to see it; a body with nothing to replace streams on. Raises `AnswerError`."""
        body: bytes | Stream = answer.body
        if not isinstance(body, bytes) and (
            self._may_name_identifiers(answer, head) or request.path.endswith((*PUBLIC_DOCUMENTS, *TOKEN_PATHS))
        ):
            prefix, more = await collect(body, self._body_bytes_max)
            if more is not None and head is not None and not streams_output(head):
                prefix, more = await collect(rejoin(prefix, more), WHOLE_BODY_BYTES_MAX)
            body = rejoin(prefix, more)
        if isinstance(body, bytes):
            whole = Answer(answer.status, answer.headers, body, answer.reason)
            to_client = await self.with_tokens(self.answer_to_client(whole, head, request), head, request)
            return Outgoing(to_client.status, to_client.reason, to_client.headers, bytes_of(to_client))
        bare = Answer(answer.status, answer.headers, b"", answer.reason)
        to_client = self.answer_to_client(bare, head, request)
        return Outgoing(to_client.status, to_client.reason, to_client.headers, body)

    def _may_name_identifiers(self, answer: UpstreamAnswer, head: CallHead | None) -> bool:
        """Return whether the body must be held: not where it is the user's own data, or a stream of events without an end."""
        if head is None or answer.headers.get("content-type").startswith(EVENT_STREAM):
            return False
        if answer.length is not None and answer.length > self._body_bytes_max:
            return not streams_output(head)
        return True

    async def with_tokens(self, to_client: Answer, head: CallHead | None, request: Request) -> Answer:
        """Return an answer for a client with the tokens and keys in it as the client is to see them."""
        return to_client if self.issued is None else await self.issued.to_client(to_client, head, request)

    def answer_to_client(self, answer: Answer, head: CallHead | None, request: Request) -> Answer:
        """Return a whole answer as the client is to see it; the same object where nothing changes."""
        if head is not None and self.start_positions.may_change(head):
            self.start_positions.forget(head, answer)
            answer = self.start_positions.shown(head, answer)
        to_client = answer_to_client(without_mark(answer, head), head, request, self.aliases, self.endpoints)
        to_client = self.times.answer_to_client(to_client, head, request)
        if head is not None and self.runs.may_answer(head):
            return self._with_runs(to_client, head, request)
        if head is not None and self.changes.may_answer(head):
            return self.changes.answer(head, request, to_client)
        return to_client

    def _with_runs(self, answer: Answer, head: CallHead, request: Request) -> Answer:
        """Return an answer with what is known of runs that the emulator does not know; see `replay.runs`."""
        whole = answer_about_runs(self.runs, head, request, answer)
        if whole is not answer:
            _log.info(
                "answered from the recording: the emulator does not know what was run before its restart",
                service=head.service,
                operation=head.operation,
            )
        return whole


def _packs_fields(head: CallHead | None) -> bool:
    """Return whether answers may show identifiers in a header field that has to be unpacked."""
    return head is not None and head.service in services_with_encoded_fields()


def request_of(incoming: Incoming, body: bytes) -> Request:
    """Return the request that came in, with `body` as its body."""
    return Request(incoming.method, incoming.target, incoming.headers, body)


def bytes_of(message: Request | Answer) -> bytes:
    """Return the body of a message, which is no blob here."""
    assert isinstance(message.body, bytes)
    return message.body


def streams_output(head: CallHead) -> bool:
    """Return whether the body of the answer is a streaming member, the user's own data."""
    return models.streams_output(head.service, head.operation)
