"""A faithful reference of LocalStack's legacy record-and-replay, as `localstack/utils/persistence.py` did it until 2022.

*Recording*: each request with one of the methods PUT, POST, DELETE, PATCH became a line of `recorded_api_calls.json`:
`a` the service, `m` the method, `p` path and query, `d` the body in base64, `h` the headers. So reads that are POSTs were
recorded like changes.

*Replaying*: line after line in order, each request literally as it was, by `requests.<method>(url, data, headers)`, which
opens a new connection every time. Identifiers are not translated. What an answer says is looked at by nobody.

    python -m bench.old_algorithm FILE URL

prints one JSON object: how many calls were sent, how many were refused, and the seconds from opening the file to the last answer;
starting Python and importing `requests` is not counted, because the original ran inside a LocalStack that was up.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RECORDED = ("PUT", "POST", "DELETE", "PATCH")


class Recorder:
    """Writes the legacy file; `client` is to be called for every boto3 client whose requests belong into it."""

    def __init__(self, path: Path) -> None:
        self._out = path.open("w")

    def client(self, service: str, client: Any) -> None:
        """Record what this boto3 client sends."""
        client.meta.events.register("before-send", self._hook(service))

    def close(self) -> None:
        """The file is complete."""
        self._out.close()

    def _hook(self, service: str) -> Callable[..., None]:
        def before_send(request: Any, **_: Any) -> None:
            if request.method in RECORDED:
                self._out.write(json.dumps(line_of(service, request)) + "\n")

        return before_send


def line_of(service: str, request: Any) -> dict[str, Any]:
    """A legacy line of a request as botocore sends it (`AWSPreparedRequest`)."""
    path = "/" + request.url.split("/", 3)[3] if request.url.count("/") > 2 else "/"
    body = request.body
    if hasattr(body, "read"):
        at = body.tell()
        body = body.read()
        request.body.seek(at)
    if isinstance(body, str):
        body = body.encode()
    headers = {
        name: value.decode("latin-1") if isinstance(value, bytes) else value for name, value in request.headers.items()
    }
    return {
        "a": service,
        "m": request.method,
        "p": path,
        "d": base64.b64encode(body or b"").decode(),
        "h": headers,
    }


def replay(path: Path, url: str) -> dict[str, float]:
    """Send every line to the emulator at `url`."""
    import requests

    begun = time.perf_counter()
    sent = refused = 0
    for line in path.read_bytes().splitlines():
        call = json.loads(line)
        send = getattr(requests, call["m"].lower())
        answer = send(url + call["p"], data=base64.b64decode(call["d"]), headers=call["h"])
        sent += 1
        refused += answer.status_code >= 400
    return {"sent": sent, "refused": refused, "seconds": time.perf_counter() - begun}


if __name__ == "__main__":
    print(json.dumps(replay(Path(sys.argv[1]), sys.argv[2])))
