"""URLs that point at the emulator are shown to clients as URLs of the proxy, and understood when they come back.

Emulators write their own address into answers (queue URLs, locations of function code, `execute-api` hosts, presigned
URLs): moto and MiniStack's queues take it from the request's `Host`, the rest of MiniStack has one fixed address, and
LocalStack has names under `localhost.localstack.cloud`. A client that followed such an address would go past the proxy.

*Towards clients*, an authority (host and port) of the emulator becomes the one under which this client reached us, its
`Host`. Labels before it stay, because they say what is addressed: an API (`{api}.execute-api.`), the region of a queue
(`queue_hosts`). Which authorities are the emulator's: its port on any name of this machine, and whatever it writes
into a `QueueUrl`, because that can only be its own.

*Towards the emulator* only the members change that it resolves as addresses of its own: a `QueueUrl`, the URL of a
template. All other text stays as the client wrote it (an environment variable, a parameter), so that it is read back
as it was written, also by a client that reaches us by another name.

The journal therefore holds the authorities that clients saw. Differences of authority are never aliases, and never
differences of outcome: see `learning.learn` and `learning.compare`.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from functools import lru_cache
from urllib.parse import urlsplit

from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.identifiers.rewriting.aws_hosts import (
    authority_at_aws,
    bucket_in_path,
    emulator_api_host,
    is_queue_host_at_aws,
    partition_of,
    queue_authority_at_aws,
)
from replay_proxy.identifiers.rewriting.body import bodies, derived_headers
from replay_proxy.identifiers.rewriting.queue_hosts import UNSIGNED_REGION, Form, QueueHost, queue_host
from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.scan import Replacement, replaced
from replay_proxy.wire.models.endpoint_hosts import HOST_CHARACTERS_MAX, parse_host

LOCAL_NAMES = (
    "localhost",
    "127.0.0.1",
    "0.0.0.0",  # noqa: S104 - a name that emulators write into URLs; nothing is bound here
    "[::1]",
    "localhost.localstack.cloud",
)
_LOCAL = re.compile(r"(?:.*\.)?localhost(?:\.localstack\.cloud)?|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1\]")
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_AUTHORITY = rb"(?:[A-Za-z0-9_.-]+|\[[0-9a-fA-F:]+\])(?::\d{1,5})?"
_QUEUE_URL = re.compile(rb"(?<![A-Za-z0-9])(https?)://(" + _AUTHORITY + rb")/")
_QUEUE_PATH = re.compile(rb"(?:/|\\/)\d{12}(?:/|\\/)[A-Za-z0-9_-]{1,80}(?:\.fifo)?(?![A-Za-z0-9_./-])")
_RESOLVED = {
    # The literal comes first, which makes the search through a large message fast.
    "sqs": re.compile(rb'QueueUrl(?:(?<="QueueUrl)"\s*:\s*"|(?<![^&]QueueUrl)=)(https?)://(' + _AUTHORITY + rb")"),
    "cloudformation": re.compile(rb"(?:^|&)(?:TemplateURL|StackPolicyURL)=(https?)://(" + _AUTHORITY + rb")"),
}
_SHOW_QUEUES = frozenset({"CreateQueue", "GetQueueUrl", "ListQueues", "ListDeadLetterSourceQueues"})
"""The operations in whose answers a `QueueUrl` is the emulator's. Elsewhere it may stand in a message."""
_EMULATOR_AUTHORITIES_MAX = 64
"""So many of the latest are remembered; an emulator has one or two, or one for each region."""
_CLIENT_AUTHORITIES_MAX = 256
"""So many of the latest are remembered; more are hosts of buckets, or an attack."""


