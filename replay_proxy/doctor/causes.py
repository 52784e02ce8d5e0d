"""The likely cause of a finding, in words that people search for."""

from __future__ import annotations

from typing import Final

_BY_WORD: Final = (
    ("AccessDenied", "access denied: no policy of the target allows it"),
    ("Unauthorized", "access denied: the emulator refuses these credentials"),
    ("InvalidArn", "invalid ARN: it names another account or region than the emulator's"),
    ("InvalidParameter", "the emulator takes the recorded value for invalid"),
    ("Internal", "internal failure of the emulator"),
)
"""By a word in the answer."""
_FAILED: Final = ("fail", "rollback", "error", "impaired")

OF_CHANGE: Final = "it was changed past the proxy, or was not restored"
OF_NOT_KEPT: Final = "this emulator may not keep what it was given"
OF_SWITCH: Final = "it was switched off past the proxy, or was not restored"
OF_NUMBERED: Final = (
    "made again, it would have another number: restart the emulator, and the restore makes it with this one"
)
OF_STACK_MEMBER: Final = "a resource of the stack is not there: delete the stack and create it again, or update it"


def of_absence(noun: str, answer: str, *, made_here: bool) -> str:
    """Return why a resource may not be there. answer: what the emulator said. made_here: a recorded call made it."""
    for word, cause in _BY_WORD:
        if word in answer:
            return cause
    if not made_here:
        return f"{noun} not found: something else made it by itself, and has not made it again"
    return f"{noun} not found: it was deleted past the proxy, or was not restored"


def of_lost_link(member: str, target: str, *, empty: bool) -> str:
    """Return why a link may be lost. empty: nothing is set there at all."""
    if empty:
        return f"{member} is not set any more: it was removed past the proxy, or was not restored"
    return f"{member} does not name {target}: it was changed past the proxy, or was not restored"


def of_state(status: str) -> tuple[str, bool]:
    """Return why a resource cannot be used in a state, and whether that is a failure: else it may be on its way."""
    if any(word in status.lower() for word in _FAILED):
        return f"it was made, and failed ({status})", True
    return f"created but not active ({status})", False
