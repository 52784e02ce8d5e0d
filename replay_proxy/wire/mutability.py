"""Does a call change state? For every operation of every service, with the reason why it is judged so.

Two questions decide about a call: is something different afterwards that a client can read, and does the difference
outlive a restart? Yes to both is MUTATES, no to the first is READS. What remains, together with calls whose answer is
a new one each time (tokens, ciphertexts, signed addresses), is TRANSIENT: it would help nobody to repeat it.
*Effects* that the emulator produces by itself (a topic fanning out, a function that runs) do not make a call mutating:
what they write through the proxy is recorded as calls of their own, and they are not fired again.

Four layers are asked, and the first that has an answer gives it:

1. TABLE: entries that somebody wrote after looking at the operation (`mutability_tables`).
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
from replay_proxy.wire import mutability_tables as tables
from replay_proxy.wire.mutability_requests import look_into
from replay_proxy.wire.mutability_tables import Effect, Kind, reviewed_services

__all__ = [
    "Effect",
    "Kind",
    "KindVerdict",
    "Layer",
    "Verdict",
    "is_data",
    "judge",
    "judge_call",
    "kind",
    "reviewed_services",
]


class Layer(StrEnum):
    """Who decided."""

    REQUEST = "request"
    TABLE = "table"
    TRAIT = "trait"
    VERB = "verb"
    METHOD = "method"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call does to the state, why it is judged so, and by which layer."""

    effect: Effect
    reason: str
    layer: Layer

    @property
    def mutates(self) -> bool:
        return self.effect is Effect.MUTATES


@dataclass(frozen=True, slots=True)
class KindVerdict:
    """What a mutating operation writes, and why it is counted so."""

    kind: Kind
    reason: str


@lru_cache(maxsize=32768)
def judge(service: str, operation: str) -> Verdict:
    """What `operation` (`CreateQueue`) of botocore's service `service` (`sqs`) does. Unknown names are no error."""
    entry = tables.entries().get((service, operation))
    if entry is not None and entry.effect is not None:
        return Verdict(entry.effect, entry.reason, Layer.TABLE)
    facts = tables.facts()
    if operation in facts.readonly.get(service, ()):
        return Verdict(Effect.READS, "the service model declares it read-only", Layer.TRAIT)
    word = tables.leading_verb(operation)
    verb = tables.verbs().get(word)
    if verb is not None:
        return Verdict(verb.effect, verb.reason, Layer.VERB)
    if operation in facts.safe_method.get(service, ()):
        return Verdict(
            Effect.READS, "sent with GET, which HTTP calls safe, and its name says nothing else", Layer.METHOD
        )
    return Verdict(
        Effect.MUTATES,
        f"nothing is known about `{word or operation}`, and unknown is recorded",
        Layer.UNKNOWN,
    )


def judge_call(head: CallHead, request: Request) -> Verdict:
    """What this very call does: as `judge`, after a look into the request where it depends on it. Raises nothing."""
    verdict = judge(head.service, head.operation)
    if verdict.effect is Effect.READS:
        return verdict
    seen = look_into(head, request, dry_run_possible=head.service in tables.facts().dry_run)
    return verdict if seen is None else Verdict(seen.effect, seen.reason, Layer.REQUEST)


@lru_cache(maxsize=32768)
def kind(service: str, operation: str) -> KindVerdict:
    """Whether a mutating operation writes infrastructure or data; infrastructure where nothing else is known."""
    entry = tables.entries().get((service, operation))
    if entry is not None and entry.kind is not None:
        return KindVerdict(entry.kind, entry.reason)
    if service in reviewed_services():
        return KindVerdict(Kind.INFRASTRUCTURE, "a resource, its settings or its links")
    return KindVerdict(Kind.INFRASTRUCTURE, "nothing says that it is data, and infrastructure is always kept")


def is_data(service: str, operation: str) -> bool:
    """Whether a mutating operation writes data (objects, items, messages, records, runs) and not infrastructure."""
    return kind(service, operation).kind is Kind.DATA
