"""A relay in front of a real emulator that loses answers: the request is carried out, or not, and nobody is told."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Fault(StrEnum):
    """What becomes of a request.

    NONE: it is answered. SWALLOWED: carried out; the connection is closed without an answer. HALF: carried out; the
    connection is closed in the middle of the answer. UNSENT: not passed on; the connection is closed. LATE: carried out;
    the answer comes after `Relay.delay_s`. BAD_GATEWAY, FAILED, GARBLED: carried out; answered with 502, with a 500
    InternalError, with a 200 that is none. SLOW_DOWN: not passed on; answered with a 503 SlowDown.
    """

    NONE = "none"
    SWALLOWED = "swallowed"
    HALF = "half"
    UNSENT = "unsent"
    LATE = "late"
    BAD_GATEWAY = "bad gateway"
    FAILED = "failed"
    GARBLED = "garbled"
    SLOW_DOWN = "slow down"


CARRIED_OUT = [Fault.SWALLOWED, Fault.HALF, Fault.LATE, Fault.BAD_GATEWAY, Fault.FAILED, Fault.GARBLED]
"""Those of which the emulator has carried out the request."""


class Relay:
    """Passes requests on to the emulator on `port`. faults: of each request (its method, target and content), what befalls it.

    Connections are kept between answers that are whole, as emulators do it. seen: those requests on which a fault fell.
    """

    def __init__(self, port: int, delay_s: float = 3.0) -> None:
        self.delay_s = delay_s
        self.fault: Callable[[str], Fault] = lambda _text: Fault.NONE
        self.seen: list[str] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                text = f"{self.command} {self.path} {self.headers.get('X-Amz-Target', '')} {body.decode('latin-1')}"
                fault = relay.fault(text)
                if fault is not Fault.NONE:
                    relay.seen.append(text)
                self.close_connection = fault not in (Fault.NONE, Fault.LATE)
                if fault is Fault.UNSENT:
                    return
                if fault is Fault.SLOW_DOWN:
                    self._answer(503, b'{"__type":"SlowDown","message":"Reduce your request rate."}')
                    return
                status, headers, answer = relay.pass_on(port, self.command, self.path, dict(self.headers.items()), body)
                match fault:
                    case Fault.SWALLOWED:
                        pass
                    case Fault.HALF:
                        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + answer[:10])
                    case Fault.BAD_GATEWAY:
                        self._answer(502, b"<html><body>Bad Gateway</body></html>")
                    case Fault.FAILED:
                        self._answer(500, b'{"__type":"InternalError","message":"sorry"}')
                    case Fault.GARBLED:
                        self._answer(200, b'{"half an')
                    case _:
                        if fault is Fault.LATE:
                            time.sleep(relay.delay_s)
                        self._answer(status, answer, headers)

            def _answer(self, status: int, body: bytes, headers: list[tuple[str, str]] | None = None) -> None:
                lines = [f"HTTP/1.1 {status} x"]
                for name, value in headers or [("Content-Type", "application/json")]:
                    if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                        lines.append(f"{name}: {value}")
                lines.append(f"Content-Length: {len(body)}")
                lines += [*(["Connection: close"] if self.close_connection else []), "", ""]
                try:
                    self.wfile.write("\r\n".join(lines).encode("latin-1") + (b"" if self.command == "HEAD" else body))
                except OSError:
                    return

        self._handler = Handler
        self._port = 0
        self._open: set[socket.socket] = set()
        self.mend()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def mend(self) -> None:
        """Begin to listen, at the same port after a cut."""
        opened = self._open

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def process_request(self, request: Any, client_address: Any) -> None:
                opened.add(request)
                super().process_request(request, client_address)

            def shutdown_request(self, request: Any) -> None:
                opened.discard(request)
                super().shutdown_request(request)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client or the emulator has left."""

        self._server = Server(("127.0.0.1", self._port), self._handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def cut(self) -> None:
        """Nobody gets through any more, and whoever is connected is cut off."""
        self._server.shutdown()
        self._server.server_close()
        for sock in list(self._open):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def pass_on(
        port: int, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        """A request to the emulator, and its whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() not in ("connection", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def once_each(self, word: str, fault: Fault) -> None:
        """The first request of each content that holds `word` meets this fault."""
        met: set[str] = set()

        def fault_of(text: str) -> Fault:
            if word not in text or text in met:
                return Fault.NONE
            met.add(text)
            return fault

        self.fault = fault_of

    def always(self, word: str, fault: Fault) -> None:
        """Each request that holds `word` meets this fault."""
        self.fault = lambda text: fault if word in text else Fault.NONE

    def close(self) -> None:
        """End."""
        self.cut()
