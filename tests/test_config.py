"""Settings: one definition, three sources, and errors that name where a bad value came from."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay_proxy.config import SETTINGS, Settings, add_options, resolve
from replay_proxy.errors import UsageError
from replay_proxy.settings.setting import Setting
from replay_proxy.values import Address, parse_address, parse_bytes, parse_seconds

ROOT = Path(__file__).parent.parent


def from_line(*words: str, env: dict[str, str] | None = None) -> Settings:
    parser = argparse.ArgumentParser()
    add_options(parser, "serve")
    return resolve(parser.parse_args(words), env or {})


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    assert from_line().flush_interval == 15
    assert from_line(env={"SNAPSHOT_FLUSH_INTERVAL": "3"}).flush_interval == 3
    assert from_line("--flush-interval", "2", env={"SNAPSHOT_FLUSH_INTERVAL": "3"}).flush_interval == 2
    assert from_line(env={"SNAPSHOT_FLUSH_INTERVAL": ""}).flush_interval == 15


def test_every_default_is_valid_and_every_name_is_used_once() -> None:
    settings = from_line()
    assert settings.listen == Address("127.0.0.1", 4566)
    assert settings.data_dir == Path("recordings")
    assert settings.upstream is None
    for names in ([s.name for s in SETTINGS], [s.env for s in SETTINGS]):
        assert len(names) == len(set(names))
    for setting in SETTINGS:
        assert setting.meaning


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("4566", "127.0.0.1", 4566), (":1", "127.0.0.1", 1), ("0.0.0.0:2", "0.0.0.0", 2), ("[::1]:3", "::1", 3)],
)
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host, port)


@given(st.integers(0, 65535), st.sampled_from(["127.0.0.1", "localhost", "::1", "0.0.0.0"]))
def test_an_address_reads_back_as_it_is_shown(port: int, host: str) -> None:
    assert parse_address(str(Address(host, port))) == Address(host, port)


@given(st.text())
def test_any_text_is_a_value_or_a_usage_error(text: str) -> None:
    for parse in {setting.parse for setting in SETTINGS} - {str}:
        try:
            parse(text)
        except UsageError as error:
            assert error.hint


@pytest.mark.parametrize(("text", "size"), [("1", 1), ("2k", 2048), ("3M", 3 << 20), ("1GiB", 1 << 30), ("5kb", 5120)])
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


NO_SIZES = [
    "5mg",
    "5gk",
    "5kk",
    "5ib",
    "5 x",
    "5t",
    "k",
    "0",
    "0k",
    "-1",
    "1.5m",
    "1e3",
    "5bb",
    "٣",
    "9" * 5000,
    "5m 5k",
]
SIZES = [setting for setting in SETTINGS if setting.parse is parse_bytes]
DURATIONS = [setting for setting in SETTINGS if setting.parse is parse_seconds]


@pytest.mark.parametrize("setting", SIZES, ids=lambda setting: setting.name)
@pytest.mark.parametrize("text", NO_SIZES)
def test_a_size_with_a_unit_that_is_none_is_refused_with_what_is_accepted(setting: Setting, text: str) -> None:
    with pytest.raises(UsageError, match=f"^{setting.flag}: .* is not a size") as caught:
        resolve(argparse.Namespace(**{setting.name: text}), {})
    assert "k, m and g" in caught.value.hint


@pytest.mark.parametrize("setting", DURATIONS, ids=lambda setting: setting.name)
@pytest.mark.parametrize(
    "text", ["5m", "15s", "1_5", "nan", "inf", "0", "-1", "1e3", "٣", "9" * 5000, "1 5", "99999999999"]
)
def test_a_duration_with_a_unit_is_refused_with_what_is_accepted(setting: Setting, text: str) -> None:
    with pytest.raises(UsageError, match=f"^{setting.flag}: .* is not a number of seconds") as caught:
        resolve(argparse.Namespace(**{setting.name: text}), {})
    assert "without a unit" in caught.value.hint


@pytest.mark.parametrize(("text", "seconds"), [("15", 15.0), ("0.5", 0.5), (" 3. ", 3.0), (".25", 0.25)])
def test_durations(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


def test_the_command_line_document_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "build-cli-doc"), "--check"], check=False)
    assert done.returncode == 0, "run scripts/build-cli-doc"
