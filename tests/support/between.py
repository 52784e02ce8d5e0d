"""A server before an emulator that makes a smaller one of it: of some services only, or without accounts.

Run as `python -m tests.support.between PORT UPSTREAM JSON`, so that its end closes its connections.
"""

from __future__ import annotations

import http.client
import http.server
import json
import re
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.recognition.recognise import recognise
from tests.support.processes import Process

_SCOPE = re.compile(r"Credential=[^/]+/(\d+)/[^/]+/")
_HOP = ("connection", "transfer-encoding", "content-length", "keep-alive")
REFUSAL = b'{"__type":"UnknownOperationException","message":"no such service here"}'


class Between(Process):
    """An emulator of these services alone.

    refusal: the status of what it does not know. accounts: it knows accounts and regions. slow: seconds before each call.
    """

    def __init__(
        self,
        scratch: Path,
        upstream: str,
        services: tuple[str, ...],
        port: int,
        *,
        refusal: int = 400,
        accounts: bool = True,
        slow: float = 0.0,
    ) -> None:
        self._again = (scratch, upstream, services, port)
        self._more = {"refusal": refusal, "accounts": accounts}
        told = json.dumps({"services": services, "refusal": refusal, "accounts": accounts, "slow": slow})
        command = [sys.executable, "-m", "tests.support.between", str(port), upstream, told]
        super().__init__(command, {}, scratch / f"between-{port}.log", f"http://127.0.0.1:{port}")
        self._wait("/_between", None)

    def restart(self, *, slow: float = 0.0) -> None:
        """Another one behind the same address."""
        self.end()
        self.__init__(*self._again, **self._more, slow=slow)  # type: ignore[misc, arg-type]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream, options = "", {"services": [], "refusal": 400, "accounts": True, "slow": 0.0}

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = Request(self.command, self.path, Headers(self.headers.items()), body)
        head = recognise(request)
        if self.path.startswith(("/_", "/moto-api")):  # what it has of its own, a reset among it
            self._answer(404, [], b"")
        elif head is None or head.service not in self.options["services"]:  # type: ignore[operator]
            self._answer(int(self.options["refusal"]), [("Content-Type", "application/x-amz-json-1.1")], REFUSAL)  # type: ignore[call-overload]
        else:
            time.sleep(float(self.options["slow"]))  # type: ignore[arg-type]
            self._pass_on(body)

    def _pass_on(self, body: bytes) -> None:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in ("connection", "expect")}
        if not self.options["accounts"]:
            headers = {name: value for name, value in headers.items() if name.lower() != "x-moto-account-id"}
            for name in headers:
                headers[name] = _SCOPE.sub(r"Credential=test/\1/us-east-1/", headers[name])
            headers["Host"] = urlsplit(self.upstream).netloc
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=30)
        try:
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            self._answer(answer.status, answer.getheaders(), answer.read())
        except OSError:
            self.close_connection = True
        finally:
            connection.close()

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Nothing."""


def main() -> None:
    """Serve until killed."""
    port, _Handler.upstream, told = sys.argv[1:]
    _Handler.options = json.loads(told)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), _Handler).serve_forever()


if __name__ == "__main__":
    main()