class Endpoints:
    """The addresses on both sides of the proxy.

    upstream: the emulator's URL, or its authority (`127.0.0.1:5000`).
    clients: authorities under which clients of the recording reached the proxy then.
    """

    def __init__(self, upstream: str, clients: tuple[str, ...] = ()) -> None:
        self.upstream = urlsplit(upstream).netloc if "://" in upstream else upstream
        self._emulators: dict[tuple[str, str], None] = {}
        self._learned: deque[tuple[str, str]] = deque()
        self._clients: dict[str, None] = dict.fromkeys(clients[:_CLIENT_AUTHORITIES_MAX])
        self._latest_client = ""
        self._queue_authority = ""
        self._queue_host = QueueHost(Form.PLAIN, "", "")
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
        self._markers = tuple({(port or name).encode() for name, port in self._emulators})

    def remember_client(self, authority: str) -> None:
        """Remember that clients reach the proxy as `authority`, or did when the recording was made."""
        if not authority or authority == self._latest_client or len(authority) > HOST_CHARACTERS_MAX:
            return
        self._latest_client = authority
        self._clients.pop(authority, None)
        self._clients[authority] = None
        if len(self._clients) > _CLIENT_AUTHORITIES_MAX:
            del self._clients[next(iter(self._clients))]

    def observe(self, head: CallHead | None, answer: Answer) -> None:
        """Learn from an emulator's answer how it calls itself: by the authority of its queue URLs."""
        if head is None or head.service != "sqs" or head.operation not in _SHOW_QUEUES:
            return
        if not isinstance(answer.body, bytes):
            return
        if b"QueueUrl" not in answer.body:
            return
        match = _QUEUE_URL.search(tokens.unescaped(answer.body).text)
        if match is None:
            return
        authority = match[2].decode()
        if authority == self._queue_authority or authority in self._clients or len(authority) > HOST_CHARACTERS_MAX:
            return
        if partition_of(self._latest_client) and is_queue_host_at_aws(authority):
            return  # made of the `Host` of a client of AWS, whatever its port
        host, port = _split(authority)
        self._queue_authority, self._queue_host = authority, queue_host(host)
        # Without a port, what is left would be a whole domain (`amazonaws.com`).
        known = (self._queue_host.base if port else host, port)
        if known not in self._emulators:
            self._emulators[known] = None
            self._learned.append(known)
            if len(self._learned) > _EMULATOR_AUTHORITIES_MAX:
                del self._emulators[self._learned.popleft()]
            self._compile()

    def to_client(self, answer: Answer, request: Request, head: CallHead | None = None) -> Answer:
        """Return `answer` with the authority in the `Host` of `request` in place of the emulator's.

        Returns the identical object where nothing changes.
        """
        host = request.headers.get("host")
        if not host:
            return answer
        self.remember_client(host)
        self.observe(head, answer)

        unencrypted = self._unencrypted_queue_urls(host, head)
        in_headers = self._has_marker(
            "\n".join([value for _, value in answer.headers.pairs]).encode("latin-1", "replace")
        )
        in_body = (
            request.method != "HEAD"
            and isinstance(answer.body, bytes)
            and (
                self._has_marker(answer.body)
                or (unencrypted is not None and unencrypted.search(answer.body) is not None)
            )
        )
        if not in_headers and not in_body:
            return answer

        def change(data: bytes) -> list[Replacement]:
            found = self._emulator_replacements(data, host, head)
            return found if unencrypted is None else _with_encryption(found, data, unencrypted)

        headers = answer.headers
        if in_headers:
            pairs = []
            for name, value in headers.pairs:
                data = value.encode("latin-1", "replace")
                replacements = change(data)
                pairs.append(
                    (name, replaced(data, replacements, url=False).decode("latin-1")) if replacements else (name, value)
                )
            headers = Headers(pairs) if tuple(pairs) != headers.pairs else headers
        body = bodies.rewritten_outside_payload(answer, head, change) if in_body else None
        if body is not None:
            headers = derived_headers.for_unpacked(headers, body)
        if body is None and headers is answer.headers:
            return answer
        return replace(answer, headers=headers, body=answer.body if body is None else body)

    def may_change_request(self, data: bytes, body_at: int) -> bool:
        """Return whether a request of these bytes could change in `to_emulator`, whatever call it is: quick, not exact."""
        return (
            data.find(b"URL=", body_at) >= 0  # TemplateURL, StackPolicyURL
            or bool(self._queue_authority and data.find(b"QueueUrl", body_at) >= 0)
            or data.find(b".execute-api.", 0, body_at) >= 0
        )

    def may_change_answer(self, data: bytes, body_at: int) -> bool:
        """Return whether `to_client` could change, or learn from, an answer of these bytes: quick, not exact."""
        return data.find(b"QueueUrl", body_at) >= 0 or self._has_marker(data)

    def to_emulator(self, request: Request, head: CallHead | None = None) -> Request:
        """Return `request` with the emulator's authority in the members that the emulator resolves as its own address.

        Returns the identical object where nothing changes.
        """
        host = request.headers.get("host")
        if (api_host := emulator_api_host(host, self.upstream)) != host:
            request = replace(request, headers=request.headers.replaced("Host", api_host))
        pattern = _RESOLVED.get(head.service) if head is not None else None
        body = request.body
        if pattern is None or not isinstance(body, bytes) or b"://" not in (view := tokens.unescaped(body)).text:
            return request
        is_queue = head is not None and head.service == "sqs"
        if is_queue and not self._queue_authority:
            return request
        replacements = []
        for match in pattern.finditer(view.text):
            authority = match[2].decode()
            region = head.region if head is not None else ""
            if is_queue and (is_queue_host_at_aws(authority) or self._is_the_proxys(authority, host)):
                new = self._queue_authority_for(authority, region)
            elif not is_queue and partition_of(authority):
                new = bucket_in_path(authority) if partition_of(host) else authority
            elif not is_queue and self._is_the_proxys(authority, host):
                new = _same_host(authority, self.upstream)
            else:
                continue
            if new != authority:
                start, end = match.span(2)
                replacements.append(Replacement(view.original_offset(start), view.original_offset(end), authority, new))
        if not replacements:
            return request
        body = replaced(body, replacements, url=False)
        return replace(request, body=body, headers=derived_headers.for_body(request.headers, body))

    def _queue_authority_for(self, authority: str, region: str) -> str:
        """Return the emulator's authority of a queue URL that a client wrote with `authority`, in a call for `region`."""
        own, (_, port) = self._queue_host, _split(self._queue_authority)
        if own.form is Form.PLAIN:
            return self._queue_authority
        named = queue_host(_split(authority)[0]).region
        return own.of_region(named or region or UNSIGNED_REGION) + (f":{port}" if port else "")

    def _is_the_proxys(self, authority: str, host: str) -> bool:
        """Do clients reach the proxy as `authority`: as one of them did, or by another name of the same machine and port?

        Labels of a queue before a name count for nothing, nor does the emulator's own name behind them.
        """
        if authority == host or authority in self._clients:
            return True
        name, port = _split(authority)
        base = queue_host(name).base
        is_local = _LOCAL.fullmatch(name) is not None
        for own, known in map(_split, (host, *self._clients)):
            if port != known:
                continue
            if (is_local and _LOCAL.fullmatch(own)) or (base != name and base in (own, self._queue_host.base)):
                return True
        return False

    def _unencrypted_queue_urls(self, host: str, head: CallHead | None) -> re.Pattern[bytes] | None:
        """Return what matches addresses of queues that an emulator has made of the `Host` of a client of AWS.

        The emulator was asked without TLS, so it writes `http`; the client asked with it. None where there can be none.
        """
        if head is None or head.service != "sqs" or head.operation not in _SHOW_QUEUES or not partition_of(host):
            return None
        return _unencrypted(host)

    def _has_marker(self, data: bytes) -> bool:
        for marker in self._markers:  # noqa: SIM110 - one port, mostly: a generator would cost more than the search
            if marker in data:
                return True
        return False

    def _emulator_replacements(self, data: bytes, host: str, head: CallHead | None) -> list[Replacement]:
        if not self._has_marker(data) or self._pattern is None:
            return []
        view = tokens.unescaped(data)
        replacements = []
        for match in self._pattern.finditer(view.text):
            scheme, labels = (match[1] or b"").decode(), match[2].decode()
            old = match.group().decode()
            base = old[len(scheme) + len(labels) :]
            if not scheme and ":" not in base:
                continue  # a bare host name is no address
            new_scheme, authority = client_authority(labels, base, host, head)
            if not labels and (aws := partition_of(host)) and _QUEUE_PATH.match(view.text, match.end()):
                region = (head.region if head is not None else "") or UNSIGNED_REGION
                authority = queue_authority_at_aws(region, host, aws)  # an output of a stack, say
            new = (new_scheme if scheme and new_scheme else scheme) + authority
            if new != old:
                replacements.append(
                    Replacement(view.original_offset(match.start()), view.original_offset(match.end()), old, new)
                )
        return replacements


