"""How much of a message is read before it is called malformed. Each bound is far above what AWS itself accepts."""

from __future__ import annotations

from replay_proxy.errors import MalformedMessage

PARSED_BYTES_MAX = 64 * 1024 * 1024
"""Bytes of a body that is parsed member by member (AWS's largest is 16 MB, BatchGetItem's answer)."""

NODES_MAX = 2_000_000
"""Elements, members and form fields of one message."""

DEPTH_MAX = 128
"""Levels of shapes within shapes (a DynamoDB item has 32 levels of maps, which are 64 of shapes)."""


def check_size(size: int, what: str) -> None:
    """Raise MalformedMessage where `size` bytes of `what` are more than is parsed."""
    if size > PARSED_BYTES_MAX:
        raise MalformedMessage(f"{what} has {size} bytes; more than {PARSED_BYTES_MAX} are not parsed")


def check_depth(depth: int) -> None:
    """Raise MalformedMessage where a value is nested more than `DEPTH_MAX` levels deep."""
    if depth > DEPTH_MAX:
        raise MalformedMessage(f"nested more than {DEPTH_MAX} levels deep")
