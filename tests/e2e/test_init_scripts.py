"""Init scripts: the stages in their order, what they reach, what comes of them at the next start, and what is told of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError

import pytest

from replay_proxy.init_scripts.done_scripts import DoneScripts
from replay_proxy.init_scripts.stages import Script, Stage, find_scripts
from tests.support.clients import CREDENTIALS, client
from tests.support.processes import Emulator, Proxy, left_out, missing

REGION = "eu-west-1"
SEED = """import boto3
sqs = boto3.client("sqs")
queue = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "45"})["QueueUrl"]
sqs.send_message(QueueUrl=queue, MessageBody="seeded")
boto3.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
try:
    boto3.client("s3").create_bucket(Bucket="uploads", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
except boto3.client("s3").exceptions.BucketAlreadyOwnedByYou:
    print("the bucket is there")
boto3.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")
"""


def script(path: Path, text: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def noting(path: Path, word: str, mode: int = 0o755) -> None:
    """A script that appends a word to the file `noted` beside the stages."""
    script(path, f"#!/bin/sh\necho {word} >> {path.parents[1] / 'noted'}\n", mode)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def states(proxy: Proxy, stage: str) -> list[tuple[str, str]]:
    shown = get(f"{proxy.url}/_localstack/init/{stage}")
    return [(each["name"], each["state"]) for each in shown["scripts"]]


@contextmanager
def upstream(own: dict[str, Any] | None = None) -> Iterator[str]:
    """A server that answers everything with 200, and says `own` of its own init scripts."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(own if self.path == "/_localstack/init" and own else {"services": {}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_order_of_scripts(tmp_path: Path) -> None:
    """As LocalStack has it: names in their order, then subdirectories; a ConfigMap's links lead to each script once."""
    ready = tmp_path / "ready.d"
    for name in ("b.sh", "a.py", "z/0.sh", "c.txt", "README", "10.sh", "9.sh"):
        script(ready / name, "")
    script(tmp_path / "boot.d" / "..2024" / "seed.sh", "")
    (tmp_path / "boot.d" / "..data").symlink_to("..2024")
    (tmp_path / "boot.d" / "seed.sh").symlink_to("..data/seed.sh")
    (ready / "gone.sh").symlink_to("nowhere")
    found = find_scripts(tmp_path, lambda error: pytest.fail(str(error)))
    assert [each.place for each in found[Stage.READY]] == ["10.sh", "9.sh", "a.py", "b.sh", "z/0.sh"]
    assert [each.place for each in found[Stage.BOOT]] == ["seed.sh"]
    assert found[Stage.START] == found[Stage.SHUTDOWN] == []


def test_stages_and_failures(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """In front of an emulator with init scripts of its own: the answer has both."""
    init = tmp_path / "init"
    noting(init / "boot.d" / "1.sh", "boot")
    noting(init / "start.d" / "1.sh", "start", 0o644)  # mounted without its mode
    noting(init / "ready.d" / "1.sh", "ready-1")
    script(init / "ready.d" / "2.sh", "#!/bin/sh\necho trouble; exit 3\n")
    script(init / "ready.d" / "3.sh", "#!/no/such/program\n")
    script(init / "ready.d" / "4.py", "import os\nassert os.environ['AWS_ACCESS_KEY_ID'], os.environ\n")
    script(init / "ready.d" / "5.sh", f"env > {tmp_path}/env; sleep 60 &\n")  # leaves something running
    script(init / "ready.d" / "6.sh", "#!/bin/sh\nsleep 60\n")
    noting(init / "ready.d" / "7.sh", "ready-7")
    noting(init / "shutdown.d" / "1.sh", "shutdown")
    own = {
        "completed": {"BOOT": True, "START": True, "READY": True, "SHUTDOWN": False},
        "scripts": [{"stage": "READY", "name": "own.sh", "state": "SUCCESSFUL"}],
    }
    with upstream(own) as url:
        proxy = start_proxy(
            "--upstream", url, "--init-dir", str(init), "--init-timeout", "0.5", environment={"PERSISTENCE": "0"}
        )
        assert not get(f"{proxy.url}/_localstack/init")["completed"]["READY"]
        with pytest.raises(HTTPError, match="503"):
            get(f"{proxy.url}/_replay/ready")
        proxy.wait_until("/_replay/ready", [200])
        shown = get(f"{proxy.url}/_localstack/init")
        assert shown["completed"] == {"BOOT": True, "START": True, "READY": True, "SHUTDOWN": False}
        assert shown["scripts"][0] == {"stage": "READY", "name": "own.sh", "state": "SUCCESSFUL"}
        assert [each["stage"] for each in shown["scripts"][1:]] == ["BOOT", "START", *["READY"] * 7, "SHUTDOWN"]
        told = ["SUCCESSFUL", "ERROR", "ERROR", "SUCCESSFUL", "SUCCESSFUL", "ERROR", "SUCCESSFUL"]
        assert [state for _name, state in states(proxy, "ready")[1:]] == told
        assert get(f"{proxy.url}/_localstack/init/Shutdown") == {
            "completed": False,
            "scripts": [{"stage": "SHUTDOWN", "name": "1.sh", "state": "UNKNOWN"}],
        }
        with pytest.raises(HTTPError, match="404"):
            get(f"{proxy.url}/_localstack/init/nope")
        assert proxy.stop() == 0
    assert (init / "noted").read_text().split() == ["boot", "start", "ready-1", "ready-7", "shutdown"]
    variables = (tmp_path / "env").read_text()
    assert f"AWS_ENDPOINT_URL={proxy.url}\n" in variables and "AWS_ACCESS_KEY_ID=" in variables
    for text in ("trouble", "exit code 3", "cannot be run: No such file", "longer than 0.5 s"):
        assert text in proxy.log
    assert "Traceback" not in proxy.log


def test_stopped_in_the_middle_of_a_script(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """The script is ended with what it started; the next interrupt ends the proxy at once, and scripts of shutdown.d, too."""
    init = tmp_path / "init"
    script(init / "ready.d" / "1.sh", f"sleep 300 & echo $! > {tmp_path}/ready; wait\n")
    script(init / "shutdown.d" / "1.sh", f"sleep 300 & echo $! > {tmp_path}/shutdown; wait\n")
    with upstream() as url:
        proxy = start_proxy("--upstream", url, environment={"PERSISTENCE": "0", "REPLAY_INIT_DIR": str(init)})
        for name in ("ready", "shutdown"):
            pid = _number_in(tmp_path / name)
            proxy.process.send_signal(signal.SIGINT)
            _wait_until_gone(pid)
        assert proxy.process.wait(10) == 130


def _number_in(path: Path) -> int:
    deadline = time.monotonic() + 20
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return int(path.read_text())


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline, pid
        time.sleep(0.02)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path, "--init-dir", str(tmp_path / "none"), wait=False)
    assert proxy.process.wait(20) == 2
    assert "there is no directory of init scripts" in proxy.log and "hint: " in proxy.log


def state_of(url: str) -> dict[str, Any]:
    sqs, ec2 = client("sqs", url, region=REGION), client("ec2", url, region=REGION)
    queue = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return {
        "queue": queue,
        "messages": int(attributes["ApproximateNumberOfMessages"]),
        "timeout": attributes["VisibilityTimeout"],
        "networks": sorted(each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if each["CidrBlock"] == "10.0.0.0/16"),
        "buckets": [each["Name"] for each in client("s3", url).list_buckets()["Buckets"]],
        "roles": [
            each["RoleName"] for each in client("iam", url).list_roles()["Roles"] if each["RoleName"] == "worker"
        ],
    }


@pytest.mark.parametrize("name", ["moto", "ministack", "localstack"])
def test_a_script_finds_what_it_made_at_the_last_start(
    name: str, start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    """It comes out as on an emulator that was never stopped, on which the script is run a second time."""
    if name != "ministack" and (reason := left_out(0.5) or missing(name)):
        pytest.skip(reason)
    init = tmp_path / "init"
    script(init / "ready.d" / "seed.py", SEED)
    environment = {"AWS_DEFAULT_REGION": REGION, "REPLAY_INIT_DIR": str(init)}
    emulator = start_emulator(name)
    proxy = start_proxy("--upstream", emulator.url, environment=environment)
    proxy.wait_until("/_replay/ready", [200])
    assert states(proxy, "ready")[-1] == ("seed.py", "SUCCESSFUL")
    first = state_of(proxy.url)
    by_hand = {**os.environ, **environment, **CREDENTIALS, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": proxy.url}
    seed = subprocess.run(
        [sys.executable, init / "ready.d" / "seed.py"], env=by_hand, capture_output=True, text=True, check=False
    )
    living = state_of(proxy.url)
    assert "EntityAlreadyExists" in seed.stderr
    assert first["queue"] == living["queue"]
    assert (first["messages"], living["messages"], len(living["networks"])) == (1, 2, 2)
    proxy.stop()
    emulator.restart()
    proxy.again()
    proxy.wait_until("/_replay/ready", [200])
    after = state_of(proxy.url)
    assert states(proxy, "ready")[-1] == ("seed.py", "ERROR")
    assert "EntityAlreadyExists" in proxy.log
    assert {**after, "messages": 2, "networks": after["networks"][:0]} == {**living, "networks": []}
    assert after["messages"] == 3 and len(after["networks"]) == 3 and set(living["networks"]) < set(after["networks"])


def test_once_per_recording(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """A script that succeeded is left out at the next start, until it is changed."""
    init = tmp_path / "init"
    noting(init / "ready.d" / "1.sh", "one")
    script(init / "ready.d" / "2.sh", f"echo two >> {init}/noted; test -e {init}/well\n")
    with upstream() as url:
        proxy = start_proxy("--upstream", url, "--init-dir", str(init), "--init-run", "once")

        def noted() -> list[str]:
            proxy.wait_until("/_replay/ready", [200])
            words = (init / "noted").read_text().split() if (init / "noted").exists() else []
            (init / "noted").unlink(missing_ok=True)
            proxy.stop()
            return words

        assert noted() == ["one", "two"]
        (init / "well").touch()
        noting(init / "ready.d" / "3.sh", "three")
        proxy.again()
        assert noted() == ["two", "three"]  # the second had failed
        assert "this recording has had it" in proxy.log


def test_a_script_runs_again_where_what_it_made_does_not_count(tmp_path: Path) -> None:
    """What was recorded under MANUAL and never saved, and what an older copy of the journal does not hold."""
    seed = Script(script(tmp_path / "seed.sh", "true\n"), "seed.sh", Stage.READY)
    DoneScripts(tmp_path, "a", lambda _seq: True).add(seed, 7)
    assert DoneScripts(tmp_path, "a", lambda seq: seq == 7).has(seed)
    assert not DoneScripts(tmp_path, "a", lambda _seq: False).has(seed)
    assert not DoneScripts(tmp_path, "another recording", lambda _seq: True).has(seed)
    seed.path.write_text("false\n")
    assert not DoneScripts(tmp_path, "a", lambda _seq: True).has(seed)
    seed.path.write_text("true\n")
    for damaged in ("", "[]", "{}", '{"recording": "a", "ready": [1]}', '{"recording": "a", "ready": [{}]}'):
        (tmp_path / "init_scripts.json").write_text(damaged)
        assert not DoneScripts(tmp_path, "a", lambda _seq: True).has(seed)


def test_what_was_never_saved_is_made_again(
    start_proxy: Callable[..., Proxy], start_emulator: Callable[..., Emulator], tmp_path: Path
) -> None:
    if reason := left_out(0.3):
        pytest.skip(reason)
    init = tmp_path / "init"
    program = "boto3.client('sqs').create_queue(QueueName='made')"
    script(init / "ready.d" / "1.py", f"import boto3\n{program}\nopen('{init}/noted', 'a').write('ran ')\n")
    emulator = start_emulator("moto")
    options = ("--upstream", emulator.url, "--init-dir", str(init), "--init-run", "once", "--save-strategy", "MANUAL")
    proxy = start_proxy(*options)
    for runs, saved in ((1, False), (2, True), (2, True)):
        proxy.wait_until("/_replay/ready", [200])
        assert client("sqs", proxy.url).get_queue_url(QueueName="made")
        assert (init / "noted").read_text().split() == ["ran"] * runs
        if saved:
            request = urllib.request.Request(f"{proxy.url}/_localstack/state/save", method="POST", data=b"")
            urllib.request.urlopen(request, timeout=10).read()
        proxy.stop()
        emulator.restart()
        proxy.again()
