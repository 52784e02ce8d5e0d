"""`--services` names services; a list without a name is not taken for all of them, and one with an unknown name is refused."""

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


def test_a_reset_of_a_service_that_is_not_known_is_refused_before_the_proxy_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The services before it in the list would be forgotten already. No proxy listens here."""
    assert main(["reset", "--yes", "--endpoint", "http://127.0.0.1:9", "--services", "sqs,nope"]) == 2
    assert "there is no service 'nope'" in capsys.readouterr().err
