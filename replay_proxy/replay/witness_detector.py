"""Which reads are worth keeping as witnesses.

A client learns most identifiers from the answers of its own mutations. Some it learns otherwise: the default VPC, the
physical ids of a stack, the root resource of an API, the members of an auto scaling group. No recorded mutation produced
them, so no replayed one could teach what they are called today. The reads that showed them can: such a read is recorded as a
*witness*, and is repeated in a restore at the place where it was made.

A read is a witness when its answer shows an identifier that nothing in the recording explains: no answer to a mutation,
no earlier witness, and nothing that a client sent. What is an identifier is told by the member in which it stands, not by its
length or its letters: every member that names something, be it drawn or a name that the emulator made up. An ARN is one in any
member: whom an alarm tells is called `AlarmActions`. Secrets,
fingerprints and certificates that the emulator drew count like identifiers. So does what a secret holds, where nobody has put
that in: a template may have it generated. An answer explains
what can be learned from it, which is what its shape describes; emulators also say things that the models do not know. Payload
neither explains nor shows anything: by the models it names nothing that a later call could refer to.

A read that shows a time of something that nobody's call made is a witness, too, once for each operation: of a member of a
stack, and of what the emulator has by itself, such as a default group. No call tells when that was made, so only what the read
showed at first can tell it after a restart. Such a thing is named, and was made by no recorded call of its own service: by the
request, or in the answer where a template or a read of stacks has its name, since some times are shown by lists only. A change
of a stack may change its members, so the first read after it is one again.

Whose credentials are is recorded once: the first `GetCallerIdentity` with each of them is a witness, whatever explains it, and
no other one. An emulator may draw the unique id of a role anew for each answer, and the first is what its client goes by.

A read that itself *names* something that nothing explains can be repeated only where something else teaches what that is
called today. It is recorded, since it may be all there is, but it explains nothing: the read that shows the same without
naming it is recorded, too. The token of a page is no such name, because pages are walked from the first again.

What explains is kept as fingerprints, 8 bytes each, so that memory follows how many identifiers there are, and not what
passes. Calls that write data make identifiers as they pass (messages, versions), so these have a set of their own, and do
not displace those of infrastructure. A set that is full forgets what nobody asked for since it was last full. Then a read
may be recorded as a witness though nothing needs it, which costs its place in the journal, and loses nothing.

A body of more than `BODY_BYTES_MAX` is read in chunks (`is_large_witness`, `explain_large`), in a thread that the caller has.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from enum import IntEnum
from http import HTTPStatus

from replay_proxy.errors import MalformedMessage
from replay_proxy.exchange import Answer, CallHead, Request
from replay_proxy.footprint.additions import MAKING_OTHERS, makes
from replay_proxy.footprint.given_names import given_names, may_give_names
from replay_proxy.footprint.members.answer_identifiers import identifier_values, identifiers_in_chunks, names_shown
from replay_proxy.footprint.members.drawn_members import drawn_texts, put_in, shows_put_in, takes_put_in
from replay_proxy.footprint.members.naming_members import naming_at_top
from replay_proxy.footprint.names.resource_names import short_name
from replay_proxy.footprint.parameter_texts import parameter_texts
from replay_proxy.identifiers.rewriting.body.bodies import texts_outside_payload
from replay_proxy.identifiers.rewriting.body.payload import payload_of
from replay_proxy.identifiers.rewriting.times.time_members import has_time, shows_times
from replay_proxy.identifiers.table import tokens
from replay_proxy.identifiers.table.scan import identifiers_in
from replay_proxy.replay.fingerprints import Fingerprints
from replay_proxy.wire.codecs.answers import parse_answer
from replay_proxy.wire.codecs.parameters import parse_parameters
from replay_proxy.wire.models.models import streams_output
from replay_proxy.wire.models.pagination import pagination_of
from replay_proxy.wire.mutability.judge import Effect, is_data, judge

BODY_BYTES_MAX = 256 * 1024
"""Of a body that is looked into as a whole. Of a larger request nothing is taken; a larger answer is read in chunks."""
INFRASTRUCTURE_BYTES_MAX, DATA_BYTES_MAX = 16 << 20, 8 << 20
"""Of what is remembered: room for 780,000 to 1,570,000 runs of infrastructure, and half as many of data."""

_WHO_ASKS = ("sts", "GetCallerIdentity")

Chunks = Callable[[], Iterator[bytes]]
"""Begins to read a body from its start. Raises `OSError`, `StorageError` or `RecordingError`, also while it is read."""


class Verdict(IntEnum):
    """What a read is worth.

    NOTHING_NEW: all that it shows is explained. WITNESS: it shows something that nothing explains. DEPENDENT: likewise, but it
    names something that nothing explains either, and so cannot be repeated by itself.
    """

    NOTHING_NEW = 0
    WITNESS = 1
    DEPENDENT = 2


class WitnessDetector:
    """Knows the runs of characters that the recording explains, as far as they could belong to identifiers."""

    def __init__(self) -> None:
        self._infrastructure = Fingerprints(INFRASTRUCTURE_BYTES_MAX)
        self._data = Fingerprints(DATA_BYTES_MAX)
        self._lock = threading.Lock()
        self._stack_changes = 0
        """How many calls are known that may have changed what stacks have made."""

    @property
    def bytes_held(self) -> int:
        """The size of what is remembered, in bytes."""
        return self._infrastructure.bytes_held + self._data.bytes_held

    def forget(self) -> None:
        """Forget all that is explained: an emulator that was reset draws identifiers anew, perhaps the same ones."""
        self._infrastructure = Fingerprints(INFRASTRUCTURE_BYTES_MAX)
        self._data = Fingerprints(DATA_BYTES_MAX)
        self._stack_changes = 0

    def explain(self, head: CallHead | None, request: Request, answer: Answer) -> None:
        """Note a recorded exchange: what it shows is explained. Of an answer of more than `BODY_BYTES_MAX`, nothing is taken."""
        texts = _shown(head, request, answer)
        runs = _sent(head, request) | _runs_of(texts)
        if head is not None and head.service in MAKING_OTHERS:
            with self._lock:
                self._infrastructure.update({_of_stack(run) for run in runs})
        runs |= _put_in_by(head, request) | _put_in_shown(head, request, answer)
        if head is not None:
            if head.service in MAKING_OTHERS and judge(head.service, head.operation).effect is Effect.MUTATES:
                self._stack_changes += 1
            runs |= _with_known_times(head, request, answer, self._stack_changes, self._made_by_stacks(texts))
            if (head.service, head.operation) == _WHO_ASKS:
                runs.add(_asked_by(head))
        with self._lock:
            self._set_for(head).update(runs)

    def explain_large(self, head: CallHead, request: Request, answer: Answer, chunks: Chunks) -> None:
        """Note a recorded exchange whose answer has a body of any size. Blocking. Raises as `chunks`.

        answer: without its body.
        """
        self.explain(head, request, answer)
        for runs in _shown_in_chunks(head, answer, chunks):
            with self._lock:
                self._set_for(head).update(runs)

    def is_witness(self, head: CallHead, request: Request, answer: Answer) -> Verdict:
        """Return what a read is worth; false for nothing. Of an answer of more than `BODY_BYTES_MAX`, nothing is seen."""
        if (head.service, head.operation) == _WHO_ASKS and answer.status == HTTPStatus.OK:
            return Verdict.WITNESS if self._unexplained({_asked_by(head)}) else Verdict.NOTHING_NEW
        texts = _shown(head, request, answer)
        unexplained = self._unexplained(_runs_of(texts))
        if unexplained:
            unexplained &= _outside(head, answer)
        unexplained |= self._unexplained(_put_in_shown(head, request, answer))
        verdict = self._verdict(head, request, unexplained)
        if verdict is Verdict.NOTHING_NEW and answer.status == HTTPStatus.OK:
            return Verdict.WITNESS if self._tells_time_of_unmade(head, request, answer, texts) else verdict
        return verdict

    def _tells_time_of_unmade(self, head: CallHead, request: Request, answer: Answer, texts: set[str]) -> bool:
        """Return whether a read shows when something was made or changed that no call made, and is the first to do so.

        texts: what the answer shows. Of what a request does not name, the members of stacks count.
        """
        if is_data(head.service, head.operation) or not shows_times(head):
            return False
        names = _named_things(head, request) | self._made_by_stacks(texts)
        unknown = self._unexplained({_made(head, name) for name in names})
        unmade = [name for name in names if _made(head, name) in unknown]
        is_first = self._unexplained({_shown_by(head, name, self._stack_changes) for name in unmade})
        return bool(is_first) and has_time(head, answer)

    def _made_by_stacks(self, texts: set[str]) -> set[str]:
        """Return the short names of those texts of an answer that templates, or reads of stacks, are known to name."""
        if not self._stack_changes:
            return set()
        words = {name: {_of_stack(run) for run in _runs(name)} for name in map(short_name, texts)}
        unknown = self._unexplained({word for each in words.values() for word in each})
        return {name for name, each in words.items() if each and unknown.isdisjoint(each)}

    def is_large_witness(self, head: CallHead, request: Request, answer: Answer, chunks: Chunks) -> Verdict:
        """Return what a read is worth whose answer has a body of any size. Blocking. Raises as `chunks`.

        answer: without its body. It is read to the first identifier that nothing explains, and not further.
        """
        verdict = self.is_witness(head, request, answer)
        if verdict is not Verdict.NOTHING_NEW:
            return verdict
        sent = _sent(head, request)
        for runs in _shown_in_chunks(head, answer, chunks):
            unexplained = self._unexplained(runs)
            # What the request names, too, may be all that is new: then the rest decides.
            if unexplained - sent:
                return self._verdict(head, request, unexplained)
            if unexplained:
                verdict = self._verdict(head, request, unexplained)
        return verdict

    def note_dependent(self, head: CallHead, request: Request) -> None:
        """Note a read that is recorded and explains nothing, so that it is not recorded again and again."""
        with self._lock:
            self._infrastructure.update((_identity(head, request),))

    def _unexplained(self, runs: set[bytes]) -> set[bytes]:
        with self._lock:
            return set(self._data.missing(self._infrastructure.missing(runs))) if runs else set()

    def _verdict(self, head: CallHead, request: Request, unexplained: set[bytes]) -> Verdict:
        if not unexplained:
            return Verdict.NOTHING_NEW
        needed = self._unexplained(_named(head, request)) | (unexplained & _sent(head, request))
        if not needed:
            return Verdict.WITNESS
        is_noted = not self._unexplained({_identity(head, request)})
        return Verdict.NOTHING_NEW if is_noted or unexplained <= needed else Verdict.DEPENDENT

    def _set_for(self, head: CallHead | None) -> Fingerprints:
        return self._data if head is None or is_data(head.service, head.operation) else self._infrastructure


def _identity(head: CallHead, request: Request) -> bytes:
    """Return what stands for a request among the runs; no run contains a NUL."""
    who = (head.service, head.operation, head.account, head.region, head.access_key)
    return b"\0".join((*(each.encode() for each in who), _target(request), _body(request)))


def _named(head: CallHead, request: Request) -> set[bytes]:
    """Return the runs of what a request names in members that name something, tokens of pages aside."""
    try:
        params = parse_parameters(head, request)
    except MalformedMessage:
        return set()
    pagination = pagination_of(head.service, head.operation)
    if pagination is not None:
        params = pagination.first(params)
    return {run for _, value in naming_at_top(params) for run in _runs(value)}


def _sent(head: CallHead | None, request: Request) -> set[bytes]:
    """Return the runs that a client named in a request."""
    pieces = texts_outside_payload(request, head, BODY_BYTES_MAX) if head is not None else [_body(request)]
    return set(tokens.words(b"\n".join([_target(request), *pieces])))


def _shown(head: CallHead | None, request: Request, answer: Answer) -> set[str]:
    """Return the texts in those members of an answer that are identifiers; none where it cannot be read."""
    if head is None:
        return {b"\n".join([_fields(answer, ()), _body(answer)]).decode("latin-1")}
    if not isinstance(answer.body, bytes) or len(answer.body) > BODY_BYTES_MAX:
        return set()
    try:
        outcome = parse_answer(head, answer, request)
    except MalformedMessage:
        return set()
    if not outcome.ok:
        return set()
    return identifiers_in(head, outcome) | names_shown(head, outcome) | drawn_texts(head, outcome)


def _put_in_by(head: CallHead | None, request: Request) -> set[bytes]:
    """Return what stands for the values that a request puts into a secret."""
    if head is None or not takes_put_in(head.service, head.operation):
        return set()
    try:
        return {_value_of(head, value) for value in put_in(parse_parameters(head, request))}
    except MalformedMessage:
        return set()


def _put_in_shown(head: CallHead | None, request: Request, answer: Answer) -> set[bytes]:
    """Return what stands for the values in an answer of which somebody may have put them into a secret."""
    if head is None or not shows_put_in(head.service, head.operation) or not _body(answer):
        return set()
    try:
        outcome = parse_answer(head, answer, request)
    except MalformedMessage:
        return set()
    return {_value_of(head, value) for value in put_in(outcome.parsed)} if outcome.ok else set()


def _asked_by(head: CallHead) -> bytes:
    """Return what stands among the runs for credentials whose holder has asked who that is; no run contains a NUL."""
    return b"\0".join((b"", _WHO_ASKS[1].encode(), head.access_key.encode()))


def _with_known_times(
    head: CallHead, request: Request, answer: Answer, stack_changes: int, of_stacks: set[str]
) -> set[bytes]:
    """Return what stands among the runs for the things that a recorded call made, or whose times a read showed.

    stack_changes: so many there were before it. of_stacks: the names in the answer that are of members of stacks.
    """
    if is_data(head.service, head.operation) or (answer.body and not _body(answer)):
        return set()
    if judge(head.service, head.operation).effect is not Effect.MUTATES:
        named = _named_things(head, request) | of_stacks if shows_times(head) else set()
        return {_shown_by(head, name, stack_changes) for name in named}
    if not may_give_names(head.service, head.operation) and not makes(head.operation):
        return set()
    try:
        given = given_names(head.service, head.operation, parse_parameters(head, request))
        drawn = identifier_values(head, parse_answer(head, answer, request)) if makes(head.operation) else ()
        return {_made(head, short_name(name)) for name in (*given, *drawn)}
    except MalformedMessage:
        return set()


def _named_things(head: CallHead, request: Request) -> set[str]:
    """Return the short names of what a request names at the top of its parameters."""
    try:
        texts = parameter_texts(head, parse_parameters(head, request))
        return {short_name(each.text) for each in texts if each.naming and each.top}
    except MalformedMessage:
        return set()


def _made(head: CallHead, name: str) -> bytes:
    """Return what stands for a thing of a service that a call made or named; no run contains a NUL."""
    return b"\0".join(each.encode() for each in ("", head.service, head.account, head.region, name))


def _of_stack(run: bytes) -> bytes:
    """Return what stands for a run that a template or a read of stacks has; no run contains a NUL."""
    return b"\0\0" + run


def _shown_by(head: CallHead, name: str, stack_changes: int) -> bytes:
    """Return what stands for a thing whose times an operation showed, after so many changes of stacks."""
    return b"\0".join((_made(head, name), head.operation.encode(), str(stack_changes).encode()))


def _value_of(head: CallHead, value: bytes) -> bytes:
    """Return what stands for the value of a secret among the runs; no run contains a NUL."""
    return b"\0".join((head.service.encode(), b"", value))


def _shown_in_chunks(head: CallHead, answer: Answer, chunks: Chunks) -> Iterator[set[bytes]]:
    """Yield the runs in those members of a large answer that are identifiers, as they are read."""
    if streams_output(head.service, head.operation):
        return
    try:
        for texts in identifiers_in_chunks(head, answer.headers, chunks()):
            yield {run for text in texts for run in _runs(text)}
    except MalformedMessage:
        return


def _outside(head: CallHead, answer: Answer) -> set[bytes]:
    """Return all runs of an answer that are outside of payload."""
    payload = payload_of(head, "json", answer=True).headers
    return set(
        tokens.words(b"\n".join([_fields(answer, payload), *texts_outside_payload(answer, head, BODY_BYTES_MAX)]))
    )


def _runs_of(texts: set[str]) -> set[bytes]:
    return {run for text in texts for run in _runs(text)}


def _runs(text: str) -> list[bytes]:
    return tokens.words(text.encode("ascii", "replace"))


def _target(request: Request) -> bytes:
    return request.target.encode("latin-1", "replace")


def _body(message: Request | Answer) -> bytes:
    """Return what may be looked into of a body."""
    body = message.body
    return body if isinstance(body, bytes) and len(body) <= BODY_BYTES_MAX else b""


def _fields(answer: Answer, payload: tuple[str, ...]) -> bytes:
    """Return the values of header fields that are no payload. payload: names of fields, a trailing `*` for any ending."""
    exactly = {name for name in payload if not name.endswith("*")}
    beginnings = tuple(name[:-1] for name in payload if name.endswith("*"))
    values = [
        value
        for (_, value), lower in zip(answer.headers.pairs, answer.headers.lowers, strict=True)
        if lower not in exactly and not lower.startswith(beginnings)
    ]
    return "\n".join(values).encode("latin-1", "replace")
