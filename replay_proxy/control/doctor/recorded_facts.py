"""What an examination asks of a recording: its resources, and what single calls say."""

from __future__ import annotations

from pathlib import Path

from replay_proxy.doctor.asking import RecordedCall
from replay_proxy.errors import MalformedMessage, ReplayProxyError
from replay_proxy.journal.format.records import ControlKind, ControlRecord, Record
from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.replay.recorded_call import call_of
from replay_proxy.reports.call_document import call_document
from replay_proxy.resources.build import build_model
from replay_proxy.resources.folding.model import ResourceModel
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.signing.credentials import ACCOUNT_HEADER


class RecordedFacts:
    """One recording. Every method blocks, and may raise RecordingError or StorageError.

    with_pending: what is pending (`MANUAL`) counts, too: the emulator holds it.
    """

    def __init__(self, data_dir: Path, *, with_pending: bool = False) -> None:
        self.recording: Recording = read(data_dir)
        if with_pending:
            saved = ControlRecord(self.recording.found.last_seq + 1, "", ControlKind.SAVE)
            self.recording.effect.add(saved)

    def model(self) -> ResourceModel:
        """Return the resources that the calls add up to."""
        return build_model(self.recording.items(), lambda ref: b"".join(self.recording.blobs.read(ref)))

    def model_of_emulator(self, until: int | None = None) -> ResourceModel:
        """Return the resources that calls have made in the emulator, also those that do not count yet (`MANUAL`).

        until: calls that were recorded up to this number; all of them where it is None.
        """
        recording = self.recording
        items = (each.decoded.item for each in recording.entries())
        made = (
            each
            for each in items
            if until is None or each.seq <= until
            if isinstance(each, Record)
            or (isinstance(each, ControlRecord) and recording.effect.counts_in_effect(each.seq, each.service))
        )
        return build_model(made, lambda ref: b"".join(recording.blobs.read(ref)))

    def facts(self, seq: int) -> RecordedCall:
        """Return what a call says. Raises LookupError, too."""
        record = self.recording.fetch(seq)
        head = record.head
        try:
            parsed = parse_answer(head, record.answer, record.request).parsed if head is not None else {}
        except MalformedMessage:
            parsed = {}
        protocol = head.protocol if head is not None else ""
        account = record.request.headers.get(ACCOUNT_HEADER)
        call = call_of(record, lambda ref: b"".join(self.recording.blobs.read(ref)))
        operation, parameters = ("", {}) if call is None else (call.operation, call.params)
        return RecordedCall(record.credential.access_key, protocol, parsed, account, operation, parameters)

    def command(self, seq: int) -> str:
        """Return a call as a command of the AWS CLI; empty where it cannot be written as one."""
        try:
            record = self.recording.fetch(seq)
            return str(call_document(record, lambda ref: b"".join(self.recording.blobs.read(ref)))["aws"])
        except (ReplayProxyError, LookupError):
            return ""
