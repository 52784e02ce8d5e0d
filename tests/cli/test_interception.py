"""`ca`, `env --intercept`, `addon`, and what `serve --intercept` says where it cannot be done."""

from __future__ import annotations

import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from replay_proxy.cli.main import main
from replay_proxy.proxy.intercept import mitmproxy_extra
from tests.support.interception import missing_interception
from tests.support.processes import left_out, replay_proxy

BESIDE = pytest.mark.skipif(mitmproxy_extra.find_spec("mitmproxy") is None, reason=str(missing_interception()))


@pytest.fixture(autouse=True)
def _nothing_of_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "NO_PROXY", "no_proxy", "REPLAY_INTERCEPT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@BESIDE
def test_ca_prints_the_path_alone_and_how_each_client_trusts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ca"]) == 0
    out, err = capsys.readouterr()
    certificate = Path(out.removesuffix("\n"))
    assert certificate.parent == tmp_path / "data" / "replay-proxy" / "ca"
    ssl.create_default_context(cafile=str(certificate))
    assert stat.S_IMODE(certificate.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in certificate.parent.glob("*.p*")} == {0o600}
    for client in ("AWS CLI", "boto3", "Node", "Java", "Go", ".NET", "Terraform", "curl", "container image"):
        assert client in err
    before = certificate.read_bytes()
    assert main(["ca", "--ca-dir", str(certificate.parent)]) == 0
    assert capsys.readouterr().out == out
    assert certificate.read_bytes() == before


@BESIDE
def test_env_prints_what_a_shell_needs_and_nothing_that_leads_past_the_proxy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://elsewhere")
    monkeypatch.setenv("NO_PROXY", ".amazonaws.com,shop.example")
    assert main(["env", "--intercept"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "unset AWS_ENDPOINT_URL_SQS" in lines
    assert "export HTTPS_PROXY=http://127.0.0.1:4567" in lines
    assert "export NO_PROXY=shop.example,127.0.0.1,localhost,::1" in lines
    assert not [line for line in lines if line.startswith("export AWS_ENDPOINT_URL")]
    monkeypatch.setenv("REPLAY_INTERCEPT", "8123")
    assert main(["env", "--intercept"]) == 0
    assert "export HTTPS_PROXY=http://127.0.0.1:8123" in capsys.readouterr().out
    assert main(["env"]) == 0  # the reverse door's, whatever the variable says
    plain = capsys.readouterr().out
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4566" in plain
    assert "HTTPS_PROXY" not in plain
    assert main(["env", "--intercept-socks", "1080", "--format", "dotenv"]) == 0
    assert "ALL_PROXY=socks5h://127.0.0.1:1080" in capsys.readouterr().out


@BESIDE
def test_a_folder_that_others_can_read_is_no_place_for_the_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "shared"
    place.mkdir(mode=0o755)
    assert main(["ca", "--ca-dir", str(place)]) == 5
    assert "hint: chmod 700" in capsys.readouterr().err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("words", [["serve", "--intercept", "0"], ["ca"], ["env", "--intercept"]])
def test_without_mitmproxy_it_is_said_how_to_get_it(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(mitmproxy_extra, "find_spec", lambda _name: None)
    assert main(words) == 2
    assert capsys.readouterr().err == (
        "error: the interception door needs mitmproxy, which is not installed\n"
        "hint: pip install 'replay-proxy[intercept]'\n"
    )


@BESIDE
def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    if reason := left_out(0.1):
        pytest.skip(reason)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = ["serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "d"), "--upstream", "127.0.0.1:9"]
        done = subprocess.run(
            [*replay_proxy(), *words, "--intercept", str(port)], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 7
    assert f"error: cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--intercept" in done.stderr
    assert "Traceback" not in done.stderr


def test_addon_prints_a_file_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["addon"]) == 0
    assert Path(capsys.readouterr().out.removesuffix("\n")).is_file()


def test_nothing_imports_mitmproxy_before_the_door_is_opened() -> None:
    code = (
        "import sys, replay_proxy.cli.serve, replay_proxy.proxy.lifecycle.proxy; sys.exit('mitmproxy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