@lru_cache(maxsize=64)
def _unencrypted(host: str) -> re.Pattern[bytes]:
    name = _split(host)[0].encode("latin-1", "replace")
    return re.compile(rb"http(?=:(?://|\\/\\/)" + re.escape(name) + rb"[:/\\])")


def _with_encryption(found: list[Replacement], data: bytes, unencrypted: re.Pattern[bytes]) -> list[Replacement]:
    """Return `found`, and what makes addresses `https` of which none of these is about."""
    taken = {each.start for each in found}
    more = [
        Replacement(match.start(), match.end(), "http", "https")
        for match in unencrypted.finditer(data)
        if match.start() not in taken
    ]
    return sorted([*found, *more])


def client_authority(labels: str, base: str, host: str, head: CallHead | None) -> tuple[str, str]:
    """Return the scheme (empty: unchanged) and authority that a client of `host` gets for the emulator's `labels` + `base`.

    labels: what stands before the emulator's own name, with its dot (`sqs.us-east-1.`, `a1b2.execute-api.`), or empty.
    """
    own, port = _client_base(host) if len(host) <= HOST_CHARACTERS_MAX else _client_base.__wrapped__(host)
    queue = queue_host(labels + _split(base)[0])
    if aws := partition_of(host):
        return "https://", authority_at_aws(labels, queue, host, aws, head)
    if queue.form is not Form.PLAIN:
        return _queue_client_authority(queue, host, own, port)
    service = head.service if head is not None else "s3"
    if not labels:
        return "", f"{own}{port}" if service != "sqs" or queue_host(host).form is Form.PLAIN else host
    if _LOCAL.fullmatch(own):
        # These labels route, so the name must resolve with them: names of this machine keep theirs, the port is ours.
        name, _ = _split(base)
        return "", f"{labels}{name}{port}"
    return "", f"{labels}{own}{port}"


