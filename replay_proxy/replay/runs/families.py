"""The kinds of runs that are known, as data (`data/runs.json`, which says what its members mean)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

_DATA = Path(__file__).parent / "data" / "runs.json"
AGAIN, HARMLESS = "again", "harmless"
_PLACEHOLDER_ID, _PLACEHOLDER_EACH, _PLACEHOLDER_LAST, _PLACEHOLDER_REQUEST = "{id}", "{each}", "{last}", "{request."


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of runs.

    starts: by operation, where its identifiers and views stand. details, lists, ids: further reads, as the file has them.
    unended: what becomes of a run that had not ended (`again`, `harmless`, or empty). repeats_mutations: a start that changes
    state itself, as a statement does, is repeated.
    """

    service: str
    starts: Mapping[str, Mapping[str, str]]
    steers: frozenset[str]
    unnamed: frozenset[str]
    ended: frozenset[str]
    unended: str
    repeats_mutations: bool
    describe: Mapping[str, Any]
    details: tuple[Mapping[str, Any], ...]
    lists: Mapping[str, Mapping[str, Any]]
    ids: Mapping[str, Mapping[str, Any]]
    synthesis: Mapping[str, str]

    def started(self, operation: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> list[str]:
        """Return the identifiers of the runs that a call has started."""
        start = self.starts[operation]
        source = params if start.get("in") == "request" else answer
        return [text for text in values_at(source, start["id"]) if isinstance(text, str) and text]

    def views_shown(self, operation: str, answer: Mapping[str, Any]) -> list[Any]:
        """Return the runs themselves, as the answer to their start shows them; none where it shows identifiers only."""
        path = self.starts[operation].get("view")
        return [] if path is None else list(values_at(answer, path))

    def status_of(self, view: Mapping[str, Any]) -> str:
        """Return the status that a view of a run shows; empty where it shows none."""
        found = next(values_at(view, self.describe["status"]), "")
        return found if isinstance(found, str) else ""

    def has_ended(self, view: Mapping[str, Any]) -> bool:
        """Return whether nothing happens to a run any more."""
        return self.status_of(view) in self.ended


@lru_cache(maxsize=1)
def families() -> tuple[Family, ...]:
    """Return all kinds of runs."""
    document = orjson.loads(_DATA.read_bytes())
    return tuple(
        Family(
            each["service"],
            each["starts"],
            frozenset(each.get("steers", ())),
            frozenset(each.get("unnamed", ())),
            frozenset(each["ended"]),
            each.get("unended", ""),
            each.get("mutations") == AGAIN,
            each["describe"],
            tuple(each.get("details", ())),
            {read["operation"]: read for read in each.get("lists", ())},
            {read["operation"]: read for read in each.get("ids", ())},
            each.get("synthesis", {}),
        )
        for each in document["families"]
    )


@lru_cache(maxsize=1)
def _by_operation() -> Mapping[tuple[str, str], tuple[Family, str]]:
    found: dict[tuple[str, str], tuple[Family, str]] = {}
    for family in families():
        roles = [
            ("start", family.starts),
            ("steer", family.steers),
            ("unnamed", family.unnamed),
            ("read", (family.describe["operation"], *(each["operation"] for each in family.details))),
            ("read", (*family.lists, *family.ids)),
        ]
        for role, operations in roles:
            for operation in operations:
                found.setdefault((family.service, operation), (family, role))
    return found


@lru_cache(maxsize=1)
def services_with_runs() -> frozenset[str]:
    """Return the services that have runs."""
    return frozenset(family.service for family in families())


def role_of(service: str, operation: str) -> tuple[Family, str] | None:
    """Return what an operation has to do with runs: their kind, and `start`, `steer`, `unnamed` or `read`."""
    return _by_operation().get((service, operation))


def values_at(value: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a path such as `tasks[].taskArn`; the value itself for an empty path."""
    if not path:
        yield value
        return
    name, _, rest = path.partition(".")
    inside = value.get(name.removesuffix("[]")) if isinstance(value, Mapping) else None
    if name.endswith("[]"):
        for each in inside if isinstance(inside, list) else ():
            yield from values_at(each, rest)
    elif inside is not None:
        yield from values_at(inside, rest)


def put_at(view: Any, path: str) -> dict[str, Any]:
    """Return an answer that shows a view at a path, as `values_at` finds it."""
    if not path:
        return dict(view)
    name, _, rest = path.partition(".")
    inside = put_at(view, rest) if rest else view
    return {name.removesuffix("[]"): [inside] if name.endswith("[]") else inside}


def filled(template: Any, run: str, params: Mapping[str, Any], each: str = "") -> Any:
    """Return a template of the file with the identifier of a run and the parameters of its start put in; None for nothing."""
    if isinstance(template, list):
        return [filled(entry, run, params, each) for entry in template]
    if isinstance(template, Mapping):
        made = {name: filled(entry, run, params, each) for name, entry in template.items()}
        return {name: entry for name, entry in made.items() if entry is not None}
    if not isinstance(template, str):
        return template
    if template.startswith(_PLACEHOLDER_REQUEST):
        return params.get(template[len(_PLACEHOLDER_REQUEST) : -1])
    last = run.replace("/", ":").rpartition(":")[2]
    texts = {_PLACEHOLDER_ID: run, _PLACEHOLDER_EACH: each, _PLACEHOLDER_LAST: last}
    return texts.get(template, template)
