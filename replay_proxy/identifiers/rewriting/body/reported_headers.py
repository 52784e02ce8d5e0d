"""Header fields in which what ran inside of the emulator tells something, in base64: the log of a function.

Identifiers in them are those of the emulator of today, and become those of clients, as in a body that is reported.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from replay_proxy.exchange import Headers
from replay_proxy.identifiers.rewriting.body.bodies import Change
from replay_proxy.identifiers.table.scan import replaced


def texts(headers: Headers, names: tuple[str, ...]) -> list[str]:
    """Return what the fields of those names hold, a character for each byte. What is no base64 is left out."""
    return [text.decode("latin-1") for _, text in _decoded(headers, names)]


def rewritten(headers: Headers, names: tuple[str, ...], change: Change) -> Iterator[tuple[int, str]]:
    """Yield the positions of fields of those names in which certain replacements are made, with the new values."""
    for at, text in _decoded(headers, names):
        certain = [replacement for replacement in change(text) if replacement.is_certain]
        if certain:
            yield at, base64.b64encode(replaced(text, certain, url=False)).decode("ascii")


def _decoded(headers: Headers, names: tuple[str, ...]) -> Iterator[tuple[int, bytes]]:
    for at, name in enumerate(headers.lowers if names else ()):
        if name in names:
            try:
                yield at, base64.b64decode(headers.pairs[at][1], validate=True)
            except binascii.Error:
                continue
