"""The page: a template without data, its script and style, and the header fields that hold them in.

The script and the style are those of the report's page, and what the console adds. Only they run: the Content-Security-Policy
names them by a number used once, and not by their origin, since what the emulator serves (an object in a bucket, say) is of
the same origin.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Final

from replay_proxy.exchange import Headers
from replay_proxy.proxy.http.streams import Outgoing
from replay_proxy.reports.page.assets import script_of, shared_file

SCRIPTS: Final = ("feed", "live", "controls", "pods", "diagnosis", "console")
"""What the console adds to the script of the report, in this order."""
_FIELDS: Final = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


def page() -> Outgoing:
    """Return the page."""
    nonce = secrets.token_urlsafe(18)
    headers = (
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", _POLICY.format(nonce=nonce)),
        *_FIELDS,
    )
    return Outgoing(200, "OK", Headers(headers), _own_file("console.html").replace("@NONCE@", nonce).encode())


def _script_answer() -> Outgoing:
    return _text("text/javascript", _script())


def _style_answer() -> Outgoing:
    return _text("text/css", f"{shared_file('page.css')}\n{_own_file('console.css')}")


ASSETS: Final[dict[str, Callable[[], Outgoing]]] = {
    "/_replay/console/page.js": _script_answer,
    "/_replay/console/page.css": _style_answer,
}
"""What the page loads: the same for everybody, and without any data."""


def wants_page(accept: str) -> bool:
    """Return whether who sends this `Accept` field is a browser that navigates: it names HTML, and not JSON before it."""
    kinds = [(each.partition(";")[0].strip().lower(), _weight(each)) for each in accept.split(",")]
    weights = dict(reversed(kinds))
    html = weights.get("text/html", 0.0)
    return html > 0 and html >= weights.get("application/json", 0.0)


def _weight(entry: str) -> float:
    for parameter in entry.split(";")[1:]:
        name, _equals, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


@cache
def _script() -> str:
    return script_of([*(_own_file(f"script/{name}.js") for name in SCRIPTS)])


@cache
def _own_file(name: str) -> str:
    return files("replay_proxy.control.console").joinpath(name).read_text(encoding="utf-8")


def _text(kind: str, text: str) -> Outgoing:
    return Outgoing(200, "OK", Headers((("Content-Type", f"{kind}; charset=utf-8"), *_FIELDS)), text.encode())
