"""Messages from one namespace to the other: requests to the emulator's, answers to the clients'.

A message that names nothing known is returned as the identical object after one scan. Otherwise exactly the bytes of
identifiers change, in the target, in headers, and in the body, and with them the headers that follow from the body
(`derived_headers`).

Never changed are payload (`payload`), headers that authenticate or describe the message, bodies that are user data as a
whole (`bodies`), and the bodies of messages that are no AWS call: `/restapis/{id}/stage/_user_request_/path` has
identifiers in its address only. In an `Authorization`, only the id of an access key that the emulator made is replaced. A
key id that is an account id says which account the client wants.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import HOP_BY_HOP, Answer, CallHead, Headers, Request
from replay_proxy.footprint.members.account_members import holds_account
from replay_proxy.footprint.members.handed_out import is_handed_out
from replay_proxy.footprint.members.payload_members import services_with_encoded_fields
from replay_proxy.identifiers.rewriting import chosen_names
from replay_proxy.identifiers.rewriting.body import bodies, cbor, derived_headers, object_spans, reported_headers
from replay_proxy.identifiers.rewriting.body.payload import NO_PAYLOAD, payload_of
from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.account_places import AccountPlace
from replay_proxy.identifiers.table.alias_table import AliasTable, Origin
from replay_proxy.identifiers.table.scan import identifiers_in
from replay_proxy.identifiers.table.scope import scope_of
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.models.models import operation_model
from replay_proxy.wire.mutability.judge import Effect, judge

if TYPE_CHECKING:
    from replay_proxy.identifiers.rewriting.endpoints import Endpoints

# Headers that say how a message is carried, signed or checked, and name no resource.
_UNTOUCHED = re.compile(
    r"content-.*|accept.*|amz-sdk-.*|if-.*|range|etag|date|last-modified|expires|age|server|user-agent|expect|via|traceparent|tracestate|smithy-protocol|cache-control"
    r"|vary|access-control-.*|origin|cookie|set-cookie|x-forwarded-.*|forwarded|sec-.*"
    r"|x-amz-(?:date|security-token|content-sha256|checksum-.*|sdk-.*|target|trailer|te|crc32|user-agent|request-id"
    r"|id-2|api-version|decoded-content-length)|x-amzn-(?:requestid|trace-id|query-mode|query-error|errortype)|"
    + "|".join(sorted(HOP_BY_HOP))
)
# Header values that are percent-encoded as a URL is.
_URL_HEADERS = frozenset({"x-amz-copy-source", "x-amz-rename-source", "x-amz-tagging", "location", "referer"})
_CONDITIONS = frozenset({"etag", "if-match", "if-none-match"})
_SMALL_BODY_BYTES_MAX = 16 * 1024  # bytes
_LABEL = re.compile(r"\{([A-Za-z0-9_-]+)\}")
_SIGNATURE = re.compile(
    rb"(X-Amz-Credential|AWSAccessKeyId)=[^&]*|(?:X-Amz-Signature|X-Amz-Security-Token|Signature)=[^&]*",
    re.IGNORECASE,
)


def request_to_emulator(
    request: Request, head: CallHead | None, table: AliasTable, endpoints: Endpoints | None = None
) -> Request:
    """Return `request` with emulator ids for client ids, and the emulator's URLs for the proxy's.

    Returns the identical object where nothing changes.
    """
    if endpoints is not None:
        request = endpoints.to_emulator(request, head)
    if not len(table):
        return request
    head_text, body_text = _searched_texts(request, head)
    in_head = scan.prescan(head_text, table, to_client=False)
    in_body = scan.prescan(body_text, table, to_client=False)
    if not in_head.known and not in_body.known:
        return request
    if head is not None and chosen_names.keep(request, head, table):
        in_head = scan.prescan(head_text, table, to_client=False)
        in_body = scan.prescan(body_text, table, to_client=False)
    target, headers, body = request.target, request.headers, None
    if in_head.known:
        change = _change(in_head, table, head, to_client=False)
        target = _target(request, head, change)
        headers = _headers(request, head, change)
    if in_body.known:
        body = _body(request, head, body_text, in_body, table, to_client=False)
    if body is not None:
        headers = derived_headers.for_unpacked(headers, body)
    if body is None and target is request.target and headers is request.headers:
        return request
    return Request(request.method, target, headers, request.body if body is None else body)


def answer_to_client(
    answer: Answer,
    head: CallHead | None,
    request: Request,
    table: AliasTable,
    endpoints: Endpoints | None = None,
) -> Answer:
    """Return `answer` with client ids for emulator ids, and the proxy's URLs for the emulator's.

    request: the client's, as it came in. Returns the identical object where nothing changes. An id that collides with
    another resource's client id (see `alias_table`) gets a fresh one, which is added to `table`; the caller finds it
    with `table.take_minted()`.
    """
    if len(table):
        head_text, body_text = _searched_texts(answer, head)
        in_head = scan.prescan(head_text, table, to_client=True)
        in_body = scan.prescan(body_text, table, to_client=True)
        if in_head.known or in_body.known:
            answer = _translated(answer, head, request, table, body_text, in_head, in_body)
    return endpoints.to_client(answer, request, head) if endpoints is not None else answer


def _translated(
    answer: Answer,
    head: CallHead | None,
    request: Request,
    table: AliasTable,
    body_text: bytes,
    in_head: scan.Prescan,
    in_body: scan.Prescan,
) -> Answer:
    clients = table.to_emulator_index.pairs.keys()
    if head is not None and not (clients.isdisjoint(in_body.known) and clients.isdisjoint(in_head.known)):
        mint_for_collisions(answer, head, request, table, in_body.known | in_head.known)
    headers, body = answer.headers, None
    if in_head.known:
        headers = _headers(answer, head, _change(in_head, table, head, to_client=True))
    if in_body.known and request.method != "HEAD":
        body = _body(answer, head, body_text, in_body, table, to_client=True)
    if body is not None:
        headers = derived_headers.for_unpacked(headers, body)
    if body is None and headers is answer.headers:
        return answer
    return Answer(answer.status, headers, answer.body if body is None else body, answer.reason)


def _change(scanned: scan.Prescan, table: AliasTable, head: CallHead | None, *, to_client: bool) -> bodies.Change:
    """Return the change of a text of the call `head`, or of pieces of it, in which a prescan found `scanned`."""
    scope, service = scope_of(head), head.service if head is not None else ""

    def change(data: bytes) -> list[scan.Replacement]:
        return scan.find(data, table, scope, to_client=to_client, scanned=scanned, service=service)[0]

    return change


def _body(
    message: Request | Answer,
    head: CallHead | None,
    text: bytes,
    scanned: scan.Prescan,
    table: AliasTable,
    *,
    to_client: bool,
) -> bytes | None:
    """Return the body of `message` rewritten; None where nothing changes. scanned: of its `text`, by a prescan."""
    found = bodies.readable_body(message, head, reported=True)
    if found is None:
        return None
    body, body_format, payload = found
    if body is text and not payload.tree and not payload.reported_body and body_format in ("json", "xml"):
        new = scan.replace_simple(body, scanned, table, scope_of(head), to_client=to_client)
        if new is not None:
            return None if new is body else new
    return bodies.rewrite_body(found, _change(scanned, table, head, to_client=to_client))


def names_known(answer: Answer, table: AliasTable) -> bool:
    """Return whether an answer names anything that `table` has an alias for, on either side. A blob is not read."""
    if not len(table):
        return False
    text = "\n".join([value for _, value in answer.headers.pairs]).encode("latin-1", "replace")
    if isinstance(answer.body, bytes):
        text += b"\n" + answer.body
    return bool(scan.known_in(text, table, to_client=True))


def mint_for_collisions(answer: Answer, head: CallHead, request: Request, table: AliasTable, known: set[bytes]) -> None:
    """Give fresh client ids to the identifiers of new resources that collide with client ids of others.

    Only an answer to a call that changes state shows a new identifier for sure, and only if the client did not send it
    itself; elsewhere an unknown token that equals a client id is more likely a text that somebody wrote. So it is where the
    alias is bound to places of another service.
    """
    scope = scope_of(head)
    clients, bound = table.to_emulator_index.pairs, table.to_emulator_index.bound
    colliding = {
        token.decode()
        for token in known
        if token in clients
        and (token not in bound or any(alias.learned_from.service == head.service for alias in clients[token]))
        and table.collides(token.decode(), scope)
    }
    if not colliding or judge(head.service, head.operation).effect is not Effect.MUTATES:
        return
    try:
        outcome = parse_answer(head, answer, request)
    except MalformedMessage:
        return
    sent = b"\n".join(_searched_texts(request, head))
    for token in identifiers_in(head, outcome, table.to_client_index.names) & colliding:
        if token.encode() not in sent and table.collides(token, scope):
            table.mint(token, scope=scope, learned_from=Origin(0, f"{head.service}:{head.operation}"))


def _searched_texts(message: Request | Answer, head: CallHead | None) -> tuple[bytes, bytes]:
    """Return everything in a message in which an identifier could be, outside of its body and in it, for a prescan."""
    pairs = message.headers.pairs
    parts = [pairs[at][1] for at in _rewritable(message.headers, head)]
    if isinstance(message, Request):
        parts.append(message.target)
    elif head is not None and head.service in services_with_encoded_fields():
        parts += reported_headers.texts(message.headers, payload_of(head, "json", answer=True).encoded_headers)
    text = "\n".join(parts).encode("latin-1", "replace")
    body = message.body
    if head is None or not isinstance(body, bytes) or not body:
        return text, b""
    if len(body) > _SMALL_BODY_BYTES_MAX or body[:2] == b"\x1f\x8b":
        # A large body is most likely payload. A small one is scanned faster than that is found out.
        body = bodies.unpacked_body(message, head, reported=True) or b""
    if "cbor" in message.headers.get("content-type"):
        body = cbor.texts(body)
    return text, body


def _rewritable(headers: Headers, head: CallHead | None) -> tuple[int, ...]:
    """Return the positions of the fields that may name a resource; those of ETags only where these are tokens."""
    found = headers.of_names(_rewritable_positions)
    conditions = headers.of_names(_condition_positions)
    if conditions and head is not None and _takes_etags(head.service):
        return found + conditions
    return found


@lru_cache(maxsize=1024)
def _takes_etags(service: str) -> bool:
    """Return whether an ETag is a token that the service hands out; elsewhere it follows from content."""
    return is_handed_out(service, "", "ETag")


def _condition_positions(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(at for at, name in enumerate(names) if name in _CONDITIONS)


def _rewritable_positions(names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the positions of the fields (by their names, in lower case) that may name a resource."""
    return tuple(at for at, name in enumerate(names) if not _UNTOUCHED.fullmatch(name))


