"""Access keys of which the emulator must be asked whose they are.

Temporary credentials that a client held before the recording began: their key is in no recorded answer. The emulator knows it,
and so for which account a call is meant, but only while it runs: what was made with such a key would come back in the default
account. So the emulator is asked once, when a key with a session token is seen for the first time, whose it is. Where it is that
of a role, the call that gives such credentials is recorded as an observation. From then on the key is like any other that was
given: a restore asks for it anew, and the client goes on.

A key that is spelled like an account (12 digits) stands for that account where the emulator takes it so, and for the default
account elsewhere. A key that somebody of another account was given without being told for which account may be of either.

Only the first call by a key waits for that. Any other key without a session token is a user's, or means the default account.
"""

from __future__ import annotations

import asyncio
import re
from xml.sax.saxutils import escape

from replay_proxy import log
from replay_proxy.errors import MalformedMessage, StorageError, UpstreamError
from replay_proxy.exchange import Answer, CallHead, Headers, Request
from replay_proxy.journal.format.records import utc_now
from replay_proxy.proxy.requests.journaling.recorder import Recorder
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.access_keys import IDENTITY, USUAL_KEY
from replay_proxy.replay.recorded_call import SEEN_BY
from replay_proxy.wire.codecs.answers import Outcome
from replay_proxy.wire.codecs.build_request import build_request
from replay_proxy.wire.signing.credentials import (
    ACCOUNT_HEADER,
    TOKEN_HEADER,
    has_session_token,
    is_spelled_like_account,
)
from replay_proxy.wire.signing.sigv4 import Credential

_log = log.get("engine")

KEYS_MAX = 10_000
"""Keys that were looked at; when there are more, all are looked at again."""
_KEY_CHARACTERS_MAX = 512
_ROLE = re.compile(r"arn:([a-z0-9-]+):sts::(\d{12}):assumed-role/([^/]+)/([^/]+)")
_TOKEN_MARKS = (b"-Security-Token", b"-security-token")
_KEY = re.compile(rb"Credential=([^/%,\s]*)")
_SPELLED_LIKE_ACCOUNT = re.compile(rb"Credential=(\d{12})(?:[/%,\s]|$)")
_ACCOUNT = re.compile(r"\d{12}")
_ANSWER = (
    '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
    "<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>unknown</SecretAccessKey></Credentials><AssumedRoleUser>"
    "<AssumedRoleId>{user}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
)


class HeldKeys:
    """The keys that were seen. recorder: of the proxy; None where nothing is recorded."""

    def __init__(self, translator: Translator, recorder: Recorder | None) -> None:
        self._translator = translator
        self._recorder = recorder
        self._seen: set[bytes] = {USUAL_KEY.encode()}
        self._asking: dict[str, asyncio.Task[bool]] = {}

    def may_be_new(self, data: bytes, body_at: int) -> bool:
        """Return whether a request of these bytes may carry a key that must be asked about, and was not. Quick.

        body_at: the offset of its body.
        """
        spelled = _SPELLED_LIKE_ACCOUNT.search(data, 0, body_at)
        keys = self._translator.access_keys
        if spelled is not None and spelled[1].decode() not in keys.accounts:
            return True
        if data.find(_TOKEN_MARKS[0], 0, body_at) < 0 and data.find(_TOKEN_MARKS[1], 0, body_at) < 0:
            return False
        key = _KEY.search(data, 0, body_at)
        return key is None or key[1] not in self._seen or key[1].decode("latin-1") in keys.guessed

    def is_new(self, head: CallHead | None, request: Request) -> bool:
        """Return whether a call carries a key that must be asked about, and was not."""
        if head is None or not head.access_key:
            return False
        keys = self._translator.access_keys
        if self._says_little(head.access_key):
            is_asked = head.access_key in keys.accounts and head.access_key not in keys.guessed
            return not is_asked and ACCOUNT_HEADER not in request.headers
        key = head.access_key.encode("latin-1", "replace")
        if key in self._seen:
            return False
        if self._recorder is None or not has_session_token(request):
            return False
        if head.access_key in keys.accounts or len(key) > _KEY_CHARACTERS_MAX:
            self._note(key)
            return False
        return True

    def _says_little(self, access_key: str) -> bool:
        """Return whether neither a key itself nor the call that gave it tells whose it is."""
        return is_spelled_like_account(access_key) or access_key in self._translator.access_keys.guessed

    def _note(self, key: bytes) -> None:
        if len(self._seen) >= KEYS_MAX:
            self._seen = {USUAL_KEY.encode()}
        self._seen.add(key)

    async def identify(self, head: CallHead, request: Request) -> bool:
        """Find out whose the key of a call is. Return whether the emulator has told that. Never raises.

        Where nothing in the recording explains the key, and it is that of a role, that is recorded.
        """
        key = head.access_key
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._identify(head, request))
            task.add_done_callback(lambda _task: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _identify(self, head: CallHead, request: Request) -> bool:
        key, translator = head.access_key, self._translator
        try:
            if not translator.access_keys.default_account:
                await translator.learn_default_account()
            outcome = await translator.identity_of(key, request.headers.get(TOKEN_HEADER))
        except UpstreamError as error:
            _log.debug("whose a temporary access key is could not be asked", reason=str(error))
            return False  # the next request asks again
        except MalformedMessage as error:
            _log.debug("whose a temporary access key is was not told", reason=str(error))
            outcome = Outcome(200)
        self._note(key.encode("latin-1", "replace"))
        keys, account = translator.access_keys, outcome.parsed.get("Account")
        if self._says_little(key):
            is_told = outcome.ok and isinstance(account, str) and _ACCOUNT.fullmatch(account) is not None
            keys.note_account(key, str(account) if is_told else keys.accounts.get(key, key))
            return True
        found = _ROLE.fullmatch(str(outcome.parsed.get("Arn", ""))) if outcome.ok else None
        if found is None:
            return False
        keys.note_account(key, found[2])
        try:
            self._record(head, request, outcome, found)
        except StorageError as error:
            _log.warning("whose a temporary access key is could not be recorded", reason=error.message)
        return True

    def _record(self, head: CallHead, request: Request, outcome: Outcome, found: re.Match[str]) -> None:
        """Record the call that gives such credentials. Raises `StorageError`."""
        assert self._recorder is not None
        partition, account, role, session = found.groups()
        call = CallHead("sts", "AssumeRole", "query", region=head.region or IDENTITY.region, access_key=USUAL_KEY)
        params = {"RoleArn": f"arn:{partition}:iam::{account}:role/{role}", "RoleSessionName": session}
        asked = build_request(call, params, request.headers.get("host"))
        values = {"key": head.access_key, "user": str(outcome.parsed.get("UserId", "")), "arn": found[0]}
        text = _ANSWER.format(**{name: escape(value) for name, value in values.items()})
        answer = Answer(200, Headers([("Content-Type", "text/xml")]), text.encode())
        credential = Credential(USUAL_KEY, call.region, call.service, "header")
        notes = {SEEN_BY: "sts:GetCallerIdentity"}
        self._recorder.observation(call, asked, answer, credential, time=utc_now(), notes=notes)
