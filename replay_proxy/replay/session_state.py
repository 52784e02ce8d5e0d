"""What a restore has learned about an emulator, and what holds until that ends."""

from __future__ import annotations

from dataclasses import dataclass, field

from replay_proxy.identifiers.rewriting.times.rewrite import Times
from replay_proxy.identifiers.rewriting.user_pools.client_secrets import ClientSecrets
from replay_proxy.identifiers.table.alias_table import AliasTable
from replay_proxy.replay.access_keys import AccessKeys
from replay_proxy.replay.issued.stand_ins import StandIns
from replay_proxy.replay.resting_trigger import RestingTrigger
from replay_proxy.replay.runs.changes import FinishedChanges
from replay_proxy.replay.runs.recorded_runs import RecordedRuns
from replay_proxy.replay.start_positions import StartPositions


@dataclass(frozen=True, slots=True)
class SessionState:
    """What was learned.

    aliases: which identifier stands for which. access_keys: the secrets of the emulator's access keys. times: when things were
    made at first. client_secrets: those of user pool clients. stand_ins: the values of today for those that
    were given out before; not saved, since each can be made again. runs: executions and jobs that were not started again.
    changes: what calls had begun that were not made again. start_positions: of mappings that begin behind what was restored.
    resting: triggers of stacks that wait until a later part of the restore has put back what would set them off.
    """

    aliases: AliasTable = field(default_factory=AliasTable)
    access_keys: AccessKeys = field(default_factory=AccessKeys)
    times: Times = field(default_factory=Times)
    client_secrets: ClientSecrets = field(default_factory=ClientSecrets)
    stand_ins: StandIns = field(default_factory=StandIns)
    runs: RecordedRuns = field(default_factory=RecordedRuns)
    changes: FinishedChanges = field(default_factory=FinishedChanges)
    start_positions: StartPositions = field(default_factory=StartPositions)
    resting: list[RestingTrigger] = field(default_factory=list)
