"""The model of a recording, or of a moment in it."""

from __future__ import annotations

from collections.abc import Iterable

from replay_proxy.journal.format.records import ControlRecord, Record
from replay_proxy.replay.recorded_call import BlobLoader
from replay_proxy.resources.folding.model import ResourceModel


def build_model(
    items: Iterable[Record | ControlRecord], load: BlobLoader, *, through_seq: int = 0, through_time: str = ""
) -> ResourceModel:
    """Return the resources of a recording after all of its calls, or after a moment.

    items: the records and control records that are in effect, in order. load: reads a body that lies in a blob.
    through_seq: the number of the last record that counts; 0 for all. through_time: the same by time, as records write it.
    Raises as the iteration of `items`.
    """
    model = ResourceModel(load)
    for item in items:
        if through_seq and item.seq > through_seq:
            break
        if through_time and item.time and item.time > through_time:
            continue
        model.see(item)
    return model