def _queue_client_authority(queue: QueueHost, host: str, own: str, port: str) -> tuple[str, str]:
    """Return what `client_authority` does for a queue URL. own, port: of the proxy, as a client of `host` reached it."""
    region, uses_labels = queue.region or UNSIGNED_REGION, queue_host(host).form is not Form.PLAIN
    if region == UNSIGNED_REGION and not uses_labels:
        return "", f"{own}{port}"
    if not uses_labels and (_LOCAL.fullmatch(own) or _IPV4.fullmatch(own)):
        # The name must resolve with the labels, or at least be one: that of the emulator does, where it is of this machine.
        is_name = _LOCAL.fullmatch(queue.base) and not _IPV4.fullmatch(queue.base)
        own = queue.base if is_name else "localhost"
    return "", f"{queue._replace(base=own).of_region(region)}{port}"


def _same_host(authority: str, own: str) -> str:
    """Return the emulator's authority, under the host that the client wrote where both are names of this machine.

    An emulator that looks at the host of an address may know `localhost`, or a bucket before it, and not `127.0.0.1`.
    """
    (name, _), (emulator, port) = _split(authority), _split(own)
    local = _LOCAL.fullmatch(name) and _LOCAL.fullmatch(emulator) and "[" not in name + emulator
    return f"{name}:{port}" if local and port else own


@lru_cache(maxsize=256)
def _client_base(host: str) -> tuple[str, str]:
    """Return the proxy's own name in a client's `Host` (no service, region or bucket), and its port with the colon."""
    name, port = _split(host)
    port = f":{port}" if port else ""
    if name.endswith(".localhost.localstack.cloud"):
        return "localhost.localstack.cloud", port
    bucket = parse_host(host).bucket
    if bucket and name.startswith(f"{bucket}."):
        name = name[len(bucket) + 1 :]
    if name.endswith(".localhost"):
        name = "localhost"
    return name, port


def _split(authority: str) -> tuple[str, str]:
    """Return host and port (digits, or empty) of an authority."""
    host, colon, port = authority.rpartition(":")
    return (host, port) if colon and port.isdigit() else (authority, "")
