"""What is printed of a wrong command line of `pod`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from replay_proxy.cli.control_client import refusal_of
from replay_proxy.cli.main import _verb_parser, main
from replay_proxy.cli.pod.at_start import load_at_start
from replay_proxy.config import add_options, resolve
from replay_proxy.errors import UsageError
from replay_proxy.pods.oci.descriptor import CALLS, CONFIG_TYPE, EMPTY_CONFIG, FORMAT_VERSION_KEY, descriptor_of
from replay_proxy.pods.oci.layout import blob_path
from replay_proxy.pods.oci.manifest import Manifest
from replay_proxy.pods.store import PodStore
from tests.pods.samples import file_of, saved
from tests.reports.shop import shop


@pytest.mark.parametrize("action", ["push", "pull", "url"])
def test_options_may_stand_between_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str) -> None:
    """argparse would take the remote, which may be left out, for absent."""
    saved(PodStore(tmp_path), "shop", b"1")
    words = ["pod", action, "shop", "--pods-dir", str(tmp_path), "no-remote"]
    assert main(words) == 2
    assert "no-remote" in capsys.readouterr().err.partition("\n")[0]
    with pytest.raises(SystemExit):
        main([*words, "one-too-many"])
    assert "unrecognized arguments: one-too-many" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "hinted"),
    [
        (["pod", "load"], "`replay-proxy pod load --help`"),
        (["pod", "save", "-x"], "`replay-proxy pod save --help`"),
        (["pod", "save", "a", "b"], "`replay-proxy pod save --help`"),
        (["pod", "load", "a", "--bogus"], "`replay-proxy pod load --help`"),
        (["pod", "pull", "a", "b", "c"], "`replay-proxy pod pull --help`"),
        (["pod", "remote", "list", "a"], "`replay-proxy pod remote list --help`"),
        (["pod", "remote", "add"], "`replay-proxy pod remote add --help`"),
    ],
)
def test_the_hint_of_a_wrong_command_line_is_a_command_that_can_be_typed(
    capsys: pytest.CaptureFixture[str], words: list[str], hinted: str
) -> None:
    with pytest.raises(SystemExit):
        main(words)
    assert hinted in capsys.readouterr().err


@pytest.mark.parametrize("action", ["save", "load", "show", "pull", "tag"])
def test_a_name_that_looks_like_an_option_is_told_as_one(capsys: pytest.CaptureFixture[str], action: str) -> None:
    with pytest.raises(SystemExit):
        main(["pod", action, "--shop"])
    assert "unrecognized arguments: --shop" in capsys.readouterr().err
    assert main(["pod", action, "--", "--shop", *(["b"] if action == "tag" else [])]) == 2
    assert "'--shop' is not a name for a pod" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["shop", "--yes", "--", "file"],
        ["--yes", "shop", "--", "file"],
        ["--yes", "shop", "file"],
        ["shop", "--yes", "file"],
        ["shop", "file", "--yes"],
    ],
    ids=" ".join,
)
def test_options_stand_between_arguments_also_before_two_dashes(words: list[str]) -> None:
    parsed = _verb_parser("pod").parse_args(["push", *words])
    assert (parsed.pod, parsed.remote, parsed.yes) == ("shop", "file", True)


@pytest.mark.parametrize("message", ["--fix the thing", "-- fix"])
def test_a_value_with_a_space_is_no_option(message: str) -> None:
    assert _verb_parser("pod").parse_args(["save", "shop", "--message", message]).message == message


@pytest.mark.parametrize("words", [("show",), ("load", "--dry-run"), ("save",), ("inspect", "--plain")], ids=" ".join)
def test_a_path_that_nobody_can_look_at_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """The kernel refuses such a name already where it is asked what lies there, as it does for a folder of somebody else."""
    shop().write(tmp_path / "data")
    path = tmp_path / f"{'x' * 300}.pod"
    assert main(["pod", *words, str(path), "--data-dir", str(tmp_path / "data")]) in (2, 5)
    told = capsys.readouterr().err
    assert str(path) in told
    assert "File name too long" in told


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


def test_a_damaged_pod_file_is_told_by_its_name_and_not_by_a_temporary_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A blob of another content, under another name, and one that is not in it."""
    store = PodStore(tmp_path / "pods")
    whole = file_of(store, saved(store, "shop", b"some content"))
    path = tmp_path / "shop.pod"
    blob = blob_path(descriptor_of(b"some content", "").digest).encode()
    for data in (
        whole.replace(b"some content", b"SOME CONTENT"),
        whole.replace(blob, blob[:-1] + b"-"),
        whole[: whole.index(b"index.json")],
    ):
        path.write_bytes(data)
        assert main(["pod", "show", str(path)]) == 4
        told = capsys.readouterr().err
        assert told.startswith(f"error: {path}")
        assert "replay-proxy-scratch-" not in told


