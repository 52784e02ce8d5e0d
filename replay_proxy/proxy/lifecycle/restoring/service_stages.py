"""How far each service of a restore in parts has come, and what requests have asked of it.

    WAITING ──► RESTORING ──► RESTORED

| stage | requests that need the service | the restore |
|---|---|---|
| WAITING | wait, and ask for it by that (under MANUAL: pass, unless somebody asked) | may outline it; asked ones come first |
| RESTORING | wait | replays its calls; services that are asked for meanwhile go before |
| RESTORED | pass | is done with it; its calls are not replayed again |

While a service is WAITING, a request may ask only which resources it has. Then its creations alone are replayed (an outline):

    UNWANTED ──► WANTED ──► MADE, or IMPOSSIBLE where that cannot be told without all of its calls
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum


class Stage(StrEnum):
    """How far a service has come."""

    WAITING = "waiting"
    RESTORING = "restoring"
    RESTORED = "restored"


class Outline(StrEnum):
    """Whether the resources of a service that is WAITING are known."""

    UNWANTED = "unwanted"
    WANTED = "wanted"
    MADE = "made"
    IMPOSSIBLE = "impossible"


TRANSITIONS = {
    Stage.WAITING: frozenset({Stage.RESTORING}),
    Stage.RESTORING: frozenset({Stage.RESTORED}),
    Stage.RESTORED: frozenset[Stage](),
}
"""The stages that may follow each stage. A stage may be entered anew."""

OUTLINE_TRANSITIONS = {
    Outline.UNWANTED: frozenset({Outline.WANTED}),
    Outline.WANTED: frozenset({Outline.MADE, Outline.IMPOSSIBLE}),
    Outline.MADE: frozenset[Outline](),
    Outline.IMPOSSIBLE: frozenset[Outline](),
}
"""As `TRANSITIONS`, of outlines."""


class ServiceStages:
    """The stage and the outline of each service of which anything is recorded, and which were asked for.

    restored: those that were back before this restore began.
    """

    def __init__(self, services: Iterable[str], restored: Collection[str] = ()) -> None:
        names = sorted(services)
        self._stages = {name: Stage.RESTORED if name in restored else Stage.WAITING for name in names}
        self._outlines = dict.fromkeys(names, Outline.UNWANTED)
        self._asked: set[str] = set()

    def __repr__(self) -> str:
        shown = (f"{stage.value}: {', '.join(sorted(self.at(stage))) or 'none'}" for stage in Stage)
        return f"<ServiceStages {'; '.join(shown)}>"

    def stage(self, service: str) -> Stage:
        """Return how far a service has come; one of which nothing is recorded is restored."""
        return self._stages.get(service, Stage.RESTORED)

    def at(self, stage: Stage) -> set[str]:
        """Return the services that are in this stage."""
        return {service for service, at in self._stages.items() if at is stage}

    @property
    def are_complete(self) -> bool:
        """Is every service restored?"""
        return all(stage is Stage.RESTORED for stage in self._stages.values())

    def known(self, services: Collection[str] | None) -> set[str]:
        """Return those of `services` (None: of all) of which anything is recorded."""
        return set(self._stages) if services is None else {service for service in services if service in self._stages}

    def missing(self, services: Collection[str] | None) -> set[str]:
        """Return those of `services` (None: of all) that are not restored."""
        return {each for each in self.known(services) if self._stages[each] is not Stage.RESTORED}

    def enter(self, services: Collection[str], stage: Stage) -> None:
        """Move services to a stage.

        Raises:
            RuntimeError: it may not follow the present one (`TRANSITIONS`), a fault of this program.
        """
        for service in services:
            now = self._stages[service]
            if stage is not now and stage not in TRANSITIONS[now]:
                raise RuntimeError(f"{service} cannot go from {now.value} to {stage.value}")
            self._stages[service] = stage

    def ask(self, services: Collection[str]) -> bool:
        """Note that these services are to be restored soon. Return whether that is news."""
        news = not set(services) <= self._asked
        self._asked |= set(services)
        return news

    @property
    def asked(self) -> set[str]:
        """The services that were asked for and are WAITING."""
        return self.at(Stage.WAITING) & self._asked

    def is_coming(self, service: str) -> bool:
        """Is a service being restored, or will it be because somebody asked for it?"""
        stage = self._stages[service]
        return stage is Stage.RESTORING or (stage is Stage.WAITING and service in self._asked)

    def outline(self, service: str) -> Outline:
        """Return whether the resources of a service are known."""
        return self._outlines[service]

    def enter_outline(self, services: Collection[str], outline: Outline) -> None:
        """Move the outline of services. Raises as `enter` (`OUTLINE_TRANSITIONS`)."""
        for service in services:
            now = self._outlines[service]
            if outline is not now and outline not in OUTLINE_TRANSITIONS[now]:
                raise RuntimeError(f"the outline of {service} cannot go from {now.value} to {outline.value}")
            self._outlines[service] = outline

    @property
    def outlines_wanted(self) -> set[str]:
        """The WAITING services whose outline is WANTED."""
        return {each for each in self.at(Stage.WAITING) if self._outlines[each] is Outline.WANTED}

    def can_outline(self, services: Collection[str]) -> bool:
        """Return whether outlines of these services help: each is WAITING, not asked for as a whole, and can be outlined."""
        return all(
            self._stages[each] is Stage.WAITING
            and each not in self._asked
            and self._outlines[each] is not Outline.IMPOSSIBLE
            for each in services
        )
