"""Requests to the token endpoint of a user pool (`/oauth2/token`, RFC 6749), which are no AWS calls.

A client says there which app client it is, with its id and secret: in the `Authorization` field, encoded in base64 (RFC 6749,
section 2.3.1), or in the form. Both are what the client was shown; the emulator of today may have drawn others.
"""

from __future__ import annotations

import base64
from dataclasses import replace

from replay_proxy.exchange import Request
from replay_proxy.identifiers.rewriting.body import derived_headers
from replay_proxy.identifiers.table import scan
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.identifiers.table.scope import ANYWHERE

TOKEN_PATHS = ("/oauth2/token", "/oauth2/revoke")
TOKEN_MEMBERS = ("access_token", "id_token", "refresh_token")
"""Members of an answer that hold tokens."""
_BASIC = "basic "


def oauth_to_emulator(request: Request, table: AliasTable) -> Request:
    """Return a request to the token endpoint in the emulator's identifiers and secrets; the identical object where it is none."""
    if not len(table) or not request.path.endswith(TOKEN_PATHS) or not isinstance(request.body, bytes):
        return request
    headers, body = request.headers, request.body
    given = headers.get("authorization")
    if given[: len(_BASIC)].lower() == _BASIC:
        changed = _basic(given[len(_BASIC) :].strip(), table)
        if changed:
            headers = headers.replaced("Authorization", f"Basic {changed}")
    replacements, _ = scan.find(body, table, ANYWHERE, to_client=False)
    if replacements:
        body = scan.replaced(body, replacements, url=True)
        headers = derived_headers.for_body(headers, body)
    return (
        request if headers is request.headers and body is request.body else replace(request, headers=headers, body=body)
    )


def _basic(encoded: str, table: AliasTable) -> str:
    """Return credentials with the emulator's id and secret; empty where they name none that is known, or are none."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        return ""
    parts = [scan.translated(part, table, ANYWHERE, to_client=False) for part in text.split(":", 1)]
    changed = ":".join(parts)
    return base64.b64encode(changed.encode()).decode() if changed != text else ""
