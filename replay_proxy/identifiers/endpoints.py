"""URLs that point at the emulator are shown to clients as URLs of the proxy, and understood when they come back.

Emulators write their own address into answers (queue URLs, locations of function code, `execute-api` hosts, presigned
URLs): moto and MiniStack's queues take it from the request's `Host`, the rest of MiniStack has one fixed address, and
LocalStack has names under `localhost.localstack.cloud`. A client that followed such an address would go past the proxy.

*Towards clients*, an authority (host and port) of the emulator becomes the one under which this client reached us, its
`Host`. Labels before it stay where they say what is addressed (`{api}.execute-api.`), and go where the path says it
(`sqs.us-east-1.`). Which authorities are the emulator's: its port on any name of this machine, and whatever it writes
into a `QueueUrl`, because that can only be its own.

*Towards the emulator* only the members change that it resolves as addresses of its own: a `QueueUrl`, the URL of a
template. All other text stays as the client wrote it (an environment variable, a parameter), so that it is read back
as it was written, also by a client that reaches us by another name.

The journal therefore holds the authorities that clients saw. Differences of authority are never aliases, and never
differences of outcome: see `learn` and `compare`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers import bodies, dependents, tokens
from replay_proxy.identifiers.scan import Hit, replaced
from replay_proxy.wire.hosts import parse_host

LOCAL_NAMES = (
    "localhost",
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104 - a name that emulators write into URLs; nothing is bound here
    "[::1]",
    "localhost.localstack.cloud",
)
_LOCAL = re.compile(r"(?:.*\.)?localhost(?:\.localstack\.cloud)?|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1\]")
# What the path of a queue URL says, too.
_QUEUE_LABELS = re.compile(r"(?:sqs\.(?:[a-z0-9-]+\.)?|(?:[a-z0-9-]+\.)?queue\.)")
_AUTHORITY = rb"(?:[A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?"
_QUEUE_URL = re.compile(rb"(?<![A-Za-z0-9])(https?)://(" + _AUTHORITY + rb")/")
_RESOLVED = {
    # The literal comes first, which makes the search through a large message fast.
    "sqs": re.compile(rb'QueueUrl(?:(?<="QueueUrl)"\s*:\s*"|(?<![^&]QueueUrl)=)(https?)://(' + _AUTHORITY + rb")"),
    "cloudformation": re.compile(rb"(?:^|&)(?:TemplateURL|StackPolicyURL)=(https?)://(" + _AUTHORITY + rb")"),
}
_MOST_CLIENTS = 256
"""Authorities of clients that are remembered, the latest; more are hosts of buckets, or an attack."""


class Endpoints:
    """The addresses on both sides of the proxy.

    upstream: the emulator's URL, or its authority (`127.0.0.1:5000`).
    clients: authorities under which clients of the recording reached the proxy then.
    """

    def __init__(self, upstream: str, clients: tuple[str, ...] = ()) -> None:
        self.upstream = urlsplit(upstream).netloc if "://" in upstream else upstream
        self._emulators: dict[tuple[str, str], None] = {}
        self._clients: dict[str, None] = dict.fromkeys(clients[:_MOST_CLIENTS])
        self._latest_client = ""
        self._queue_authority = ""
        self._pattern: re.Pattern[bytes] | None = None
        host, port = _split(self.upstream)
        for name in {host, *LOCAL_NAMES} if _LOCAL.fullmatch(host) else {host}:
            self._emulators[name, port] = None
        self._compile()

    def _compile(self) -> None:
        hosts = "|".join(
            re.escape(name) + (f":{port}(?![0-9])" if port else "(?![:0-9A-Za-z.-])")
            for name, port in sorted(self._emulators, key=lambda pair: -len(pair[0]))
        )
        self._pattern = re.compile(rf"(?<![\w.-])(https?://)?((?:[\w-]+\.)*?)(?:{hosts})".encode())
        # What must occur for the pattern to match: the port, or the name where there is none.
        self._signs = tuple({(port or name).encode() for name, port in self._emulators})

    def remember_client(self, authority: str) -> None:
        """Clients reach, or reached when the recording was made, the proxy as `authority`."""
        if not authority or authority == self._latest_client:
            return
        self._latest_client = authority
        self._clients.pop(authority, None)
        self._clients[authority] = None
        if len(self._clients) > _MOST_CLIENTS:
            del self._clients[next(iter(self._clients))]

    def observe(self, head: CallHead | None, answer: Answer) -> None:
        """Learn from an emulator's answer how it calls itself: by the authority of its queue URLs."""
        if head is None or head.service != "sqs" or not isinstance(answer.body, bytes):
            return
        if b"QueueUrl" not in answer.body:
            return
        match = _QUEUE_URL.search(tokens.plain(answer.body).text)
        if match is None:
            return
        authority = match[2].decode()
        if authority == self._queue_authority or authority in self._clients:
            return
        self._queue_authority = authority
        host, port = _split(authority)
        # Without a port, what is left would be a whole domain (`amazonaws.com`).
        labels = _QUEUE_LABELS.match(host) if port else None
        known = (host[labels.end() :] if labels else host, port)
        if known not in self._emulators:
            self._emulators[known] = None
            self._compile()

    def to_client(self, answer: Answer, request: Request, head: CallHead | None = None) -> Answer:
        """`answer` with the emulator's authorities shown as the one in the `Host` of `request`.

        Returns the identical object where nothing changes.
        """
        host = request.headers.get("host")
        if not host:
            return answer
        self.remember_client(host)
        self.observe(head, answer)

        in_headers = self._signs_in(
            "\n".join([value for _, value in answer.headers.pairs]).encode("latin-1", "replace")
        )
        in_body = request.method != "HEAD" and isinstance(answer.body, bytes) and self._signs_in(answer.body)
        if not in_headers and not in_body:
            return answer

        def change(data: bytes) -> list[Hit]:
            return self._emulator_hits(data, host, head)

        headers = answer.headers
        if in_headers:
            pairs = []
            for name, value in headers.pairs:
                data = value.encode("latin-1", "replace")
                hits = change(data)
                pairs.append((name, replaced(data, hits, url=False).decode("latin-1")) if hits else (name, value))
            headers = Headers(pairs) if tuple(pairs) != headers.pairs else headers
        body = bodies.changed(answer, head, change) if in_body else None
        if body is not None:
            headers = dependents.for_unpacked(headers, body)
        if body is None and headers is answer.headers:
            return answer
        return replace(answer, headers=headers, body=answer.body if body is None else body)

    def may_change_request(self, data: bytes, body_at: int) -> bool:
        """Could a request of these bytes change in `to_emulator`, whatever call it is? Quick, and not exact."""
        # TemplateURL, StackPolicyURL
        return data.find(b"URL=", body_at) >= 0 or bool(self._queue_authority and data.find(b"QueueUrl", body_at) >= 0)

    def may_change_answer(self, data: bytes, body_at: int) -> bool:
        """Could an answer of these bytes change in `to_client`, or teach something? Quick, and not exact."""
        return data.find(b"QueueUrl", body_at) >= 0 or self._signs_in(data)

    def to_emulator(self, request: Request, head: CallHead | None = None) -> Request:
        """`request` with the proxy's authorities in the members that the emulator resolves as its own address.

        Returns the identical object where nothing changes.
        """
        pattern = _RESOLVED.get(head.service) if head is not None else None
        body = request.body
        if pattern is None or not isinstance(body, bytes) or b"://" not in (view := tokens.plain(body)).text:
            return request
        own = self.upstream
        if head is not None and head.service == "sqs":
            own = self._queue_authority
        host = request.headers.get("host")
        hits = []
        for match in pattern.finditer(view.text):
            authority = match[2].decode()
            if own and authority != own and (authority == host or authority in self._clients):
                start, end = match.span(2)
                hits.append(Hit(view.origin(start), view.origin(end), authority, own))
        if not hits:
            return request
        body = replaced(body, hits, url=False)
        return replace(request, body=body, headers=dependents.for_body(request.headers, body))

    def _signs_in(self, data: bytes) -> bool:
        for sign in self._signs:  # noqa: SIM110 - one port, mostly: a generator would cost more than the search
            if sign in data:
                return True
        return False

    def _emulator_hits(self, data: bytes, host: str, head: CallHead | None) -> list[Hit]:
        if not self._signs_in(data) or self._pattern is None:
            return []
        view = tokens.plain(data)
        hits = []
        for match in self._pattern.finditer(view.text):
            scheme, labels = (match[1] or b"").decode(), match[2].decode()
            old = match.group().decode()
            base = old[len(scheme) + len(labels) :]
            if not scheme and ":" not in base:
                continue  # a bare host name is no address
            new_scheme, authority = shown_as(labels, base, host, head)
            new = (new_scheme if scheme and new_scheme else scheme) + authority
            if new != old:
                hits.append(Hit(view.origin(match.start()), view.origin(match.end()), old, new))
        return hits


