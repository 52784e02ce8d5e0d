"""What a report says of reads that differ, once all calls were made.

Of several that were the same read the latest one is told at each place: what an emulator draws at each start, and nobody can ask
for, is another value in each of them. What is missing was a client's own, unless it belongs to an account that no recorded call
was about, and no recorded call names it. Then the emulator that it was read from had it by itself, and another emulator, or
another version, need not have it. Such things are counted in one note. What a list shows beside what it showed is none of them
that a later recorded call made: a restore may make that call before it reads the list again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from contextlib import suppress

from replay_proxy.errors import RecordingError, StorageError
from replay_proxy.exchange import Answer, Request
from replay_proxy.footprint.additions import makes
from replay_proxy.identifiers.learning.compare import Comparison, Difference
from replay_proxy.identifiers.learning.list_elements import Owned
from replay_proxy.identifiers.table import tokens
from replay_proxy.journal.format.records import Record, RecordKind
from replay_proxy.replay.execution.reporting.call_results import call_result, names_of
from replay_proxy.replay.execution.reporting.report import RestoreReport
from replay_proxy.replay.witness_detector import BODY_BYTES_MAX
from replay_proxy.wire.mutability.judge import is_data
from replay_proxy.wording import counted

_Added = tuple[int, str, frozenset[frozenset[bytes]]]
"""The number of a read, a place in its list, and the names of what is there."""


Records = Callable[[Collection[str]], Iterable[Record]]
"""Gives the records of some services; of all of them where none is named."""


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

    def tell(self, report: RestoreReport, records: Records, default_account: str) -> None:
        """Note in the report how the reads differ. Blocking.

        records: gives those of the plan, and is asked if need be. default_account: of clients; empty where it is not known.
        """
        owned = self.owned
        ours = _used(owned, records(())) if owned else set()
        later = self._made_later(records)
        ours.update(each for each in owned if each.account == default_account)
        theirs: Counter[str] = Counter()
        told: set[tuple[Hashable, str]] = set()
        for record, differences in sorted(self._found, key=lambda each: each[0].seq, reverse=True):
            read = (record.head, record.request.target, record.request.body)
            kept = []
            for each in differences:
                if (record.seq, each.path, each.added) in later:
                    continue
                if each.owned is not None and each.owned not in ours:
                    theirs[":".join(names_of(record))] += 1
                elif each.is_loss or each.misplaced or (read, _place(each)) not in told:
                    kept.append(each)
            told.update((read, _place(each)) for each in differences)
            _tell(report, record, kept)
        if theirs:
            reads = ", ".join(f"{call} {count}" for call, count in sorted(theirs.items()))
            report.notes.append(
                f"{counted(theirs.total(), 'thing')} that reads had shown are not there: the emulator of then had them by "
                f"itself, since they belong to other accounts, and no recorded call made or names them ({reads})"
            )

    def _made_later(self, records: Records) -> set[_Added]:
        """Return what lists show of things that a call made which was recorded after them."""
        wanted = [(read, each) for read, found in self._found for each in found if each.added and read.head is not None]
        made: set[_Added] = set()
        if not wanted:
            return made
        words = {word for _, each in wanted for name in each.added for word in name}
        with suppress(RecordingError, StorageError):
            for record in records({read.head.service for read, _ in wanted if read.head is not None}):
                reads = [(read, each) for read, each in wanted if _may_be_made_by(record, read)]
                if reads:
                    named = {
                        word for piece in _pieces(record.request, record.answer) for word in tokens.words(piece)
                    } & words
                    made.update(
                        (read.seq, each.path, each.added)
                        for read, each in reads
                        if all(name <= named for name in each.added)
                    )
        return made


def _place(difference: Difference) -> str:
    """Return where a read differs; of what is there beside what it showed, all have one path."""
    return f"{difference.path} {difference.actual}" if difference.path.endswith("[+]") else difference.path


def _may_be_made_by(record: Record, read: Record) -> bool:
    """Return whether a call made something of the service, account and region of a read that came before it."""
    one, two = record.head, read.head
    if record.kind is RecordKind.WITNESS or record.seq < read.seq or one is None or two is None:
        return False
    return (one.service, one.account, one.region) == (two.service, two.account, two.region) and makes(one.operation)


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
