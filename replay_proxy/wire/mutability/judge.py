"""Does a call change state? For every operation of every service, with the reason why it is judged so.

Two questions decide about a call: is something different afterwards that a client can read, and does the difference
outlive a restart? Yes to both is MUTATES, no to the first is READS. What remains, together with calls whose answer is
a new one each time (tokens, ciphertexts, signed addresses), is TRANSIENT: it would help nobody to repeat it.
*Effects* that the emulator produces by itself (a topic fanning out, a function that runs) do not make a call mutating:
what they write through the proxy is recorded as calls of their own, and they are not fired again.

Calls that give credentials (AssumeRole, GetSessionToken, CreateAccessKey) are MUTATES, also where they only "get" them: from
then on the emulator knows the access key, and by it the account for which later calls are meant. The models tell them, by
their answers.

For all other calls four layers are asked, and the first that has an answer gives it:

1. TABLE: entries that somebody wrote after looking at the operation (`tables`).
2. TRAIT: the model says `readonly`. botocore carries that trait for about a third of the services only, so that its
   absence says nothing; where it is set and wrong, a table entry says so.
3. VERB: the operation's first word, and, where no verb says anything, HTTP's own promise that GET and HEAD are safe
   (RFC 9110, section 9.2.1).
4. UNKNOWN: counts as mutating. To record too much costs time at a restore, to record too little costs state.

For some operations the answer depends on the request (PartiQL, SQL, a dry run): `judge_call` looks into it, and goes
back to what the operation alone says where the request cannot be read with certainty.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from replay_proxy.exchange import CallHead, Request
from replay_proxy.wire.mutability import tables
from replay_proxy.wire.mutability.by_request import effect_of_request
from replay_proxy.wire.mutability.tables import Effect, StateKind, reviewed_services

__all__ = [
    "Effect",
    "Judgement",
    "JudgementSource",
    "KindJudgement",
    "StateKind",
    "gives_credentials",
    "is_data",
    "judge",
    "judge_call",
    "kind",
    "reviewed_services",
]


class JudgementSource(StrEnum):
    """Which layer decided about a call; the module's docstring explains them."""

    REQUEST = "request"
    ANSWER = "answer"
    TABLE = "table"
    TRAIT = "trait"
    VERB = "verb"
    METHOD = "method"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a call does to the state, why it is judged so, and by which layer."""

    effect: Effect
    reason: str
    layer: JudgementSource

    @property
    def mutates(self) -> bool:
        """Return whether the call must be recorded."""
        return self.effect is Effect.MUTATES


@dataclass(frozen=True, slots=True)
class KindJudgement:
    """What a mutating operation writes, and why it is counted so."""

    kind: StateKind
    reason: str


@lru_cache(maxsize=32768)
def judge(service: str, operation: str) -> Judgement:
    """Return what `operation` (`CreateQueue`) of botocore's service `service` (`sqs`) does, if no request is looked at.

    Names that no model has are judged, too.
    """
    if gives_credentials(service, operation):
        return Judgement(
            Effect.MUTATES,
            "gives credentials: the emulator knows the access key from then on, and the account that it stands for",
            JudgementSource.ANSWER,
        )
    entry = tables.entries().get((service, operation))
    if entry is not None and entry.effect is not None:
        return Judgement(entry.effect, entry.reason, JudgementSource.TABLE)
    facts = tables.facts()
    if operation in facts.readonly.get(service, ()):
        return Judgement(Effect.READS, "the service model declares it read-only", JudgementSource.TRAIT)
    word = tables.leading_verb(operation)
    verb = tables.verbs().get(word)
    if verb is not None:
        return Judgement(verb.effect, verb.reason, JudgementSource.VERB)
    if operation in facts.safe_method.get(service, ()):
        return Judgement(
            Effect.READS, "sent with GET, which HTTP calls safe, and its name says nothing else", JudgementSource.METHOD
        )
    return Judgement(
        Effect.MUTATES,
        f"nothing is known about `{word or operation}`, and unknown is recorded",
        JudgementSource.UNKNOWN,
    )


def gives_credentials(service: str, operation: str) -> bool:
    """Return whether the answer of `operation` is an access key with its secret, by the service's model."""
    return operation in tables.facts().gives_credentials.get(service, ())


def judge_call(head: CallHead, request: Request) -> Judgement:
    """Return what a call does: by its request where that decides, else as `judge` says. Never raises."""
    verdict = judge(head.service, head.operation)
    if verdict.effect is Effect.READS:
        return verdict
    found = effect_of_request(head, request, dry_run_possible=head.service in tables.facts().dry_run)
    return verdict if found is None else Judgement(found.effect, found.reason, JudgementSource.REQUEST)


@lru_cache(maxsize=32768)
def kind(service: str, operation: str) -> KindJudgement:
    """Return whether a mutating operation writes infrastructure or data; infrastructure where nothing else is known."""
    entry = tables.entries().get((service, operation))
    if entry is not None and entry.kind is not None:
        return KindJudgement(entry.kind, entry.kind_reason)
    if service in reviewed_services():
        return KindJudgement(StateKind.INFRASTRUCTURE, "a resource, its settings or its links")
    return KindJudgement(StateKind.INFRASTRUCTURE, "nothing says that it is data, and infrastructure is always kept")


def is_data(service: str, operation: str) -> bool:
    """Return whether a mutating operation writes data (objects, items, messages, records, runs) and not infrastructure."""
    return kind(service, operation).kind is StateKind.DATA
