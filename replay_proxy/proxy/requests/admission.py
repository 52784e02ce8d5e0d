"""What the gate asks a restore in parts: which services may be used already."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol


class ServiceAdmission(Protocol):
    """A restore in parts that is under way, while requests pass."""

    def admits(self, services: Collection[str] | None) -> bool:
        """Return whether a request may pass that needs these services (None: all of them).

        Under the load strategy ON_REQUEST this also asks for those that are missing.
        """

    def outlines(self, services: Collection[str]) -> bool | None:
        """Return whether it is known which resources these services have. Under ON_REQUEST this also asks for that.

        None where the question has no answer: the services are asked for as a whole, or their resources cannot be told
        without replaying all of their calls.
        """
