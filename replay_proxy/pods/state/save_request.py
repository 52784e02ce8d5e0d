"""What is asked of a save, and what it says afterwards."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from replay_proxy.errors import UsageError
from replay_proxy.pods.names import check_name

MESSAGE_CHARACTERS_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """What is to be saved. services: none for all. emulator: which one holds the state; empty for that of the recording.

    parent: the digest of the version before; empty for the latest one of the store that it is saved into.
    """

    name: str
    message: str = ""
    author: str = ""
    services: tuple[str, ...] = ()
    emulator: str = ""
    redact: bool = False
    parent: str = ""

    def checked(self) -> SaveRequest:
        """Return this. Raises UsageError where it cannot be saved so."""
        check_name(self.name)
        if len(self.message) > MESSAGE_CHARACTERS_MAX:
            raise UsageError(
                f"the message has {len(self.message)} characters", hint=f"write at most {MESSAGE_CHARACTERS_MAX}"
            )
        return self


@dataclass(slots=True)
class SaveReport:
    """What was saved. left_out: calls that were not, by reason. redacted: by `service:operation:member`. size: of all layers.

    new_bytes: of layers that the store did not have before.
    """

    name: str
    version: int = 0
    digest: str = ""
    state: str = ""
    calls: int = 0
    resources: int = 0
    services: list[str] = field(default_factory=list)
    size: int = 0
    new_bytes: int = 0
    redacted: dict[str, int] = field(default_factory=dict)
    not_judged: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return asdict(self)
