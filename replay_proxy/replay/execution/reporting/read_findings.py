"""What a report says of reads that differ, once all calls were made.

Of several that were the same read the latest one is told at each place: what an emulator draws at each start, and nobody can ask
for, is another value in each of them. What is missing was a client's own, unless it belongs to an account that no recorded call
was about, and no recorded call names it. Then the emulator that it was read from had it by itself, and another emulator, or
another version, need not have it. Such things are counted in one note.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator
from contextlib import suppress

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import Answer, Request
from replay_proxy.identifiers.learning.compare import Comparison, Difference
from replay_proxy.identifiers.learning.others_elements import Owned
from replay_proxy.identifiers.table import tokens
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.reporting.call_results import call_result, names_of
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.witness_detector import BODY_BYTES_MAX
from replay_proxy.wire.mutability.judge import is_data
from replay_proxy.wording import counted


class ReadFindings:
    """How the reads of one restore differ."""

    def __init__(self) -> None:
        self._found: list[tuple[Record, Collection[Difference]]] = []

    def add(self, record: Record, differences: Collection[Difference]) -> None:
        """Take what is to be said of one read."""
        self._found.append((record, differences))

    @property
    def owned(self) -> frozenset[Owned]:
        """Whose those missing things are that seem to belong to other accounts."""
        return frozenset(each.owned for _, found in self._found for each in found if each.owned is not None)

    def tell(self, report: RestoreReport, records: Iterable[Record], default_account: str) -> None:
        """Note in the report how the reads differ. Blocking.

        records: that are in the plan; looked at if need be. default_account: of clients; empty where it is not known.
        """
        owned = self.owned
        ours = _used(owned, records) if owned else set()
        ours.update(each for each in owned if each.account == default_account)
        theirs: Counter[str] = Counter()
        told: set[tuple[Hashable, str]] = set()
        for record, differences in sorted(self._found, key=lambda each: each[0].seq, reverse=True):
            read = (record.head, record.request.target, record.request.body)
            kept = []
            for each in differences:
                if each.owned is not None and each.owned not in ours:
                    theirs[":".join(names_of(record))] += 1
                elif each.is_loss or each.misplaced or (read, each.path) not in told:
                    kept.append(each)
            told.update((read, each.path) for each in differences)
            _tell(report, record, kept)
        if theirs:
            reads = ", ".join(f"{call} {count}" for call, count in sorted(theirs.items()))
            report.notes.append(
                f"{counted(theirs.total(), 'thing')} that reads had shown are not there: the emulator of then had them by "
                f"itself, since they belong to other accounts, and no recorded call made or names them ({reads})"
            )


def _tell(report: RestoreReport, record: Record, differences: Collection[Difference]) -> None:
    """Note how a read differs. One that shows another account or identity counts as a call that does."""
    misplaced = tuple(each for each in differences if each.misplaced)
    if misplaced:
        report.add_read(call_result(record, Comparison(equivalent=False, differences=misplaced)))
    for each in differences:
        if not each.misplaced:
            report.find(record.seq, *names_of(record), str(each), loss=each.is_loss)


def _used(owned: Collection[Owned], records: Iterable[Record]) -> set[Owned]:
    """Return which elements a recorded call is about, or whose account it is about."""
    wanted = {word for each in owned for name in each.names for word in name}
    found: set[bytes] = set()
    with suppress(RecordingError, StorageError):
        for record in records:
            head = record.head
            if record.kind is RecordKind.WITNESS or head is None or is_data(head.service, head.operation):
                continue
            found.update(word for piece in _pieces(record.request, record.answer) for word in tokens.words(piece))
            found &= wanted
        return {each for each in owned if any(name <= found for name in each.names)}
    return set(owned)  # what cannot be looked at may be about any of them


def _pieces(request: Request, answer: Answer) -> Iterator[bytes]:
    yield request.target.encode("latin-1", "replace")
    for body in (request.body, answer.body):
        if isinstance(body, bytes) and len(body) <= BODY_BYTES_MAX:
            yield body
