"""A request that a person pasted: a curl command line, an entry of a HAR file, or the text of an HTTP/1.1 request.

Every form ends as the same `Request` that the proxy would have received, as far as the pasted text says.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import orjson

from replay_proxy.cli.explain.curl import parse_curl, target_and_host
from replay_proxy.errors import UsageError
from replay_proxy.exchange import Headers, Request

FORMS = "a curl command line, a HAR entry (JSON), the text of an HTTP request, or a line of a recording"

_REQUEST_LINE = re.compile(r"([A-Z]+) (\S+) HTTP/[\d.]+\r?(?:\n|$)")
_END_OF_HEAD = re.compile(r"\r?\n\r?\n")
_CURL = re.compile(r"(?:\$\s+)?curl(?:\.exe)?\s")


def parse_pasted(text: str, read_file: Callable[[str], bytes]) -> Request:
    """Return the request that `text` describes.

    `read_file` gives the content of a file that a curl command line names (`-d @body.json`).
    Raises UsageError where the text is none of the known forms, or is one and makes no sense.
    """
    text = text.strip().removeprefix("\ufeff")
    if _CURL.match(text):
        return parse_curl(text, read_file)
    if text.startswith("{"):
        try:
            content = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise UsageError(f"what was pasted begins like JSON, but is not: {error}", hint=f"paste {FORMS}") from None
        return parse_har(content)
    if _REQUEST_LINE.match(text):
        return _parse_http(text)
    raise UsageError(f"what was pasted is no request: {_excerpt(text)}", hint=f"paste {FORMS}")


def parse_har(content: dict[str, Any]) -> Request:
    """Return the request of a HAR entry, of its `request` alone, or of a HAR file with a single entry (HAR 1.2).

    Raises UsageError where there is none, or more than one.
    """
    if isinstance(content.get("log"), dict):
        entries = content["log"].get("entries")
        if not isinstance(entries, list) or len(entries) != 1:
            count = len(entries) if isinstance(entries, list) else 0
            raise UsageError(
                f"this is a whole HAR file with {count} entries",
                hint="paste one entry: `jq '.log.entries[0]' FILE | replay-proxy explain -`",
            )
        content = entries[0]
    request = content.get("request", content)
    try:
        return _har_request(request)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(
            f"this JSON is no HAR entry: {type(error).__name__} {error}",
            hint="a HAR entry has request.method, request.url and request.headers",
        ) from None


def wire_text(text: str) -> str:
    """Return `text` as it travels: its UTF-8 bytes, one character a byte (see `replay_proxy.exchange`)."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _har_request(request: dict[str, Any]) -> Request:
    target, host = target_and_host(wire_text(request["url"]))
    pairs = [(wire_text(header["name"]), wire_text(header["value"])) for header in request.get("headers", ())]
    # HTTP/2 and 3 write these where HTTP/1 has a request line; browsers export them as headers.
    pairs = [(name, value) for name, value in pairs if not name.startswith(":")]
    headers = Headers(pairs)
    if "host" not in headers:
        headers = Headers([("Host", host), *pairs])
    posted = request.get("postData") or {}
    body = b64decode(posted["text"]) if posted.get("encoding") == "base64" else posted.get("text", "").encode()
    return Request(request["method"].upper(), target, headers, body)


def _parse_http(text: str) -> Request:
    end = _END_OF_HEAD.search(text)
    head, body = (text[: end.start()], text[end.end() :]) if end else (text, "")
    lines = wire_text(head).replace("\r\n", "\n").split("\n")
    method, target, _version = lines[0].split(" ")
    pairs = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise UsageError(
                f"{_excerpt(line)} is no header line", hint="`Name: value`, one a line, then an empty line"
            )
        pairs.append((name, value.strip()))
    if "://" in target:
        target = target_and_host(target)[0]
    return Request(method, target, Headers(pairs), body.encode())


def _excerpt(text: str) -> str:
    line = text.splitlines()[0] if text.splitlines() else ""
    return repr(line if len(line) <= 60 else line[:59] + "…")
