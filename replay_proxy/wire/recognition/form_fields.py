"""Query strings and forms, as far as recognition needs them.

A query string becomes a dictionary. A form is not parsed: the few fields that recognition asks for are looked
for in its bytes, because a form may carry a message of a megabyte behind them.
"""

from __future__ import annotations

import zlib
from urllib.parse import unquote_plus

from replay_proxy.exchange import Request

FORM_TYPE = "application/x-www-form-urlencoded"
# No query API takes more than this; what is beyond it in a compressed form is not looked at (a decompression bomb).
FORM_BYTES_MAX = 8 * 1024 * 1024


def parse_query(query: str) -> dict[str, str]:
    """Return names and values of a raw query string, decoded; the first where a name repeats; `""` for a bare name."""
    found: dict[str, str] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        if name not in found:
            found[name] = unquote_plus(value) if "%" in value or "+" in value else value
    return found


def form_bytes(request: Request) -> bytes:
    """Return the body of a request, decompressed where it is gzip; empty where it is a blob, or not what it says."""
    body = request.body
    if not isinstance(body, bytes) or not body:
        return b""
    if "gzip" in request.headers.get("content-encoding"):
        try:
            return zlib.decompressobj(wbits=31).decompress(body, FORM_BYTES_MAX)
        except zlib.error:
            return b""
    return body


def form_field(form: bytes, name: bytes) -> str:
    """Return the value of the first field called `name` in a form, decoded; empty where there is none."""
    prefix = name + b"="
    if form.startswith(prefix):
        start = len(prefix)
    else:
        found = form.find(b"&" + prefix)
        if found < 0:
            return ""
        start = found + 1 + len(prefix)
    end = form.find(b"&", start)
    value = form[start : end if end >= 0 else None].strip().decode("latin-1")
    return unquote_plus(value) if "%" in value or "+" in value else value


def form_fields(form: bytes) -> dict[str, str]:
    """Return the names and values of the first thousand fields of a form, decoded; the first where a name repeats."""
    return parse_query(b"&".join(form.split(b"&", 1000)[:1000]).decode("latin-1"))


def is_form(content_type: str) -> bool:
    """Return whether a content type is that of an HTML form."""
    return content_type[: len(FORM_TYPE)].lower() == FORM_TYPE
