"""What the commands take for a recording: one that lies somewhere, a pod of the store, or a pod file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from replay_proxy.config import Settings
from replay_proxy.errors import UsageError

if TYPE_CHECKING:
    from replay_proxy.journal.read.reader import Recording


@contextmanager
def open_named(where: str, settings: Settings) -> Iterator[Recording]:
    """Open what `where` names: a path, `-`, or `NAME[:VERSION]` where there is no such path. Raises ReplayProxyError."""
    from replay_proxy.cli.pod.places import opened
    from replay_proxy.journal.format.records import JOURNAL_NAME
    from replay_proxy.journal.interchange.recording_source import open_recording
    from replay_proxy.pods.names import looks_like_reference
    from replay_proxy.pods.places import pods_dir_of

    is_pod = _is_pod(where, settings)
    if not is_pod and looks_like_reference(where) and not Path(where).exists():
        raise UsageError(
            f"there is no pod {where!r} in {pods_dir_of(settings)}, and no recording of that name here",
            hint=f"`replay-proxy pod list` lists the pods; a recording is a folder with {JOURNAL_NAME} in it, or an archive",
        )
    opening = opened(where, settings) if is_pod else open_recording(where)
    with opening as recording:
        yield recording


def _is_pod(where: str, settings: Settings) -> bool:
    """Return whether a pod is meant: a file or a folder that is a layout, or the name of a pod that the store has."""
    from replay_proxy.cli.pod.places import store_of
    from replay_proxy.pods.names import looks_like_reference, parse_reference
    from replay_proxy.pods.oci.layout import LAYOUT_NAME

    path = Path(where).expanduser()
    try:
        if path.is_dir():
            return (path / LAYOUT_NAME).is_file()
        if path.is_file():
            with path.open("rb") as file:
                return file.read(100).split(b"\0")[0] == LAYOUT_NAME.encode()
    except OSError:
        return False
    return looks_like_reference(where) and bool(store_of(settings).versions(parse_reference(where).name))