def _target(request: Request, head: CallHead | None, change: bodies.Change) -> str:
    target = request.target
    data = target.encode("latin-1", "replace")
    replacements = [each for each in change(data) if _is_account_in_path(each, data, head)]
    if replacements:
        payload = payload_of(head, "json", answer=False) if head is not None else NO_PAYLOAD
        spans = object_spans.in_target(data, payload, request.headers.get("host"))
        replacements = bodies.outside_spans(replacements, spans)
    if not replacements:
        return target
    signed = [(*match.span(), bool(match[1])) for match in _SIGNATURE.finditer(data)]
    kept = [
        replacement
        for replacement in replacements
        if not any(
            start <= replacement.start < end and not (credential and _is_key_id(replacement))
            for start, end, credential in signed
        )
    ]
    return scan.replaced(data, kept, url=True).decode("latin-1") if kept else target


def _headers(message: Request | Answer, head: CallHead | None, change: bodies.Change) -> Headers:
    """Return the headers of `message` rewritten; the identical object where nothing changes."""
    payload = payload_of(head, "json", answer=isinstance(message, Answer)) if head is not None else NO_PAYLOAD
    headers = message.headers
    pairs = list(headers.pairs)
    any_changed = False
    for at in _rewritable(headers, head):
        lower = headers.lowers[at]
        if lower in payload.encoded_headers or (payload.headers and _is_payload(lower, payload.headers)):
            continue
        name, value = pairs[at]
        data = value.encode("latin-1", "replace")
        replacements = [each for each in change(data) if _is_account_in_field(each, lower, head)]
        if lower == "authorization":
            replacements = [replacement for replacement in replacements if _is_key_id(replacement)]
        elif lower in payload.object_headers:
            replacements = bodies.outside_spans(replacements, object_spans.in_source(data))
        if replacements:
            any_changed = True
            pairs[at] = (name, scan.replaced(data, replacements, url=lower in _URL_HEADERS).decode("latin-1"))
    for at, value in reported_headers.rewritten(headers, payload.encoded_headers, change):
        any_changed = True
        pairs[at] = (pairs[at][0], value)
    return Headers(pairs) if any_changed else headers


