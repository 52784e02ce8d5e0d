"""What the answer to a replayed call teaches, and how it compares with the recorded one."""

from __future__ import annotations

import re

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.members.member_roles import Role
from replay_proxy.footprint.members.readable_secrets import can_be_read_again
from replay_proxy.identifiers.learning.accounts import mixed_accounts, note_same_accounts
from replay_proxy.identifiers.learning.compare import Comparison, compare_outcomes
from replay_proxy.identifiers.learning.drawn_values import learn_drawn, said_of_new_key
from replay_proxy.identifiers.learning.learn import learn
from replay_proxy.identifiers.rewriting.rewrite import names_known
from replay_proxy.identifiers.table.alias_table import Origin
from replay_proxy.journal.format.recorded_headers import answer_to_keep
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.original_times import note_pairs
from replay_proxy.replay.execution.reporting.not_restored import NotRestored
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.reporting.report_masking import ReportMasking
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.codecs.answers import Outcome, parse_answer

EQUAL = Comparison(equivalent=True)
_INDEX = re.compile(r"\[[^\]]*\]")


class AnswerLearner:
    """Learns aliases from answers, and notes in a report what was ambiguous."""

    def __init__(self, known: SessionState) -> None:
        self._aliases = known.aliases
        self._client_secrets = known.client_secrets
        self._times = known.times

    def says_nothing_new(self, request: Request, recorded: Answer, given: Answer) -> bool:
        """Return whether both answers are the same, to the byte, and name nothing of which another answer said something else."""
        same = (
            given.body == recorded.body
            and given.status == recorded.status
            and sorted(answer_to_keep(given).headers.pairs) == sorted(recorded.headers.pairs)
            and not names_known(recorded, self._aliases)
        )
        if same:
            note_same_accounts(request, recorded, self._aliases)
        return same

    def learn_from_answers(
        self,
        record: Record,
        head: CallHead,
        original: Request,
        answer: Answer,
        outcome: Outcome,
        report: RestoreReport,
    ) -> Comparison:
        """Learn from the outcome of a replayed call, and compare it with the recorded answer.

        original, answer: the recorded messages, with their bodies in memory.
        Raises NotRestored where the recorded answer cannot be read.
        """
        try:
            recorded = parse_answer(head, answer, original)
        except MalformedMessage as error:
            raise NotRestored(f"the recorded answer cannot be read: {error.message}") from error
        return self.learn_from_outcomes(record, head, original, recorded, outcome, report)

    def learn_from_outcomes(
        self,
        record: Record,
        head: CallHead,
        original: Request,
        recorded: Outcome,
        outcome: Outcome,
        report: RestoreReport,
    ) -> Comparison:
        """Learn from the outcome of a replayed call, and compare it with the recorded outcome."""
        origin = Origin(record.seq, f"{head.service}:{head.operation}")
        learned = learn(head, original, recorded, outcome, self._aliases, learned_from=origin)
        for note in learned.ambiguous:
            if note.harmless:
                continue
            text = ReportMasking(head, original, recorded, outcome).of(str(note))
            report.find(record.seq, head.service, head.operation, text)
        for path in learn_drawn(head, recorded, outcome, self._aliases, learned_from=origin):
            report.find(record.seq, head.service, head.operation, f"{path}: drawn anew, and not shown as before")
        if said := said_of_new_key(head, recorded):
            report.find(record.seq, head.service, head.operation, said)
        self._client_secrets.learn(head, recorded, outcome)
        note_pairs(self._times, record, head, original, recorded, outcome, self._aliases)
        verdict = compare_outcomes(head, recorded, outcome, self._aliases, original)
        mixed = mixed_accounts(original, recorded, outcome, self._aliases) if outcome.ok else []
        if mixed:
            verdict = Comparison(equivalent=False, differences=(*verdict.differences, *mixed))
        if verdict.equivalent and record.kind is not RecordKind.WITNESS:
            return verdict
        return ReportMasking(head, original, recorded, outcome).of_verdict(verdict)


def _tell_of_secrets(record: Record, head: CallHead, verdict: Comparison, report: RestoreReport) -> None:
    """Note which secrets are others now, of those that clients can read again. Their values are not told."""
    for difference in verdict.differences:
        if difference.role is Role.SECRET:
            member = _INDEX.sub("", difference.path).rpartition(".")[2]
            if can_be_read_again(head.service, member):
                message = f"{difference.path}: the emulator drew it anew, and shows another one than before"
                report.find(record.seq, head.service, head.operation, message)
