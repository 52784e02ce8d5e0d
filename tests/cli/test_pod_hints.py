"""What is printed of a wrong command line of `pod`."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay_proxy.cli.main import main
from replay_proxy.pods.oci.descriptor import CALLS, CONFIG_TYPE, EMPTY_CONFIG, FORMAT_VERSION_KEY
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.store import PodStore


@pytest.mark.parametrize(
    ("words", "hinted"),
    [
        (["pod", "load"], "`replay-proxy pod load --help`"),
        (["pod", "save", "-x"], "`replay-proxy pod save --help`"),
        (["pod", "remote", "add"], "`replay-proxy pod remote add --help`"),
    ],
)
def test_the_hint_of_a_wrong_command_line_is_a_command_that_can_be_typed(
    capsys: pytest.CaptureFixture[str], words: list[str], hinted: str
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert hinted in capsys.readouterr().err


def test_a_damaged_pod_file_is_told_by_its_name_before_a_proxy_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the exit code of damage, and not with that of a proxy that failed: none listens here."""
    store = PodStore(tmp_path / "pods")
    with store.layout.writing():
        store.layout.put(EMPTY_CONFIG, CONFIG_TYPE)
        store.add("shop", Manifest((), {FORMAT_VERSION_KEY: "1", CALLS: "4"}))
    folder = str(store.root)
    assert main(["pod", "load", folder, "--yes", "--endpoint", "http://127.0.0.1:9"]) == 4
    assert f"{folder} says that it holds 4 calls, and holds 0" in capsys.readouterr().err
