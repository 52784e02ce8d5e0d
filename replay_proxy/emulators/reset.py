"""How an external emulator is made to forget everything, as data.

Emulators have endpoints of their own for that. Which one an emulator has is asked by a read that changes nothing: a call to
another emulator's endpoint could be taken for a call to S3.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from replay_proxy.errors import EmulatorError
from replay_proxy.exchange import Answer, Headers, Request

Send = Callable[[Request], Awaitable[Answer]]

HAS_NONE = frozenset({404, 405, 501})
"""How an emulator answers a reset that it does not know: LocalStack has one in its paid editions alone."""


class NoResetError(EmulatorError):
    """The emulator does not know the reset that its kind has, and holds what it held."""


@dataclass(frozen=True, slots=True)
class ResetEndpoint:
    """How one emulator is emptied.

    probe: the path of a read that it answers with 200 and `sign` in the body, and others do not.
    reset: the path of the POST that empties it. anew: that of the POST after which it is as after a start, what it makes by
    itself included; empty where there is none.
    """

    name: str
    probe: str
    sign: bytes
    reset: str
    anew: str = ""


RESET_ENDPOINTS = (
    # MiniStack answers LocalStack's health, too, but not its `info`.
    ResetEndpoint("LocalStack", "/_localstack/info", b'"edition"', "/_localstack/state/reset"),
    ResetEndpoint("MiniStack", "/_ministack/health", b'"services"', "/_ministack/reset", "/_ministack/reset?init=1"),
    ResetEndpoint("moto", "/moto-api/", b"Moto", "/moto-api/reset"),
)


async def reset_endpoint_of(send: Send) -> ResetEndpoint | None:
    """Return how the emulator that `send` sends to is emptied; None where that is not known. Errors of `send` pass through."""
    for endpoint in RESET_ENDPOINTS:
        answer = await send(_request("GET", endpoint.probe))
        if answer.status == 200 and isinstance(answer.body, bytes) and endpoint.sign in answer.body:
            return endpoint
    return None


async def empty(send: Send, endpoint: ResetEndpoint) -> None:
    """Make the emulator forget everything but what it makes by itself at a start. Errors of `send` pass through.

    Raises:
        EmulatorError: it refused; then it holds what it held. NoResetError: because it has no reset.
    """
    path = endpoint.anew or endpoint.reset
    answer = await send(_request("POST", path))
    if not 200 <= answer.status < 300:
        kind = NoResetError if answer.status in HAS_NONE else EmulatorError
        raise kind(
            f"{endpoint.name} was not emptied: POST {path} was answered with {answer.status}",
            hint="restart the emulator: the recorded state is restored then",
        )


def _request(method: str, path: str) -> Request:
    body = {"Content-Length": "0"} if method == "POST" else {}
    headers = Headers(tuple({"Host": "localhost", "Accept": "*/*", **body}.items()))
    return Request(method, path, headers)
