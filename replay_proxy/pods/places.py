"""Where the local store of pods lies."""

from __future__ import annotations

import os
from pathlib import Path

from replay_proxy.config import Settings


def pods_dir_of(settings: Settings) -> Path:
    """Return the folder of the local store: that of the settings, else below `XDG_DATA_HOME`."""
    if settings.pods_dir is not None:
        return settings.pods_dir
    data_home = os.environ.get("XDG_DATA_HOME", "")
    # The specification of XDG_DATA_HOME has a relative path count as none.
    root = Path(data_home) if data_home.startswith("/") else Path.home() / ".local" / "share"
    return root / "replay-proxy" / "pods"
