"""How much of a message is read before it is called malformed. Each bound is far above what AWS itself accepts."""

from __future__ import annotations

from replay_proxy.errors import MalformedMessage

MAX_STRUCTURED_BODY = 64 * 1024 * 1024
"""Bytes of a body that is parsed member by member (AWS's largest is 16 MB, BatchGetItem's answer)."""

MAX_NODES = 2_000_000
"""Elements, members and form fields of one message."""

MAX_DEPTH = 128
"""Levels of shapes within shapes (a DynamoDB item has 32 levels of maps, which are 64 of shapes)."""


def check_size(size: int, what: str) -> None:
    """Raises MalformedMessage where `size` bytes of `what` are more than is parsed."""
    if size > MAX_STRUCTURED_BODY:
        raise MalformedMessage(f"{what} has {size} bytes; more than {MAX_STRUCTURED_BODY} are not parsed")


def check_depth(depth: int) -> None:
    """Raises MalformedMessage where a value is nested more than `MAX_DEPTH` levels deep."""
    if depth > MAX_DEPTH:
        raise MalformedMessage(f"nested more than {MAX_DEPTH} levels deep")
