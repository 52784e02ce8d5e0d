"""The tables behind `judge`: what is in `data/mutability_*.json`, read once and indexed by service and operation.

mutability_<subject>.json   the hand-checked tables, one file a group of services. `services` maps a service to its
                            entries; an entry names operations and gives an effect, a kind, or both. `reason` is the
                            reason of the effect, or of the kind where there is no effect; an entry with both has
                            `kind_reason`, too.
                            Every operation of such a service has been looked at (it counts as *reviewed*), also
                            those that have no entry because the general rules are right about them.
mutability_others.json      the same for single operations of services that nobody has reviewed as a whole.
mutability_verbs.json       what the first word of an operation says.
mutability_models.json      facts taken out of the service models, so that no model must be loaded to judge a call:
                            written by `scripts/build-mutability`, compared with the installed models by a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

DATA = Path(__file__).parent / "data"
_NOT_TABLES = {"mutability_verbs.json", "mutability_models.json"}
_UNREVIEWED = "mutability_others.json"

# The first word of a CamelCase name: `Get` of `GetItem`, `AWS` of `AWSThing`, `Re` of `ReEncrypt`.
_FIRST_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z0-9]*|[A-Z]+|[a-z0-9]+")


class Effect(StrEnum):
    """What a call does to the state of the emulator, as far as a client can see it after a restart.

    MUTATES: something can be read afterwards that could not be read before, or no longer; it must be recorded.
    READS: changes nothing, and the answer follows from the state; it may be asked again to compare.
    TRANSIENT: neither. It changes nothing that outlives a restart, and its answer is a new one each time (a token, a
        ciphertext, a message made invisible for a while): not worth repeating, and nothing to compare.
    """

    MUTATES = "mutates"
    READS = "reads"
    TRANSIENT = "transient"


class StateKind(StrEnum):
    """What a mutating operation writes: resources and their settings, or what users put into them."""

    INFRASTRUCTURE = "infrastructure"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a hand-checked table says of one operation, each with its reason. None: left to the general rules."""

    effect: Effect | None = None
    reason: str = ""
    kind: StateKind | None = None
    kind_reason: str = ""


@dataclass(frozen=True, slots=True)
class Verb:
    """What an operation's first word says; `reason` is complete."""

    effect: Effect
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the models say.

    readonly: by service, the operations that carry the trait `readonly` (Smithy's `smithy.api#readonly`).
    safe_method: by service, the operations sent with GET or HEAD about which no verb says anything.
    dry_run: the services in which some operation has a member `DryRun`.
    gives_credentials: by service, the operations whose answer is an access key with its secret.
    """

    readonly: dict[str, frozenset[str]] = field(default_factory=dict)
    safe_method: dict[str, frozenset[str]] = field(default_factory=dict)
    dry_run: frozenset[str] = frozenset()
    gives_credentials: dict[str, frozenset[str]] = field(default_factory=dict)


def table_files() -> list[Path]:
    """Return the files of hand-checked entries, sorted by name."""
    return sorted(path for path in DATA.glob("mutability_*.json") if path.name not in _NOT_TABLES)


@lru_cache(maxsize=1)
def entries() -> dict[tuple[str, str], Entry]:
    """Return every hand-checked entry by (service, operation). Raises ValueError where a table contradicts itself."""
    found: dict[tuple[str, str], Entry] = {}
    for path in table_files():
        for service, written in _read(path)["services"].items():
            for entry, operation in _expand(written):
                if (service, operation) in found:
                    raise ValueError(f"{path.name}: {service}:{operation} has two entries")
                found[service, operation] = entry
    return found


@lru_cache(maxsize=1)
def reviewed_services() -> frozenset[str]:
    """Return the services of which every operation was looked at by hand."""
    return frozenset(
        service for path in table_files() if path.name != _UNREVIEWED for service in _read(path)["services"]
    )


@lru_cache(maxsize=1)
def verbs() -> dict[str, Verb]:
    """Return what each known first word of an operation says."""
    return {
        verb: Verb(Effect[group["effect"]], group["reason"].format(verb=verb))
        for group in _read(DATA / "mutability_verbs.json")["verbs"]
        for verb in group["verbs"]
    }


@lru_cache(maxsize=1)
def facts() -> Facts:
    """Return the facts of the generated file about all models."""
    written = _read(DATA / "mutability_models.json")
    return Facts(
        readonly={service: frozenset(names) for service, names in written["readonly"].items()},
        safe_method={service: frozenset(names) for service, names in written["safe_method"].items()},
        dry_run=frozenset(written["dry_run"]),
        gives_credentials={service: frozenset(names) for service, names in written["gives_credentials"].items()},
    )


def leading_verb(operation: str) -> str:
    """Return the word that says what an operation does: `Get` for `GetItem`, `BatchGetItem` and `AdminGetUser`."""
    words = _FIRST_WORD.findall(operation)
    for word in words:
        if word not in _prefixes():
            return str(word)
    return ""


@lru_cache(maxsize=1)
def _prefixes() -> frozenset[str]:
    return frozenset(_read(DATA / "mutability_verbs.json")["prefixes"])


def _expand(written: list[dict[str, Any]]) -> Iterator[tuple[Entry, str]]:
    for item in written:
        effect = Effect[item["effect"]] if "effect" in item else None
        kind = StateKind(item["kind"]) if "kind" in item else None
        if effect is not None and kind is not None:
            entry = Entry(effect, item["reason"], kind, item["kind_reason"])
        elif kind is not None:
            entry = Entry(kind=kind, kind_reason=item["reason"])
        else:
            entry = Entry(effect, item["reason"])
        for operation in item["operations"]:
            yield entry, operation


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = orjson.loads(path.read_bytes())
    return content
