"""`observe` reaches the proxy at every address that `--listen`, `--endpoint` and AWS_ENDPOINT_URL can name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replay_proxy.cli.main import main
from replay_proxy.emulators.process import free_port
from tests.support.processes import Emulator, Proxy


@pytest.mark.parametrize("host", ["[::1]", "[::]", "127.0.0.1"])
def test_addresses(
    host: str,
    tmp_path: Path,
    start_emulator: Callable[..., Emulator],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator = start_emulator("ministack")
    port = free_port()
    proxy = Proxy(tmp_path, "--upstream", emulator.url, "--listen", f"{host}:{port}", port=port, wait=False)
    try:
        proxy.wait_for_log("ready")
        assert main(["observe", "--listen", f"{host}:{port}"]) == 0
        assert "nothing is other than recorded" in capsys.readouterr().out
        if host == "127.0.0.1":
            assert main(["observe", "--endpoint", f"http://{host}:{port}"]) == 0
            monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
            assert main(["observe", "--services", "sqs, s3"]) == 0
    finally:
        proxy.end()
