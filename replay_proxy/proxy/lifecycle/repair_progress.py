"""How far a repair of the doctor has come."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class RepairProgress:
    """How far a repair has come, for whoever ends it before its end, and wants to know.

    planned: the calls that it has found to be needed. made: of each that was made its number, its name, and why it was refused.
    """

    running: bool = True
    planned: int = 0
    made: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return it for the endpoint."""
        return asdict(self)
