"""`replay-proxy check` and `replay-proxy import`, as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from replay_proxy.journal.format.records import JOURNAL_NAME
from tests.journal import samples
from tests.journal.test_formats import FOREIGN


def replay_proxy(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "replay_proxy", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_import_then_check(tmp_path: Path) -> None:
    done = replay_proxy("import", FOREIGN / "localstack_single_file.json", "--data-dir", tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"imported 4 calls into {tmp_path / JOURNAL_NAME}" in done.stdout
    assert "left out 1: it only reads" in done.stdout
    checked = replay_proxy("check", "--data-dir", tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "4 calls (4 in effect)" in checked.stdout
    assert "everything recorded is there" in checked.stdout


def test_reports_as_json_go_to_standard_output_alone(tmp_path: Path) -> None:
    done = replay_proxy("import", FOREIGN / "calls.har", "--data-dir", tmp_path, "--json")
    assert json.loads(done.stdout)["imported"] == 3
    checked = replay_proxy("check", "--data-dir", tmp_path, "--json")
    report = json.loads(checked.stdout)
    assert report["ok"] is True
    assert report["records"] == 3


def test_damage_has_an_exit_code_and_a_message(tmp_path: Path) -> None:
    whole = samples.write_journal(tmp_path, [samples.create_queue("a"), samples.create_queue("b")])
    (tmp_path / JOURNAL_NAME).write_bytes(whole.replace(b'\\"a\\"', b'\\"A\\"'))
    checked = replay_proxy("check", "--data-dir", tmp_path)
    assert checked.returncode == 4
    assert "error: line 2, byte" in checked.stderr
    assert "this recording is damaged" in checked.stdout
    refused = replay_proxy("check", "--data-dir", tmp_path, "--repair")
    assert refused.returncode == 4
    assert "hint: " in refused.stderr
    assert "--drop-damaged" in refused.stderr
    repaired = replay_proxy("check", "--data-dir", tmp_path, "--repair", "--drop-damaged")
    assert repaired.returncode == 0
    assert "repair: left out 1 damaged line (2)" in repaired.stderr


def test_a_repair_explains_its_steps(tmp_path: Path) -> None:
    whole = samples.write_journal(tmp_path, [samples.create_queue("a")])
    (tmp_path / JOURNAL_NAME).write_bytes(whole + b'{"seq":2')
    repaired = replay_proxy("check", "--data-dir", tmp_path, "--repair")
    assert repaired.returncode == 0
    assert "repair: " in repaired.stderr
    assert "cut 8 bytes" in repaired.stderr


def test_wrong_use(tmp_path: Path) -> None:
    missing = replay_proxy("check", "--data-dir", tmp_path)
    assert missing.returncode == 4
    assert "there is no recording" in missing.stderr
    half = replay_proxy("check", "--data-dir", tmp_path, "--drop-damaged")
    assert half.returncode == 2
    nothing = replay_proxy("import", tmp_path / "nowhere", "--data-dir", tmp_path)
    assert nothing.returncode == 5
    assert "No such file" in nothing.stderr