def _is_account_in_field(replacement: scan.Replacement, name: str, head: CallHead | None) -> bool:
    """Return whether a replacement in a header field is none of an account, or that field holds accounts."""
    if replacement.account is AccountPlace.BARE:
        return holds_account(head.service if head is not None else "", name)
    return replacement.account in (None, AccountPlace.ADDRESS)


def _is_account_in_path(replacement: scan.Replacement, target: bytes, head: CallHead | None) -> bool:
    """Return whether a replacement in a target is none of an account, or the model says that this part of the path is one."""
    if replacement.account is not AccountPlace.SEGMENT:
        return True
    label = _label(head.service, head.operation, target.count(b"/", 0, replacement.start)) if head is not None else ""
    return head is not None and holds_account(head.service, label)


@lru_cache(maxsize=1024)
def _label(service: str, operation: str, segment: int) -> str:
    """Return the member whose value is a segment of the path of an operation, the first being 1; empty where it is none."""
    try:
        path = operation_model(service, operation).http.get("requestUri", "/").partition("?")[0]
    except LookupError:
        return ""
    parts = path.split("/")
    found = _LABEL.fullmatch(parts[segment]) if segment < len(parts) else None
    return found[1] if found is not None else ""


def _is_payload(name: str, payload: tuple[str, ...]) -> bool:
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in payload)


def _is_key_id(replacement: scan.Replacement) -> bool:
    return replacement.old.isalnum() and not replacement.old.isdigit()
