"""A session that is broken off at any moment: the next proxy never takes for restored what may not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replay_proxy.errors import EmulatorError
from replay_proxy.exchange import Answer, Request
from replay_proxy.journal.blobs import BlobStore
from replay_proxy.proxy.sender import Sender
from replay_proxy.proxy.session import Session, SoFar
from replay_proxy.proxy.upstream import Upstream
from replay_proxy.replay.knowledge import Knowledge
from tests.support.processes import Emulator

pytestmark = pytest.mark.emulator

NOTHING, SOME, MORE = SoFar(9), SoFar(9, ("ssm",), (1, 4)), SoFar(9, ("ssm", "sqs"))
ALL = "everything"
REFUSED = "refused"


class BrokenOff(Exception):
    """The proxy is gone."""


async def tell(session: Session) -> None:
    """A restore in two parts."""
    known = Knowledge()
    await session.begin_parts(known, NOTHING)
    await session.begin_part()
    await session.end_part(known, SOME)
    await session.begin_part()
    await session.end_part(known, MORE)
    await session.settle(known)


async def found(session: Session) -> object:
    try:
        saved = await session.resume()
    except EmulatorError:
        return REFUSED
    return None if saved is None else saved.so_far or ALL


@pytest.mark.parametrize("delivered", [False, True])
async def test_broken_off_at_any_mark(start_emulator: Callable[..., Emulator], tmp_path: Path, delivered: bool) -> None:
    emulator = start_emulator("moto")
    upstream = Upstream(emulator.url)
    sender = Sender(upstream, BlobStore(tmp_path, durable=False), call_timeout=30)
    seen = []
    try:
        for at in range(7):
            marks = 0

            async def send(request: Request, at: int = at) -> Answer:
                nonlocal marks
                if marks == at and not delivered:
                    raise BrokenOff
                answer = await sender(request)
                marks += 1
                if marks > at and delivered:
                    raise BrokenOff
                return answer

            place = tmp_path / str(at)
            place.mkdir()
            session = Session(place, send)
            try:
                await tell(session)
            except BrokenOff:
                pass
            else:
                assert at == 6
            seen.append(await found(Session(place, sender)))
    finally:
        await upstream.close()
    after = [NOTHING, REFUSED, SOME, REFUSED, MORE, ALL]
    if delivered:
        assert seen == [*after, ALL]
    else:
        # What was about to be marked is not, or was put down already: all is there when that says so.
        assert seen == [None, NOTHING, REFUSED, SOME, REFUSED, ALL, ALL]
