"""An examination where no proxy runs: of an emulator, by a recording and the identifiers that its last session has learned."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any

from replay_proxy.config import Settings
from replay_proxy.control.doctor.recorded_facts import RecordedFacts
from replay_proxy.control.doctor.smoke_results import smoke_results
from replay_proxy.doctor.examination import Examination
from replay_proxy.errors import EmulatorError
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.rewriting.endpoints import Endpoints
from replay_proxy.journal.read.journal_file import require_recording
from replay_proxy.proxy.http.client.upstream import UpstreamClient
from replay_proxy.proxy.lifecycle.restoring.session_file import load_session
from replay_proxy.proxy.observation.questions import Questions
from replay_proxy.proxy.requests.translator import Translator
from replay_proxy.replay.access_keys import AccessKeys
from replay_proxy.replay.session_state import SessionState
from replay_proxy.reports.doctor_document import doctor_document
from replay_proxy.wire.models.service_names import services_in
from replay_proxy.wire.signing.sigv4 import Credential

CALL_TIMEOUT_S = 60.0
_BODY_BYTES_MAX = 1 << 20


async def examine_emulator(settings: Settings, services: Collection[str], *, before_save: bool) -> dict[str, Any]:
    """Return the document of a diagnosis of the emulator at `settings.upstream`. Only reads are sent.

    Raises:
        UsageError: there is no such service. RecordingError, StorageError: there is no recording, or it cannot be read.
        EmulatorError: the emulator does not answer.
    """
    async with _emulator_of(settings) as (_translator, questions):
        facts = await asyncio.to_thread(RecordedFacts, settings.data_dir)
        model = await asyncio.to_thread(facts.model)
        services = services_in(services, {each.service for each in model.calls})
        examination = Examination(model, questions.ask, facts.facts, services=services, before_save=before_save)
        return doctor_document(model, await examination.run(), facts.command, str(settings.upstream))


async def smoke_emulator(settings: Settings, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Carry out smoke tests (`doctor.smoke.document`) at `settings.upstream`, and return what came of each.

    Raises:
        RecordingError, StorageError: there is no recording, or it cannot be read. EmulatorError: the emulator does not answer.
    """
    async with _emulator_of(settings) as (translator, questions):

        async def ask(head: CallHead | None, request: Request, credential: Credential) -> Answer:
            if head is None:
                return await translator.ask(request, None)
            return await questions.ask(head, request, credential)

        return await smoke_results(ask, document)


@asynccontextmanager
async def _emulator_of(settings: Settings) -> AsyncIterator[tuple[Translator, Questions]]:
    """Yield what asks the emulator in clients' identifiers. Raises as `examine_emulator`."""
    assert settings.upstream is not None
    require_recording(settings.data_dir)
    secret_key = settings.secret_key or ""
    saved = await asyncio.to_thread(load_session, settings.data_dir)
    state = SessionState(access_keys=AccessKeys(secret_key)) if saved is None else saved.session_state(secret_key)
    upstream = UpstreamClient(settings.upstream)
    try:
        translator = Translator(upstream, state, Endpoints(settings.upstream), _BODY_BYTES_MAX)
        yield translator, Questions(translator, upstream, CALL_TIMEOUT_S)
    except (OSError, TimeoutError) as error:
        raise EmulatorError(
            f"the emulator at {settings.upstream} does not answer: {error or type(error).__name__}",
            hint="is it running?",
        ) from error
    finally:
        await upstream.close()