def shown_as(labels: str, base: str, host: str, head: CallHead | None) -> tuple[str, str]:
    """The scheme (empty: as it is) and authority that a client of `host` is shown for the emulator's `labels` + `base`.

    labels: what stands before the emulator's own name, with its dot (`sqs.us-east-1.`, `a1b2.execute-api.`), or empty.
    """
    own, port = _client_base(host)
    if _QUEUE_LABELS.fullmatch(labels):
        service, labels = "sqs", ""
    else:
        service = head.service if head is not None else "s3"
    if own == "amazonaws.com":
        region = (head.region if head is not None else "") or "us-east-1"
        return "https://", f"{labels or f'{service}.{region}.'}{own}{port}"
    if not labels:
        return "", f"{own}{port}" if service != "sqs" or not _is_queue_host(host) else host
    if _LOCAL.fullmatch(own):
        # These labels route, so the name must resolve with them: names of this machine keep theirs, the port is ours.
        name, _ = _split(base)
        return "", f"{labels}{name}{port}"
    return "", f"{labels}{own}{port}"


def _is_queue_host(host: str) -> bool:
    return _QUEUE_LABELS.match(host) is not None


@lru_cache(maxsize=256)
def _client_base(host: str) -> tuple[str, str]:
    """The part of a client's `Host` that is the proxy's name, less service, region and bucket; its port with colon."""
    name, port = _split(host)
    port = f":{port}" if port else ""
    for domain in ("localhost.localstack.cloud", "amazonaws.com"):
        if name.endswith(f".{domain}"):
            return domain, port
    bucket = parse_host(host).bucket
    if bucket and name.startswith(f"{bucket}."):
        name = name[len(bucket) + 1 :]
    if name.endswith(".localhost"):
        name = "localhost"
    return name, port


def _split(authority: str) -> tuple[str, str]:
    """Host and port (digits, or empty) of an authority."""
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and port.isdigit() else (authority, "")
