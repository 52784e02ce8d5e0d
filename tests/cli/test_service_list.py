"""`--services` names services; a list without a name is not taken for all of them."""

from __future__ import annotations

import pytest

from replay_proxy.cli.main import main


@pytest.mark.parametrize("names", ["", " ", ",", " , "])
@pytest.mark.parametrize("command", [["reset", "--yes"], ["observe"], ["doctor"], ["pod", "save", "shop"]])
def test_a_list_without_a_name_is_refused(command: list[str], names: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--services", names])
    assert ended.value.code == 2
    assert "names no service; leave the option out for all of them" in capsys.readouterr().err
