"""What a restore has learned about an emulator, and what holds until that ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from replay_proxy.identifiers.aliases import AliasTable
from replay_proxy.identifiers.times import Times
from replay_proxy.replay.keyring import Keyring


@dataclass(frozen=True, slots=True)
class Knowledge:
    """aliases: which identifier stands for which. keyring: the secrets of its access keys. times: when things were made."""

    aliases: AliasTable = field(default_factory=AliasTable)
    keyring: Keyring = field(default_factory=Keyring)
    times: Times = field(default_factory=Times)
