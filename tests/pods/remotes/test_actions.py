"""`pod push`, `pull`, `url`, `remote`, and `list` and `versions` of a remote, as people type them."""

from __future__ import annotations

import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import orjson
import pytest

from replay_proxy.cli.main import main
from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.names import parse_reference
from replay_proxy.pods.state.save import SaveRequest, save_recording
from replay_proxy.pods.store import PodStore
from tests.pods.remotes.conftest import Place
from tests.reports.shop import shop
from tests.support.clients import client
from tests.support.processes import Emulator, Proxy


class _Typed:
    """What a command printed. code: its exit code."""

    def __init__(self, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        self.code = main(["pod", *words])
        self.out, self.err = capsys.readouterr()

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


def _saved(folder: Path, monkeypatch: pytest.MonkeyPatch, *, redact: bool = False) -> PodStore:
    store = PodStore(folder / "pods")
    tape = shop()
    tape.call("secretsmanager", "CreateSecret", {"Name": "s", "SecretString": "hunter22"})
    save_recording(Files(tape.write(folder / "recording")), store, SaveRequest("shop", "first", redact=redact))
    monkeypatch.setenv("REPLAY_PODS_DIR", str(store.root))
    return store


def test_a_version_goes_to_a_remote_and_to_another_store(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, by URL, and by nothing where there is one remote; what it holds of secrets is said; a tag goes along."""
    store = _saved(tmp_path, monkeypatch)
    folder = place("folder").url
    assert _Typed(("push", "shop"), capsys).err.startswith("error: there is no remote yet")
    assert _Typed(("remote", "add", "team", folder), capsys).out == f"team is {folder}\n"
    pushed = _Typed(("push", "shop"), capsys)
    assert pushed.out.startswith(f"pushed shop:1 as shop:1 to {folder}: ")
    assert "secretsmanager:CreateSecret:SecretString (1)" in pushed.err
    store.tag(parse_reference("shop:1"), "stable")
    again = _Typed(("push", "shop:stable", "team", "--json"), capsys)
    assert again.json | {"secrets": 0, "digest": 0, "bytes": 0, "blobs": 0} == {
        "name": "shop", "version": 2, "pushed": 1, "remote": folder, "encrypted": False, "tag": "stable",
        "moved_from": None,
        "transferred_blobs": 0, "transferred_bytes": 0, "secrets": 0, "digest": 0, "bytes": 0, "blobs": 0,
    }  # fmt: skip
    listed = _Typed(("list", folder, "--json"), capsys).json
    assert [(each["name"], each["version"], each["versions"], each["message"]) for each in listed["pods"]] == [
        ("shop", 2, 2, "first")
    ]
    versions = _Typed(("versions", "shop", "team", "--json"), capsys).json["versions"]
    assert versions[1]["tags"] == ["stable"]
    assert "shop  2       2 versions" in _Typed(("list", "team"), capsys).out
    assert "first" in _Typed(("versions", "shop", folder), capsys).out
    monkeypatch.setenv("REPLAY_PODS_DIR", str(tmp_path / "theirs"))
    pulled = _Typed(("pull", "shop:stable", folder, "--json"), capsys).json
    assert (pulled["name"], pulled["version"], pulled["pulled"], pulled["tags"]) == ("shop", 2, 2, ["stable"])
    assert pulled["digest"] == store.latest()[0].digest
    assert _Typed(("pull", "nothing", folder), capsys).code == 9
    assert _Typed(("url", "shop", folder), capsys).err.startswith(f"error: {folder} cannot be read without credentials")


def test_a_tag_moves_with_consent_and_a_version_goes_from_a_remote_with_consent(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither goes by without a word: who has the tag is said, and which tags go with a version. Other versions stay."""
    store = _saved(tmp_path, monkeypatch)
    save_recording(Files(tmp_path / "recording"), store, SaveRequest("shop", "second"))
    folder = place("folder").url
    assert _Typed(("tag", "shop:1", "stable", "--json"), capsys).json["moved_from"] is None
    assert _Typed(("tag", "shop:1", "stable"), capsys).code == 0, "again, which moves nothing"
    refused = _Typed(("tag", "shop:2", "stable"), capsys)
    assert (refused.code, "shop:1 is called shop:stable" in refused.err) == (2, True)
    assert store.find(parse_reference("shop:stable")).number == 1
    moved = _Typed(("tag", "shop:2", "stable", "--yes"), capsys)
    assert moved.out == "shop:2 is called shop:stable now; before, shop:1 was\n"
    for which in ("shop:1", "shop:stable", "shop:1"):
        assert _Typed(("push", which, folder), capsys).code == 0
    refused = _Typed(("push", "shop:stable", folder), capsys)
    assert (refused.code, "shop:2 is called shop:stable in " in refused.err) == (2, True)
    assert len(_Typed(("versions", "shop", folder, "--json"), capsys).json["versions"]) == 3, "nothing was sent"
    moved = _Typed(("push", "shop:stable", folder, "--yes"), capsys)
    assert moved.out.endswith("it is called shop:stable there now; before, shop:2 was\n")
    assert _Typed(("remove", "shop:2", "--remote", folder, "--yes"), capsys).code == 0
    asked = _Typed(("remove", "shop:stable", "--remote", folder), capsys)
    assert (asked.code, "shop:4, and with it shop:stable, will be gone" in asked.err) == (2, True)
    gone = _Typed(("remove", "shop:stable", "--remote", folder, "--yes", "--json"), capsys).json
    assert (gone["removed"], gone["tags"]) == ([{"name": "shop", "version": 4}], ["shop:stable"])
    left = _Typed(("versions", "shop", folder, "--json"), capsys).json["versions"]
    assert [(each["version"], each["tags"]) for each in left] == [(1, []), (3, [])]
    assert [each.number for each in store.versions("shop")] == [1, 2], "what is here stays"
    assert _Typed(("remove", "shop:2", "--remote", folder, "--yes"), capsys).code == 9
    assert _Typed(("remove", "shop", "--remote", folder, "--yes"), capsys).out.startswith("removed shop:1, shop:3 from")
    assert _Typed(("list", folder), capsys).out == f"there are no pods in {folder}\n"


def test_what_was_redacted_is_pushed_without_a_word(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is encrypted, too: nobody there can read it."""
    _saved(tmp_path, monkeypatch, redact=True)
    assert _Typed(("push", "shop", place("folder").url), capsys).err == ""
    _saved(tmp_path / "other", monkeypatch)
    monkeypatch.setenv("REPLAY_PASSPHRASE", "open sesame")
    assert _Typed(("push", "shop", place("folder").url, "--encrypt"), capsys).err == ""


def test_names_of_remotes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """They are kept in a private file without credentials; what is no remote is refused with what to do."""
    monkeypatch.setenv("REPLAY_PODS_DIR", str(tmp_path / "pods"))
    assert _Typed(("remote", "list"), capsys).out.startswith("there are no remotes")
    added = (
        "remote",
        "add",
        "bucket",
        "s3://pods/team/",
        "--endpoint-url",
        "http://127.0.0.1:1",
        "--profile",
        "default",
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
    assert _Typed(added, capsys).out == "bucket is s3://pods/team\n"
    assert stat.S_IMODE((tmp_path / "pods" / "remotes.json").stat().st_mode) == 0o600
    assert _Typed(("remote", "add", "folder", "~/pods"), capsys).out == f"folder is {Path('~/pods').expanduser()}\n"
    assert _Typed(("remote", "add", "folder", "/elsewhere"), capsys).code == 2
    listed = _Typed(("remote", "list", "--json"), capsys).json["remotes"]
    assert listed[0] == {
        "name": "bucket", "url": "s3://pods/team", "endpoint_url": "http://127.0.0.1:1", "profile": "default"
    }  # fmt: skip
    for url in (
        "oci://user:secret@registry.example.com/pods", "oci://registry.example.com", "oci://registry.example.com/Pods",
        "oci://registry.example.com:x/pods", "s3://", "ftp://host/pods", "s3://pods?access_key_id=a", "", "file://host/pods",
    ):  # fmt: skip
        refused = _Typed(("remote", "add", "other", url), capsys)
        assert (refused.code, refused.err.startswith("error: ")) == (2, True), url
        assert "hint: " in refused.err, url
    assert _Typed(("remote", "add", "a/b", "/elsewhere"), capsys).code == 2
    assert _Typed(("remote", "add", "other", "/elsewhere", "--insecure"), capsys).code == 2
    assert _Typed(("remote", "add", "other", "s3://pods", "--profile", "nobody"), capsys).code == 2
    assert _Typed(("remote", "remove", "folder"), capsys).code == 0
    assert _Typed(("remote", "remove", "folder"), capsys).code == 2
    (tmp_path / "pods" / "remotes.json").write_text("{}")
    assert _Typed(("remote", "list"), capsys).code == 4


def test_a_remote_is_never_reached_through_a_replay_proxy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever points clients at the proxy: its traffic would be recorded. A bucket of the emulator itself is no proxy's."""
    emulator = Emulator("moto", tmp_path)
    environment = {
        "REPLAY_PODS_DIR": str(tmp_path / "proxy-pods"), "AWS_ENDPOINT_URL_S3": emulator.url,
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
    }  # fmt: skip
    proxy = Proxy(tmp_path, "--upstream", emulator.url, environment=environment)
    try:
        client("s3", emulator.url).create_bucket(Bucket="pods")
        _saved(tmp_path, monkeypatch)
        for name, value in {
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_ENDPOINT_URL": proxy.url,
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", emulator.url)
        assert _Typed(("push", "shop", "s3://pods/team"), capsys).code == 0
        url = _Typed(("url", "shop", "s3://pods/team", "--expires", "5m"), capsys).out.strip()
        assert url.startswith(emulator.url)
        assert _Typed(("show", url), capsys).out.startswith("shop:1")
        assert [each for each in proxy.operations() if each.startswith("s3")] == []
        for elsewhere in (proxy.url, proxy.url.replace("127.0.0.1", "localhost")):
            refused = _Typed(("push", "shop", "s3://pods/team", "--endpoint-url", elsewhere), capsys)
            assert (refused.code, "is a replay-proxy" in refused.err) == (2, True)
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", elsewhere)
            assert _Typed(("remote", "add", "bucket", "s3://pods/team"), capsys).code == 2
        assert _Typed(("url", "shop", "s3://pods/team", "--expires", "8d"), capsys).code == 2
        _by_endpoints(proxy)
    finally:
        proxy.end()
        emulator.end()


def _by_endpoints(proxy: Proxy) -> None:
    """LocalStack's endpoints: a remote gets a name, and requests about pods carry it in their bodies."""

    def asked(method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else orjson.dumps(body)
        request = urllib.request.Request(f"{proxy.url}/_localstack/pods{path}", data, method=method)
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=60) as answer:
                events = answer.headers["Content-Type"] == "application/x-ndjson"
                return orjson.loads(answer.read().splitlines()[-1] if events else answer.read())
        except urllib.error.HTTPError as error:
            return error.code

    client("sqs", proxy.url).create_queue(QueueName="orders")
    for url in ("s3://pods/http", "oras://127.0.0.1:1/pods"):
        name = url.partition(":")[0]
        made = asked("POST", f"/remotes/{name}", {"protocols": [name], "remote_url": url})
        assert made == {
            "name": name,
            "protocols": ["oci" if name == "oras" else "s3"],
            "url": url.replace("oras", "oci"),
        }
    assert asked("POST", "/remotes/etc", {"remote_url": "/etc"}) == 409
    assert asked("GET", "/remotes/nothing") == 404
    assert [each["name"] for each in asked("GET", "/remotes")["remotes"]] == ["s3", "oras"]
    assert asked("DELETE", "/remotes/oras") == {"status": "ok"}
    saved = asked("POST", "/queues", {"remote": "s3", "attributes": {"description": "by an endpoint"}})
    assert (saved["status"], saved["version"], saved["remote_version"]) == ("ok", 1, 1)
    there = {"remote": {"remote_name": "s3", "remote_params": {}}}
    assert asked("GET", "", there)["cloudpods"][0]["pod_name"] == "queues"
    versions = asked("GET", "/queues/versions", there)["versions"]
    assert [(each["version"], each["description"]) for each in versions] == [(1, "by an endpoint")]
    assert asked("DELETE", "/queues", there) == {"status": "ok"}
    assert asked("DELETE", "/queues", there) == 502
    assert asked("PUT", "/queues", there)["status"] == "error"
    assert asked("POST", "/queues", there)["remote_version"] == 2
    assert asked("DELETE", "/queues", {}) == {"status": "ok"}
    assert asked("GET", "")["cloudpods"] == []
    loaded = asked("PUT", "/queues?merge=service-merge", there)
    assert (loaded["status"], loaded["version"]) == ("ok", 2)
    assert [each["pod_name"] for each in asked("GET", "")["cloudpods"]] == ["queues"]
    assert [each for each in proxy.operations() if each.startswith("s3")] == []
