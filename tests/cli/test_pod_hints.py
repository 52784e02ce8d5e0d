"""What is printed of a wrong command line of `pod`."""

from __future__ import annotations

import pytest

from replay_proxy.cli.main import main


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
