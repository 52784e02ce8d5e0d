"""Does the emulator still hold what we put into it?

The proxy may be restarted while the emulator goes on, and the emulator may be restarted behind the proxy's back. In the
first case a restore would make everything twice, in the second its absence would lose everything. So the proxy leaves a
*mark* in the emulator's own state: an SSM parameter in an account and a region that nobody uses, and reads it back.
A mark that is gone means: the emulator has forgotten. A mark that says "restoring" means: a restore was interrupted;
"partly": it holds whole parts of the recording, and the others can still be restored.

An emulator without SSM cannot be marked; it is then taken to be empty when the proxy starts, as every emulator was
before there were marks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

import orjson

from replay_proxy.exchange import Answer, Headers, Request
from replay_proxy.wire.signing import stamp

Send = Callable[[Request], Awaitable[Answer]]

MARK_ACCOUNT = "999999999999"
MARK_REGION = "af-south-1"
MARK_NAME = "/replay-proxy/session"


class Phase(StrEnum):
    """What the mark says of the emulator's state."""

    RESTORING = "restoring"
    PARTLY = "partly"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Mark:
    """One reading of the mark: the session that left it, and how far that session had come."""

    session: str
    phase: Phase


class Marks:
    """Leaves and reads the mark through `send`; errors of that pass through.

    secret_key: to sign with, for an emulator that verifies signatures; else empty.
    """

    def __init__(self, send: Send, secret_key: str = "") -> None:
        self._send = send
        self._secret_key = secret_key

    async def read(self) -> Mark | None:
        """The mark in the emulator, or None where there is none (or none can be kept)."""
        answer = await self._send(self._call("GetParameter", {"Name": MARK_NAME}))
        if answer.status != 200 or not isinstance(answer.body, bytes):
            return None
        try:
            value = orjson.loads(answer.body)["Parameter"]["Value"]
            session, phase = str(value).split(":")
            return Mark(session, Phase(phase))
        except (ValueError, KeyError, TypeError):
            return None

    async def leave(self, mark: Mark) -> bool:
        """Leave `mark` in the emulator; False where it cannot be kept."""
        value = f"{mark.session}:{mark.phase.value}"
        parameters: dict[str, object] = {"Name": MARK_NAME, "Value": value, "Type": "String", "Overwrite": True}
        answer = await self._send(self._call("PutParameter", parameters))
        return answer.status == 200

    def _call(self, operation: str, parameters: dict[str, object]) -> Request:
        body = orjson.dumps(parameters)
        headers = Headers(
            (
                ("Host", f"ssm.{MARK_REGION}.amazonaws.com"),
                ("Content-Type", "application/x-amz-json-1.1"),
                ("X-Amz-Target", f"AmazonSSM.{operation}"),
                # moto derives the account from its own IAM users, and takes this header before that.
                ("x-moto-account-id", MARK_ACCOUNT),
                ("Content-Length", str(len(body))),
            )
        )
        request = Request("POST", "/", headers, body)
        return stamp(request, access_key=MARK_ACCOUNT, region=MARK_REGION, service="ssm", secret_key=self._secret_key)
