"""The scenario of each service, three restarts, and what became of it: the table of `docs/coverage.md`.

Run by `scripts/build-coverage EMULATOR...`, which writes the results into `coverage.json` beside this file, and the table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tests.support.scenarios  # noqa: F401 - the steps of all services
from tests.support.processes import EMULATORS, missing
from tests.support.read_back.comparison import RULES, Difference, is_time
from tests.support.scenarios.rehearsal import Rehearsal, named
from tests.support.scenarios.world import STEPS

RESULTS = Path(__file__).parent / "coverage.json"
PAGE = Path(__file__).parents[3] / "docs" / "coverage.md"
RESTARTS = 3
NAMES = ["orders", "queue", "db-primary-1"]
SHOWN_MAX = 3
KINDS = ("named", "silent", "times")
TOGETHER = 8
"""Services that share an emulator, each in an account of its own."""
APART_S = 1.1
"""Between two steps, so that their times can be told apart. A restore makes all of them within a second."""
NOT_RUNNING: dict[tuple[str, str], str] = {
    (
        "localstack",
        "dynamodb",
    ): "needs DynamoDB Local, which LocalStack downloads at its first use, and which could not be had "
    "where this was measured",
    (
        "localstack",
        "lambda",
    ): "needs Docker, which there was none of where this was measured: functions fail as they are made",
}
"""What an emulator offers, and what cannot be measured here: emulator and service, with the reason."""


@dataclass(frozen=True)
class Outcome:
    """What became of the scenario of one service.

    calls, refused: steps of the scenario that the emulator did, and did not do. reads: that showed something. named, silent:
    members that read otherwise after a restart, as `operation member`, told in the report or not. times: those of them that
    hold a point in time. not_running: why it could not be measured.
    """

    calls: int
    refused: int
    reads: int
    named: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    not_running: str = ""

    @property
    def verdict(self) -> str:
        if self.not_running:
            return f"not measured: {self.not_running}"
        if not self.calls:
            return "not offered"
        told = [("named", self.named), ("times", self.times), ("not named", self.silent)]
        parts = [f"{kind}: {_listed(members)}" for kind, members in told if members]
        return f"{self.reads}; {'; '.join(parts)}" if parts else f"equal ({self.reads})"


def _listed(members: tuple[str, ...]) -> str:
    more = len(members) - SHOWN_MAX
    return ", ".join(f"`{each}`" for each in members[:SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")


def measure(emulator: str, scratch: Path, services: tuple[str, ...], restarts: int = RESTARTS) -> dict[str, Outcome]:
    """Play the scenario of each service, restart, and compare what reads show with what they showed at first."""
    outcomes = {
        service: Outcome(0, 0, 0, not_running=reason)
        for service in services
        if (reason := NOT_RUNNING.get((emulator, service)))
    }
    services = tuple(service for service in services if service not in outcomes)
    rehearsal = Rehearsal(emulator, scratch)
    found: dict[str, dict[str, str]] = {service: {} for service in services}
    done: dict[str, list[bool]] = {}
    try:
        _play(rehearsal, services, done)
        for player, service in zip(rehearsal.players, services, strict=True):
            player.read([service])
        for _ in range(restarts):
            report = rehearsal.restart()
            for player, service in zip(rehearsal.players, services, strict=True):
                for each in player.differences():
                    if each.asked.service == service:
                        kind = (
                            "named"
                            if named(each, report, by_member=is_time(each))
                            else "times"
                            if is_time(each)
                            else "silent"
                        )
                        found[service][_member(each)] = max(kind, found[service].get(_member(each), ""))
        return outcomes | {
            service: Outcome(
                sum(done[service]),
                len(done[service]) - sum(done[service]),
                sum(
                    isinstance(answer, dict)
                    for asked, answer in player.state.answers.items()
                    if asked.service == service
                ),
                **{kind: tuple(sorted(key for key, of in found[service].items() if of == kind)) for kind in KINDS},
            )
            for player, service in zip(rehearsal.players, services, strict=True)
        }
    finally:
        rehearsal.end()


def _play(rehearsal: Rehearsal, services: tuple[str, ...], done: dict[str, list[bool]]) -> None:
    """Take the steps of all services side by side. done: is filled; of each service, which steps the emulator did."""
    steps = {service: [step for step in STEPS[service] if not step.ends] for service in services}
    worlds = {service: rehearsal.player(NAMES).world for service in services}
    done.update({service: [] for service in services})
    for number in range(max(map(len, steps.values()), default=0)):
        for service, world in worlds.items():
            if number < len(steps[service]):
                done[service].append(world.take(steps[service][number], (number, number + 1, number)))
        time.sleep(APART_S)


def _member(difference: Difference) -> str:
    return f"{difference.asked.operation} {difference.path.strip('.') or 'refused'}"


def load() -> dict[str, dict[str, Outcome]]:
    """The results of the last measurements, by emulator and service."""
    raw: Mapping[str, Mapping[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return {
        emulator: {
            service: Outcome(
                **{name: tuple(value) if isinstance(value, list) else value for name, value in each.items()}
            )
            for service, each in outcomes.items()
        }
        for emulator, outcomes in raw.items()
    }


def save(results: Mapping[str, Mapping[str, Outcome]]) -> None:
    """Write the results and the table."""
    raw = {
        emulator: {service: vars(results[emulator][service]) for service in sorted(results[emulator])}
        for emulator in sorted(results)
    }
    RESULTS.write_text(json.dumps(raw, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(results))


def page(results: Mapping[str, Mapping[str, Outcome]]) -> str:
    """`docs/coverage.md`."""
    emulators = [name for name in EMULATORS if name in results]
    services = sorted({service for each in results.values() for service in each})
    lines = [
        "# Coverage",
        "",
        "Written by `scripts/build-coverage` from what it measured; do not edit it by hand.",
        "",
        "For each service one scenario (`tests/support/scenarios/`): create, refer to each other, change, each step a second",
        "after the one before. Everything that the models offer to read is read through the proxy. Then proxy and emulator are",
        "killed and started again, three times, and the same reads are made with the same identifiers.",
        "",
        "- *equal (n)*: n reads showed something, and the same after each restart.",
        "- *named*: what differs is named by the report of the restore.",
        "- *times*: points in time that the emulator made up by itself, and that are those of the restart (README, *What does",
        "  not come back*).",
        "- *not named*: what differs, and the report does not say so.",
        "- *not offered*: the emulator refuses all of it.",
        "- *not measured*: the emulator offers it, and it does not run where this was measured, for the reason that is given.",
        "",
        f"| service | {' | '.join(emulators)} |",
        f"| {' | '.join('--' for _ in range(len(emulators) + 1))} |",
    ]
    for service in services:
        cells = [results[name][service].verdict if service in results[name] else "not measured" for name in emulators]
        lines.append(f"| {service} | {' | '.join(cells)} |")
    lines += ["", "Not compared:", ""]
    lines += [f"- `{each.member.replace('|', ', ')}` in `{each.read}`: {each.reason}" for each in RULES]
    counts = Counter(_kind(each) for name in emulators for each in results[name].values())
    lines += ["", f"In all: {', '.join(f'{count} {kind}' for kind, count in sorted(counts.items()))}.", ""]
    return "\n".join(lines)


def _kind(outcome: Outcome) -> str:
    if outcome.not_running:
        return "not measured"
    if not outcome.calls:
        return "not offered"
    if outcome.silent:
        return "with silent differences"
    return "with named differences" if outcome.named else "equal but for times" if outcome.times else "equal"


def main() -> None:
    """Measure the emulators and services that the command line names, all where it names none."""
    parser = argparse.ArgumentParser()
    parser.add_argument("emulators", nargs="*")
    parser.add_argument("--services", default=",".join(STEPS))
    arguments = parser.parse_args()
    results = load()
    for emulator in arguments.emulators or EMULATORS:
        if reason := missing(emulator):
            print(f"{emulator}: {reason}")
            continue
        names = tuple(arguments.services.split(","))
        for start in range(0, len(names), TOGETHER):
            services = names[start : start + TOGETHER]
            with tempfile.TemporaryDirectory() as scratch:
                measured = measure(emulator, Path(scratch), services)
            results[emulator] = {**results.get(emulator, {}), **measured}
            save(results)
            for service, outcome in measured.items():
                print(f"{emulator} {service}: {outcome.verdict}, {outcome.refused} steps refused", flush=True)


if __name__ == "__main__":
    main()