@pytest.mark.parametrize("words", [("list",), ("list", "{file}"), ("pull", "shop", "{file}")], ids=" ".join)
def test_a_file_is_no_folder_of_pods(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """A pod file in the place of a remote, or of the store, is not called an empty folder."""
    store = PodStore(tmp_path / "pods")
    version = saved(store, "shop", b"some content")
    file = tmp_path / "shop.pod"
    file.write_bytes(file_of(store, version))
    pods_dir = store.root if len(words) > 1 else file
    typed = [each.format(file=file) for each in words]
    assert main(["pod", *typed, "--pods-dir", str(pods_dir)]) == 5
    told = capsys.readouterr()
    assert not told.out
    assert str(file) in told.err


@pytest.mark.parametrize("words", [("pod", "inspect", "nope"), ("pod", "diff", "nope", "nope:2"), ("inspect", "nope")])
def test_a_pod_that_there_is_not_is_told_as_such_where_a_recording_is_taken_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert main([*words, "--pods-dir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"there is no pod 'nope' in {tmp_path}, and no recording" in told
    assert "`replay-proxy pod list`" in told


class _Slow(BaseHTTPRequestHandler):
    """A proxy that never ends what it is asked to do."""

    server: _SlowServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self) -> None:
        if self.server.reads:
            self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        self.server.over.wait()

    def log_message(self, *_arguments: object) -> None:
        pass


class _SlowServer(ThreadingHTTPServer):
    def __init__(self, *, reads: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Slow)
        self.reads = reads
        self.asked, self.over = threading.Event(), threading.Event()


@contextmanager
def _slow_proxy(*, reads: bool) -> Iterator[_SlowServer]:
    server = _SlowServer(reads=reads)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("command", "size", "reads", "said"),
    [
        (["pod", "load", "shop.pod"], 0, True, "the proxy at {} has the pod, and goes on loading it"),
        (["pod", "load", "shop.pod"], 32 << 20, False, "the proxy at {} has not all of the pod, and loads nothing"),
        (["reset"], 0, True, "the proxy at {} ends the reset that it has begun"),
        (["pod", "save", "./new.pod"], 0, True, "no version was made"),
    ],
)
def test_an_interrupted_command_says_what_the_proxy_does(
    tmp_path: Path, command: list[str], size: int, reads: bool, said: str
) -> None:
    tape = shop()
    if size:
        tape.call("s3", "PutObject", {"Bucket": "b", "Key": "k", "Body": "x" * size}, protocol="rest-xml")
    tape.write(tmp_path / "data")
    assert main(["pod", "save", str(tmp_path / "shop.pod"), "--data-dir", str(tmp_path / "data")]) == 0
    with _slow_proxy(reads=reads) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        words = [sys.executable, "-m", "replay_proxy", *command, "--yes", "--endpoint", address]
        with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
            try:
                assert server.asked.wait(60)
                process.send_signal(signal.SIGINT)
                complaint = process.communicate(timeout=60)[1]
            finally:
                process.kill()
    assert process.returncode == 130
    assert f"interrupted: {said.format(address)}" in complaint


def test_a_proxy_that_ends_before_it_answers_is_told_as_one_that_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with _slow_proxy(reads=True) as server:
        server.over.set()
        address = f"http://127.0.0.1:{server.server_port}"
        assert main(["pod", "save", "shop", "--endpoint", address, "--pods-dir", str(tmp_path)]) == 6
    assert f"{address} broke off before it answered" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["reset"], ["pod", "load", "shop.pod"]], ids=" ".join)
def test_an_answer_that_is_cut_off_is_no_fault_of_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    class Cut(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"{")

        do_GET = do_POST  # noqa: N815 - the name that the base class calls

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    shop().write(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    assert main(["pod", "save", "shop.pod", "--data-dir", "data"]) == 0
    with ThreadingHTTPServer(("127.0.0.1", 0), Cut) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert main([*command, "--yes", "--endpoint", address]) == 6
        server.shutdown()
    assert f"{address} broke off its answer" in capsys.readouterr().err


def test_a_token_that_is_wanted_is_told_as_a_person_gives_it() -> None:
    body = b'{"error": "this endpoint wants the control token", "hint": "send it as `Authorization: Bearer TOKEN`"}'
    told = refusal_of(401, body, "http://127.0.0.1:4566")
    assert "REPLAY_CONTROL_TOKEN" in told.hint
    assert "Bearer" not in told.hint


def test_a_pod_file_that_cannot_be_made_is_no_file_that_was_removed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop().write(tmp_path / "data")
    assert main(["pod", "save", "/proc/x.pod", "--data-dir", str(tmp_path / "data")]) == 5
    complaint = capsys.readouterr().err
    assert "choose another path" in complaint
    assert "removed" not in complaint


async def test_a_pod_that_is_missing_at_the_start_is_told_with_its_file_before_any_is_loaded(tmp_path: Path) -> None:
    shop().write(tmp_path / "data")
    (tmp_path / "init").mkdir()
    assert main(["pod", "save", str(tmp_path / "init" / "1.pod"), "--data-dir", str(tmp_path / "data")]) == 0
    text = tmp_path / "init" / "2.txt"
    text.write_text("junk\n")
    words = [
        "--data-dir",
        str(tmp_path / "new"),
        "--pods-dir",
        str(tmp_path / "pods"),
        "--init-pods-dir",
        str(text.parent),
    ]
    parser = ArgumentParser()
    add_options(parser, "serve")
    with pytest.raises(UsageError) as refused:
        await load_at_start(resolve(parser.parse_args(words)), "moto")
    assert str(refused.value) == refused.value.message == f"{text}: there is no pod 'junk' in {tmp_path / 'pods'}"
    assert not (tmp_path / "new").exists()


def test_json_names_the_pod_and_not_a_temporary_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop().write(tmp_path / "data")
    pods = ["--pods-dir", str(tmp_path / "pods")]
    assert main(["pod", "save", "shop", "--data-dir", str(tmp_path / "data"), *pods]) == 0
    capsys.readouterr()
    assert main(["pod", "inspect", "shop", "--json", *pods]) == 0
    assert json.loads(capsys.readouterr().out)["recording"]["path"] == "shop:1"
