"""The half of a background compaction that takes long: reading, deciding, writing. A process of its own.

It costs the proxy neither latency nor memory, and its memory is gone when it ends. Told a data directory and the length of
the journal to look at, it prints its report as one JSON object. It has the lowest priority, and ends with its parent.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import orjson

from replay_proxy.errors import ReplayProxyError
from replay_proxy.journal.storage.files import Files
from replay_proxy.priority import give_way
from replay_proxy.replay.planning.compact_recording import stage_compaction


def main(data_dir: str, end: str) -> int:
    """Compact what is below `end`; the exit code."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    give_way()
    try:
        report = stage_compaction(Files(Path(data_dir)), int(end))
    except ReplayProxyError as error:
        sys.stdout.buffer.write(orjson.dumps({"message": error.message, "hint": error.hint}))
        return error.exit_code
    sys.stdout.buffer.write(orjson.dumps(asdict(report)))
    return 0


def _end_with_parent() -> None:
    """The other end of standard input is open for as long as the parent lives."""
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
