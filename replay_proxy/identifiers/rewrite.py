"""Messages from one namespace to the other: requests to the emulator's, answers to the clients'.

A message that names nothing known is returned as the identical object after one look over it. Otherwise exactly the
bytes of identifiers change, in the target, in headers, and in the body, and with them what depends on the body
(`dependents`).

Left alone, always: payload (`payload`), headers that authenticate or describe the message, bodies that are user data
as a whole (`bodies`), and the bodies of messages that are no AWS call: `/restapis/{id}/stage/_user_request_/path` has
identifiers in its address only. In an `Authorization`, only the id of an access key that the emulator made is
replaced; a key id that is an account id says which account the client wants.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers import bodies, cbor, dependents, scan
from replay_proxy.identifiers.aliases import ANYWHERE, AliasTable, Origin, Scope
from replay_proxy.identifiers.learn import identifiers_in
from replay_proxy.identifiers.payload import payload_of
from replay_proxy.wire.answers import parse_answer
from replay_proxy.wire.mutability import Effect, judge

if TYPE_CHECKING:
    from replay_proxy.identifiers.endpoints import Endpoints

# Headers that say how a message is carried, signed or checked, and name no resource.
_UNTOUCHED = re.compile(
    r"content-.*|accept.*|amz-sdk-.*|if-.*|range|etag|date|last-modified|expires|age|server|user-agent|connection"
    r"|keep-alive|transfer-encoding|te|upgrade|expect|trailer|via|traceparent|tracestate|smithy-protocol|cache-control"
    r"|vary|access-control-.*|origin|cookie|set-cookie|x-forwarded-.*|forwarded|sec-.*"
    r"|x-amz-(?:date|security-token|content-sha256|checksum-.*|sdk-.*|target|trailer|te|crc32|user-agent|request-id"
    r"|id-2|api-version|decoded-content-length)|x-amzn-(?:requestid|trace-id|query-mode|query-error|errortype)"
)
# Header values that are spelt as a URL is.
_URL_HEADERS = frozenset({"x-amz-copy-source", "x-amz-rename-source", "x-amz-tagging", "location", "referer"})
_SMALL = 16 * 1024  # bytes
_SIGNATURE = re.compile(
    rb"(X-Amz-Credential|AWSAccessKeyId)=[^&]*|(?:X-Amz-Signature|X-Amz-Security-Token|Signature)=[^&]*",
    re.IGNORECASE,
)


def scope_of(head: CallHead | None) -> Scope:
    """The scope in which the identifiers of a call are looked up."""
    return _scope(head.account, head.region) if head is not None else ANYWHERE


@lru_cache(maxsize=256)
def _scope(account: str, region: str) -> Scope:
    return Scope(account, region)


def request_to_emulator(
    request: Request, head: CallHead | None, table: AliasTable, endpoints: Endpoints | None = None
) -> Request:
    """`request` as the emulator understands it: client ids replaced by emulator ids, the proxy's URLs by its own.

    Returns the identical object where nothing changes.
    """
    if endpoints is not None:
        request = endpoints.to_emulator(request, head)
    if not len(table):
        return request
    outside, inside = _glance(request, head)
    around = scan.look_over(outside, table, to_client=False)
    within = scan.look_over(inside, table, to_client=False)
    if not around.known and not within.known:
        return request
    target, headers, body = request.target, request.headers, None
    if around.known:
        change = _change(around, table, scope_of(head), to_client=False)
        target = _target(target, change)
        headers = _headers(request, head, change)
    if within.known:
        body = _body(request, head, inside, within, table, to_client=False)
    if body is not None:
        headers = dependents.for_unpacked(headers, body)
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
    """`answer` as clients know things: emulator ids replaced by client ids, the emulator's URLs by the proxy's.

    `request` is the client's, as it came in. Returns the identical object where nothing changes. An id that collides
    with another resource's client id (see `aliases`) gets a fresh one, which is added to `table`; the caller finds it
    with `table.take_minted()`.
    """
    if len(table):
        outside, inside = _glance(answer, head)
        around = scan.look_over(outside, table, to_client=True)
        within = scan.look_over(inside, table, to_client=True)
        if around.known or within.known:
            answer = _translated(answer, head, request, table, inside, around, within)
    return endpoints.to_client(answer, request, head) if endpoints is not None else answer


def _translated(
    answer: Answer,
    head: CallHead | None,
    request: Request,
    table: AliasTable,
    inside: bytes,
    around: scan.Look,
    within: scan.Look,
) -> Answer:
    clients = table.to_emulator_index.pairs.keys()
    if head is not None and not (clients.isdisjoint(within.known) and clients.isdisjoint(around.known)):
        mint_for_collisions(answer, head, request, table, within.known | around.known)
    headers, body = answer.headers, None
    if around.known:
        headers = _headers(answer, head, _change(around, table, scope_of(head), to_client=True))
    if within.known and request.method != "HEAD":
        body = _body(answer, head, inside, within, table, to_client=True)
    if body is not None:
        headers = dependents.for_unpacked(headers, body)
    if body is None and headers is answer.headers:
        return answer
    return Answer(answer.status, headers, answer.body if body is None else body, answer.reason)


def _change(look: scan.Look, table: AliasTable, scope: Scope, *, to_client: bool) -> bodies.Change:
    """What changes in a piece of the text that `look` was over."""

    def change(data: bytes) -> list[scan.Hit]:
        return scan.find(data, table, scope, to_client=to_client, look=look)[0]

    return change


def _body(
    message: Request | Answer,
    head: CallHead | None,
    text: bytes,
    look: scan.Look,
    table: AliasTable,
    *,
    to_client: bool,
) -> bytes | None:
    """The body of `message`, changed; None where nothing changes. look: what a first look found in its `text`."""
    found = bodies.opened(message, head)
    if found is None:
        return None
    scope = scope_of(head)
    body, spelling, payload = found
    if body is text and not payload.tree and spelling in ("json", "xml"):
        new = scan.swapped(body, look, table, scope, to_client=to_client)
        if new is not None:
            return None if new is body else new
    return bodies.rewritten(found, _change(look, table, scope, to_client=to_client))


def names_known(answer: Answer, table: AliasTable) -> bool:
    """Does an answer name anything that `table` has a pair for, of whatever side? A blob is not looked into."""
    if not len(table):
        return False
    text = "\n".join([value for _, value in answer.headers.pairs]).encode("latin-1", "replace")
    if isinstance(answer.body, bytes):
        text += b"\n" + answer.body
    return bool(scan.known_in(text, table, to_client=True))


def mint_for_collisions(answer: Answer, head: CallHead, request: Request, table: AliasTable, known: set[bytes]) -> None:
    """Give fresh client ids to the identifiers of new resources that collide with client ids of others.

    Only an answer to a call that changes state shows a new identifier for sure, and only if the client did not send it
    itself; elsewhere an unknown token that equals a client id is more likely a text that somebody wrote.
    """
    scope = scope_of(head)
    clients = table.to_emulator_index.pairs
    colliding = {token.decode() for token in known if token in clients and table.collides(token.decode(), scope)}
    if not colliding or judge(head.service, head.operation).effect is not Effect.MUTATES:
        return
    try:
        outcome = parse_answer(head, answer, request)
    except MalformedMessage:
        return
    sent = b"\n".join(_glance(request, head))
    for token in identifiers_in(head, outcome) & colliding:
        if token.encode() not in sent and table.collides(token, scope):
            table.mint(token, scope=scope, learned_from=Origin(0, f"{head.service}:{head.operation}"))


def _glance(message: Request | Answer, head: CallHead | None) -> tuple[bytes, bytes]:
    """Everything in a message in which an identifier could be, outside of its body and in it: for the first look only."""
    pairs = message.headers.pairs
    parts = [pairs[at][1] for at in _telling(message.headers.lowers)]
    if isinstance(message, Request):
        parts.append(message.target)
    text = "\n".join(parts).encode("latin-1", "replace")
    body = message.body
    if head is None or not isinstance(body, bytes) or not body:
        return text, b""
    if len(body) > _SMALL or body[:2] == b"\x1f\x8b":
        # A large body is most likely payload. For a small one a look is cheaper than to find out, the first time.
        body = bodies.body_of(message, head) or b""
    if "cbor" in message.headers.get("content-type"):
        body = cbor.texts(body)
    return text, body


@lru_cache(maxsize=1024)
def _telling(names: tuple[str, ...]) -> tuple[int, ...]:
    """The positions of the fields (by their names, in lower case) that may name a resource."""
    return tuple(at for at, name in enumerate(names) if not _UNTOUCHED.fullmatch(name))


def _target(target: str, change: bodies.Change) -> str:
    data = target.encode("latin-1", "replace")
    hits = change(data)
    if not hits:
        return target
    signed = [(*match.span(), bool(match[1])) for match in _SIGNATURE.finditer(data)]
    kept = [
        hit
        for hit in hits
        if not any(
            start <= hit.start < end and not (credential and _is_key_id(hit)) for start, end, credential in signed
        )
    ]
    return scan.replaced(data, kept, url=True).decode("latin-1") if kept else target


def _headers(message: Request | Answer, head: CallHead | None, change: bodies.Change) -> Headers:
    """The headers of `message`, changed; the identical object where nothing changes."""
    payload = payload_of(head, "json", answer=isinstance(message, Answer)).headers if head is not None else ()
    headers = message.headers
    pairs = list(headers.pairs)
    any_changed = False
    for at in _telling(headers.lowers):
        lower = headers.lowers[at]
        if payload and _is_payload(lower, payload):
            continue
        name, value = pairs[at]
        data = value.encode("latin-1", "replace")
        hits = change(data)
        if lower == "authorization":
            hits = [hit for hit in hits if _is_key_id(hit)]
        if hits:
            any_changed = True
            pairs[at] = (name, scan.replaced(data, hits, url=lower in _URL_HEADERS).decode("latin-1"))
    return Headers(pairs) if any_changed else headers


def _is_payload(name: str, payload: tuple[str, ...]) -> bool:
    return any(name.startswith(each[:-1]) if each.endswith("*") else name == each for each in payload)


def _is_key_id(hit: scan.Hit) -> bool:
    return hit.old.isalnum() and not hit.old.isdigit()
