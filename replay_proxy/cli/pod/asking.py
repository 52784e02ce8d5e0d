"""Consent, before something is lost."""

from __future__ import annotations

import sys

from replay_proxy.errors import UsageError


def require_consent(question: str, *, yes: bool) -> None:
    """Go on where `yes` is said already, or somebody at the terminal says it now. Raises UsageError where nobody does."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is here to be asked", hint="say --yes; nothing was done")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError("nothing was done", hint="say --yes, or answer `y`")
