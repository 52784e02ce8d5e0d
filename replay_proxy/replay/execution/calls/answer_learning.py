"""What the answer to a replayed call teaches, and how it compares with the recorded one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.identifiers.learning.accounts import mixed_accounts, note_same_accounts
from replay_proxy.identifiers.learning.compare import Comparison, Difference, compare_outcomes
from replay_proxy.identifiers.learning.drawn_values import learn_drawn, said_of_new_key
from replay_proxy.identifiers.learning.identities import other_identities
from replay_proxy.identifiers.learning.learn import learn
from replay_proxy.identifiers.rewriting.rewrite import names_known
from replay_proxy.identifiers.table.alias_table import Origin
from replay_proxy.journal.format.recorded_headers import answer_to_keep
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.reporting.not_restored import NotRestored
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.execution.reporting.report_masking import ReportMasking
from replay_proxy.replay.execution.time_pairs import note_pairs
from replay_proxy.replay.session_state import SessionState
from replay_proxy.wire.codecs.answers import Outcome, parse_answer

EQUAL = Comparison(equivalent=True)


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
        misplaced = other_identities(head, original, recorded, outcome, self._aliases)
        learned = learn(head, original, recorded, outcome, self._aliases, learned_from=origin)
        for note in learned.ambiguous:
            if note.harmless:
                continue
            if note.accounts is not None:
                client, emulator = note.accounts
                misplaced.append(Difference(note.path, f"account {client}", f"account {emulator}", misplaced=True))
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
        if outcome.ok:
            misplaced += mixed_accounts(original, recorded, outcome, self._aliases)
        if misplaced:
            told = {each.path for each in misplaced}
            others = (each for each in verdict.differences if each.path not in told)
            verdict = Comparison(equivalent=False, differences=(*others, *_once_each(misplaced)))
        if verdict.equivalent and record.kind is not RecordKind.WITNESS:
            return verdict
        return ReportMasking(head, original, recorded, outcome).of_verdict(verdict)


def _once_each(differences: Iterable[Difference]) -> Collection[Difference]:
    """Return the first difference at each place."""
    first: dict[str, Difference] = {}
    for each in differences:
        first.setdefault(each.path, each)
    return first.values()
