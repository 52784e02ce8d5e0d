"""The forwarder behind `scripts/capture-clients`: passes requests to an emulator and keeps what identifies them."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import parse_qs, urlsplit

from replay_proxy.wire.models.service_index import plain_id, service_index

KEPT = re.compile(
    r"host|authorization|content-(type|encoding|md5)|user-agent|transfer-encoding|smithy-protocol|x-amz.*|trailer",
    re.IGNORECASE,
)
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade"})
FORM_BYTES_MAX = 2048  # of a longer one the beginning is kept
# CDK's requests to S3, which say nothing of themselves; read by hand, method and names of parameters.
CDK_TO_S3 = {
    ("GET", "list-type max-keys prefix"): "s3:ListObjectsV2",
    ("GET", "location"): "s3:GetBucketLocation",
    ("GET", "encryption"): "s3:GetBucketEncryption",
    ("PUT", "x-id"): "s3:PutObject",
}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Recorder:
    """Forwards to the emulator at `emulator_port` while it is entered; `port` is its own."""

    def __init__(self, emulator_port: int) -> None:
        self.emulator_port = emulator_port
        self.kept: list[dict[str, object]] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self.port = self._server.server_port

    def __enter__(self) -> Recorder:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keep(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes) -> None:
        lower = {name.lower(): value for name, value in headers}
        form = "x-www-form-urlencoded" in lower.get("content-type", "")
        entry = {
            "expect": lower.get("x-capture-expect", ""),
            "invocation": lower.get("amz-sdk-invocation-id", ""),
            "method": method,
            "target": scrub(target),
            "headers": [
                [name, scrub(value.replace(f":{self.port}", ":4566"))]
                for name, value in headers
                if KEPT.fullmatch(name) and name.lower() not in {"x-capture-expect", "x-amz-date"}
            ],
            "body": scrub(body[:FORM_BYTES_MAX].decode("latin-1")) if form else "",
        }
        if lower.get("x-amz-security-token"):
            entry["headers"] = [
                [name, "scrubbed" if name.lower() == "x-amz-security-token" else value]
                for name, value in entry["headers"]
            ]
        with self._lock:
            self.kept.append(entry)

    def expect_from_terraform_log(self, log: str) -> None:
        """Take from Terraform's debug log what each request was: it logs the id of each invocation."""
        names = {}
        for record in re.split(r"\n(?=\d{4}-\d\d-\d\dT)", log):
            # A body is written over several lines; what follows it belongs to the same entry.
            found = dict(re.findall(r'(rpc\.method|rpc\.service|[a-z.]+\.amz_sdk_invocation_id)=("[^"]*"|\S+)', record))
            if len(found) == 3:
                method, service, invocation = (
                    found[key].strip('"')
                    for key in ("rpc.method", "rpc.service", "http.request.header.amz_sdk_invocation_id")
                )
                names[invocation] = f"{botocore_name(service)}:{method}"
        for entry in self.kept:
            entry["expect"] = entry["expect"] or names.get(str(entry["invocation"]), "")

    def write(self, path: Path) -> int:
        """Write what was kept, each kind of request once; the number of them."""
        seen, lines = set(), []
        for entry in self.kept:
            expect = name_in(str(entry["expect"])) or own_words(entry)
            shape = (expect, entry["method"], shape_of(str(entry["target"])), signature_kind(entry))
            if shape in seen:
                continue
            seen.add(shape)
            body = str(entry["body"])
            lines.append(
                {
                    "expect": expect,
                    **{key: entry[key] for key in ("method", "target", "headers")},
                    "body": body,
                }
            )
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return len(lines)


def scrub(text: str) -> str:
    """The text without signatures, tokens, and the version of somebody's kernel."""
    text = re.sub(r"(os/[a-z]+#\d+)[^ ]*", r"\g<1>", text)
    text = re.sub(r"(Signature=)[A-Za-z0-9%+/=]+", r"\g<1>scrubbed", text)
    return re.sub(r"((X-Amz-)?Security-?Token=)[^&]+", r"\g<1>scrubbed", text, flags=re.IGNORECASE)


def own_words(entry: dict[str, object]) -> str:
    """What a request says of itself: its target, or its action with the service it is signed for."""
    headers = {name.lower(): value for name, value in entry["headers"]}  # type: ignore[attr-defined] # a list of pairs
    target = headers.get("x-amz-target", "")
    if target:
        prefix, _, operation = target.rpartition(".")
        return f"{service_index().by_target_prefix[prefix][0]}:{operation}"
    action = parse_qs(str(entry["body"])).get("Action")
    signed = re.search(r"/([a-z0-9-]+)/aws4_request", headers.get("authorization", ""))
    if action and signed:
        return f"{service_index().by_signing_name[signed[1]][0]}:{action[0]}"
    names = " ".join(sorted(parse_qs(urlsplit(str(entry["target"])).query, keep_blank_values=True)))
    return CDK_TO_S3.get((str(entry["method"]), names), "") if "aws-cdk" in headers.get("user-agent", "") else ""


def name_in(expect: str) -> str:
    """`S3Client:PutObjectCommand` (JavaScript) or `s3:PutObject` -> `s3:PutObject`."""
    service, _, operation = expect.partition(":")
    if service.endswith("Client"):
        service = botocore_name(service.removesuffix("Client"))
    return f"{service}:{operation.removesuffix('Command')}" if operation else ""


def botocore_name(service_id: str) -> str:
    return service_index().by_service_id[plain_id(service_id)][0]


def shape_of(target: str) -> str:
    """A target without what is a name in it: its segments' kinds, and the names of its parameters."""
    parts = urlsplit(f"http://x{target}")
    path = re.sub(r"[0-9a-f]{6,}|[A-Z0-9]{6,}|\d{6,}", "#", parts.path)
    return f"{path}?{sorted(parse_qs(parts.query, keep_blank_values=True))}"


def signature_kind(entry: dict[str, object]) -> str:
    headers = {name.lower(): value for name, value in entry["headers"]}  # type: ignore[attr-defined] # as above
    host = headers.get("host", "")
    return f"{headers.get('authorization', '')[:16]} {host} {headers.get('content-type')} {headers.get('content-encoding')}"


def _handler_for(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Forward(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def parse_request(self) -> bool:
            parsed = super().parse_request()
            # BaseHTTPRequestHandler folds two leading slashes into one; the wire's target is wanted.
            self.path = self.requestline.split(" ")[1] if parsed else ""
            return parsed

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self._body()
            pairs = list(self.headers.items())
            recorder.keep(self.command, self.path, pairs, body)
            self._forward(pairs, body)

        def _body(self) -> bytes:
            if "chunked" not in self.headers.get("transfer-encoding", ""):
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        def _forward(self, pairs: list[tuple[str, str]], body: bytes) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", recorder.emulator_port, timeout=60)
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in pairs:
                if name.lower() not in {*HOP_BY_HOP, "content-length", "x-capture-expect", "expect"}:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {*HOP_BY_HOP, "content-length", "date", "server"}:
                    self.send_header(name, value)
            length = answer.getheader("content-length", "0") if self.command == "HEAD" else str(len(content))
            if answer.status not in {204, 304}:
                self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(content)
            connection.close()

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    return Forward
