"""A session that is broken off at any moment: the next proxy never takes for restored what may not be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replay_proxy.emulators.session_mark import MarkPhase, SessionMark, SessionMarks
from replay_proxy.errors import EmulatorError
from replay_proxy.exchange import Answer, Request
from replay_proxy.journal.storage.blobs import BlobStore
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.restoring.session_file import RestorePosition, SavedSession, read_saved, save
from replay_proxy.proxy.lifecycle.restoring.session_store import SessionStore
from replay_proxy.proxy.lifecycle.sender import RequestSender
from replay_proxy.replay.session_state import SessionState
from tests.support.processes import Emulator

pytestmark = pytest.mark.emulator

NOTHING, SOME, MORE = RestorePosition(9), RestorePosition(9, ("ssm",), (1, 4)), RestorePosition(9, ("ssm", "sqs"))
ALL = "everything"
REFUSED = "refused"


class BrokenOff(Exception):
    """The proxy is gone."""


def leaves_mark(request: Request) -> bool:
    """Not a look at it, or a try of its place."""
    return isinstance(request.body, bytes) and any(f":{phase}".encode() in request.body for phase in MarkPhase)


async def tell(session: SessionStore) -> None:
    """A restore in two parts."""
    known = SessionState()
    await session.begin_parts(known, NOTHING)
    await session.begin_part()
    await session.end_part(known, SOME)
    await session.begin_part()
    await session.end_part(known, MORE)
    await session.settle(known)


async def found(session: SessionStore) -> object:
    try:
        saved = await session.resume()
    except EmulatorError:
        return REFUSED
    return None if saved is None else saved.position or ALL


@pytest.mark.parametrize("delivered", [False, True])
async def test_broken_off_at_any_mark(start_emulator: Callable[..., Emulator], tmp_path: Path, delivered: bool) -> None:
    emulator = start_emulator("moto")
    upstream = UpstreamClient(emulator.url)
    sender = RequestSender(upstream, BlobStore(tmp_path, durable=False), call_timeout=30)
    seen = []
    try:
        for at in range(7):
            marks = 0

            async def send(request: Request, at: int = at) -> Answer:
                nonlocal marks
                if not leaves_mark(request):
                    return await sender(request)
                if marks == at and not delivered:
                    raise BrokenOff
                answer = await sender(request)
                marks += 1
                if marks > at and delivered:
                    raise BrokenOff
                return answer

            place = tmp_path / str(at)
            place.mkdir()
            session = SessionStore(place, send)
            try:
                await tell(session)
            except BrokenOff:
                pass
            else:
                assert at == 6
            seen.append(await found(SessionStore(place, sender)))
    finally:
        await upstream.close()
    after = [NOTHING, REFUSED, SOME, REFUSED, MORE, ALL]
    if delivered:
        assert seen == [*after, ALL]
    else:
        # What was about to be marked is not, or was put down already: all is there when that says so.
        assert seen == [None, NOTHING, REFUSED, SOME, REFUSED, ALL, ALL]


@pytest.mark.parametrize("noted", [True, False], ids=["noted", "not noted"])
async def test_a_mark_of_an_older_version_is_found_in_ssm(
    start_emulator: Callable[..., Emulator], tmp_path: Path, noted: bool
) -> None:
    """The next proxy looks where the last one left it, and not in the place that is tried first now."""
    emulator = start_emulator("moto")
    upstream = UpstreamClient(emulator.url)
    sender = RequestSender(upstream, call_timeout=30)
    try:
        marks = SessionMarks(sender)
        marks.place = "ssm"
        assert await marks.leave(SessionMark("s", MarkPhase.READY))
        save(tmp_path, SavedSession("s", [], {}, {}, place="ssm" if noted else None), makes_place=False)
        assert await found(SessionStore(tmp_path, sender)) == ALL
    finally:
        await upstream.close()


async def test_nothing_is_asked_of_ssm_where_sqs_keeps_the_mark(
    start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    """An emulator loads a service at its first call, and that one takes a second."""
    emulator = start_emulator("moto")
    upstream = UpstreamClient(emulator.url)
    sender = RequestSender(upstream, call_timeout=30)
    hosts = set()

    async def send(request: Request) -> Answer:
        hosts.add(request.headers.get("host"))
        return await sender(request)

    try:
        session = SessionStore(tmp_path, send)
        assert await session.resume() is None
        await session.settle(SessionState())
        assert await session.holds()
        assert await found(SessionStore(tmp_path, send)) == ALL
        assert hosts == {"sqs.af-south-1.amazonaws.com"}
    finally:
        await upstream.close()


def test_a_key_whose_account_was_guessed_is_one_for_the_next_proxy(tmp_path: Path) -> None:
    """The emulator has to be asked whose it is, also by a proxy that is started again beside an emulator that lived on."""
    guessed = SavedSession("s", [], {}, {}, accounts={"AKIA1": "1" * 12, "AKIA2": "2" * 12}, guessed=("AKIA2",))
    save(tmp_path, guessed, makes_place=False)
    read = read_saved(tmp_path)
    assert read is not None
    keys = read.session_state("").access_keys
    assert (keys.accounts, keys.guessed) == (guessed.accounts, {"AKIA2"})
    keys.note_account("AKIA2", "3" * 12)
    assert keys.guessed == set()
