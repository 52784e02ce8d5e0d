"""Loading a pod into a recording that nobody uses."""

from __future__ import annotations

from pathlib import Path

from replay_proxy.journal.read.reader import Recording, read
from replay_proxy.journal.storage.files import Files
from replay_proxy.journal.storage.scratch import scratch_folder
from replay_proxy.journal.write.writer import JournalWriter, SaveStrategy
from replay_proxy.pods.apply import record_merged
from replay_proxy.pods.merge.merge_recordings import merge_recordings
from replay_proxy.pods.merge.report import MergeReport
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.pods.state.smoke_file import take_smoke_tests


async def load_at_rest(
    data_dir: Path, pod: Recording, strategy: MergeStrategy, *, dry_run: bool, emulator: str = ""
) -> MergeReport:
    """Merge a pod into the recording in `data_dir`, or say what that would do.

    emulator: for which a recording is begun where there is none yet.

    Raises RecordingError, StorageError; then the recording is as it was.
    """
    if dry_run:
        return merge_recordings(Files(data_dir), pod, strategy, None)
    told = {"name": emulator} if emulator else None
    writer = await JournalWriter.open(data_dir, strategy=SaveStrategy.ON_SHUTDOWN, emulator=told)
    try:
        with scratch_folder() as scratch:
            folder = scratch / "merged"
            report = merge_recordings(Files(data_dir), pod, strategy, folder)
            await writer.begin_trial()
            await record_merged(writer, read(folder), pod)
            await writer.keep_trial()
        take_smoke_tests(pod.data_dir, data_dir)
    finally:
        await writer.close()
    return report
