"""What a save refuses, and says: services that there are not, and a disk without space; nothing is saved then."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.oci.descriptor import SERVICES
from replay_proxy.pods.state.save import save_recording
from replay_proxy.pods.state.save_request import SaveRequest
from replay_proxy.pods.store import PodStore
from replay_proxy.proxy.lifecycle.restoring.requested_pods import RequestedPods
from replay_proxy.wire.models.service_names import UnknownServiceError, services_in
from tests.resources.recordings import Tape, queue
from tests.support.clients import client
from tests.support.processes import Proxy, replay_proxy


def _save(proxy: Proxy, *words: str, pods_dir: Path | None = None) -> tuple[int, str]:
    """Run `pod save`; return its exit code and what it complained of."""
    pods = str(pods_dir or proxy.scratch / "pods")
    environment = {**os.environ, "AWS_ENDPOINT_URL": proxy.url, "REPLAY_PODS_DIR": pods}
    command = [*replay_proxy(), "pod", "save", *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


def _asked(url: str, method: str, body: bytes | None = None) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, method=method), timeout=30) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]


def test_a_service_that_there_is_not_is_refused(start_proxy: Callable[..., Proxy]) -> None:
    """By the command line, running and at rest, and by the endpoints; a name to sign with is a service's name, too."""
    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="q")
    client("cloudwatch", proxy.url).put_metric_alarm(
        AlarmName="a", ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1
    )
    at_rest = ["--data-dir", str(proxy.data_dir)]
    for words in (["s", "--services", "sqs,nosuch"], ["s", "--services", "Sqs", *at_rest]):
        code, complaint = _save(proxy, *words)
        assert (code, "error: there is no service" in complaint) == (2, True), complaint
    assert not PodStore(proxy.scratch / "pods").versions("s")
    for method, path, status in (
        ("GET", "/_localstack/pods/state?services=nosuch", 404),
        ("GET", "/_localstack/pods/state/metamodel?services=nosuch", 404),
        ("POST", "/_replay/pods/save?services=nosuch", 404),
        ("POST", "/_replay/doctor?services=nosuch", 400),
        ("POST", "/_replay/doctor?services=sqs,nosuch&repair=1", 400),
    ):
        assert _asked(proxy.url + path, method) == (status, "there is no service 'nosuch'")
    assert _asked(f"{proxy.url}/_replay/doctor?services=sqs", "POST")[0] == 200
    assert _save(proxy, "s", "--services", "monitoring , sqs") == (0, "")
    (version,) = PodStore(proxy.scratch / "pods").versions("s")
    assert version.annotations[SERVICES] == "cloudwatch,sqs"
    for body, complaint in ((b"[]", "no JSON object"), (b"7", "no JSON object"), (b"{", "no JSON")):
        status, told = _asked(proxy.url + "/_localstack/pods/t", "POST", body)
        assert (status, complaint in told) == (409, True), told
    assert not PodStore(proxy.scratch / "pods").versions("t")


def test_a_recorded_service_is_one_also_where_no_model_knows_it(tmp_path: Path) -> None:
    """A recording may be older or newer than the models that are installed."""
    assert services_in(["sqs", "gone,monitoring"], {"gone"}) == ("cloudwatch", "gone", "sqs")
    with pytest.raises(UnknownServiceError, match="'gone'"):
        services_in(["sqs,gone"])
    tape = Tape()
    queue(tape, "q")
    with pytest.raises(UnknownServiceError, match="'gone'"):
        save_recording(
            Files(tape.write(tmp_path / "r")), PodStore(tmp_path / "pods"), SaveRequest("s", services=("gone",))
        )
    assert not PodStore(tmp_path / "pods").versions("s")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_told_as_such(start_proxy: Callable[..., Proxy], small_disk: Path) -> None:
    """Where the state does not fit, and where nothing does; in a store and in a file; and the versions before stay."""
    proxy = start_proxy()
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="things")
    assert _save(proxy, "s", pods_dir=small_disk) == (0, "")
    s3.put_object(Bucket="things", Key="k", Body=os.urandom(1 << 20))
    for where in ("s", str(small_disk / "s.pod")):
        code, complaint = _save(proxy, where, pods_dir=small_disk)
        assert (code, "No space left on device" in complaint) == (5, True), complaint
        assert complaint.startswith("error: cannot "), complaint
        assert ("--pods-dir (REPLAY_PODS_DIR)" if where == "s" else "another path") in complaint, complaint
    with pytest.raises(OSError, match="No space"), (small_disk / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(bytes(4096))
    code, complaint = _save(proxy, "s", pods_dir=small_disk)
    assert (code, "No space left on device" in complaint) == (5, True), complaint
    assert len(PodStore(small_disk).versions("s")) == 1
    assert not (small_disk / "s.pod").exists()


async def test_a_save_that_could_not_look_at_the_emulator_says_so(tmp_path: Path) -> None:
    """While a load is under way: what the emulator did by itself before is not known then."""
    tape = Tape()
    queue(tape, "q")
    recording: Any = SimpleNamespace(writer=None, data_dir=tape.write(tmp_path / "data"))
    nothing: Any = None
    for observer, said in (
        (SimpleNamespace(can_look=False), ["may not be in it: its state is being restored"]),
        (None, []),
    ):
        pods = RequestedPods(recording, nothing, nothing, nothing, nothing, cast(Any, observer))
        report = await pods.save(PodStore(tmp_path / "pods"), SaveRequest("s"))
        assert report.calls == 1
        assert [text for text, expected in zip(report.warnings, said, strict=True) if expected not in text] == []


def test_the_path_of_a_folder_is_not_taken_for_that_of_a_file(
    start_proxy: Callable[..., Proxy], tmp_path: Path
) -> None:
    """Also where no such folder is there."""
    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="q")
    code, complaint = _save(proxy, f"{tmp_path}/states/")
    assert (code, "is a folder's path" in complaint) == (2, True), complaint
    assert not (tmp_path / "states").exists()


def test_a_prune_takes_the_answer_to_a_question_that_it_need_not_ask(tmp_path: Path) -> None:
    command = [*replay_proxy(), "pod", "prune", "--yes", "--json", "--pods-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"blobs": 0, "bytes": 0}), done.stderr
