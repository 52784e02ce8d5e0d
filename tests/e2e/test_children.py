"""Emulators that the proxy starts: they listen on loopback, remember nothing by themselves, and leave nothing behind."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from replay_proxy.emulators.environment import FOR_COMMANDS, LOCALSTACK, MINISTACK, MOTO, child_environment, left_out
from replay_proxy.emulators.kinds import launch_of
from replay_proxy.emulators.process import RUN_NAME, free_port, processes_of
from tests.support import processes
from tests.support.clients import client
from tests.support.processes import Proxy, emulator_command, localstack_python, missing, replay_proxy

pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks at processes and sockets in /proc"),
]

LISTEN, LOOPBACK_4, LOOPBACK_6 = "0A", "0100007F", "00000000000000000000000001000000"
MAPPED = "0000000000000000FFFF0000" + LOOPBACK_4
HANDLER = b"def handler(event, context):\n    return {'ok': True}\n"


UNTOLD = ("java", "node")
"""The programs by which LocalStack runs DynamoDB Local and Kinesis Mock: neither can be told on which interface to listen
(docs/security.md says so)."""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """Where the proxy and its emulators put what they need for a while."""
    place = tmp_path / "t"
    place.mkdir()
    yield place


@pytest.fixture
def started(start_proxy: Callable[..., Proxy], home: Path, emulator_name: str) -> Callable[..., Proxy]:
    def start(*options: str, **environment: str) -> Proxy:
        if (reason := missing(emulator_name)) is not None:
            pytest.skip(reason)
        more = ["--emulator-python", str(localstack_python())] if emulator_name == "localstack" else []
        return start_proxy(
            "--emulator", emulator_name, *more, *options, environment={"TMPDIR": str(home), **environment}
        )

    return start


def run_of(pid: int) -> str:
    """The run that an emulator's process belongs to."""
    return environment_of(pid)[RUN_NAME]


def environment_of(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_text(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def program_of(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/exe").readlink().name
    return ""


def listening(pids: list[int]) -> set[str]:
    """The addresses, as the kernel writes them, on which these processes listen."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for entry in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    inodes.add(str(entry.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            waits = fields[3] == LISTEN if table.startswith("tcp") else set(fields[2].split(":")[0]) == {"0"}
            if fields[9] in inodes and waits:
                found.add(f"{table} {fields[1]}")
    return found


def is_loopback(address: str) -> bool:
    host = address.split()[1].split(":")[0]
    return host in (LOOPBACK_4, LOOPBACK_6, MAPPED)


def tried(call: Callable[..., Any], **parameters: Any) -> None:
    """What may start a server of its own; not every emulator can."""
    with suppress(ClientError, BotoCoreError):
        call(**parameters)


def zipped() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("m.py", HANDLER)
    return packed.getvalue()


def make_servers(url: str) -> None:
    """Make what an emulator may run a server or a process of its own for."""
    short = {"retries": {"total_max_attempts": 1}, "read_timeout": 20}
    tried(client("iot", url, **short).create_thing, thingName="thing")
    tried(client("iot", url, **short).create_keys_and_certificate, setAsActive=True)
    tried(client("transfer", url, **short).create_server)
    tried(client("dsql", url, **short).create_cluster)
    tried(client("kinesis", url, **short).create_stream, StreamName="stream", ShardCount=1)
    tried(
        client("dynamodb", url, **short).create_table,
        TableName="table",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
    )
    functions = client("lambda", url, **short)
    tried(
        functions.create_function,
        FunctionName="f",
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/r",
        Handler="m.handler",
        Code={"ZipFile": zipped()},
    )
    tried(functions.invoke, FunctionName="f")


def gone(run: str, limit: float = 15.0) -> list[int]:
    """The processes of a run that are left when it had time to end."""
    deadline = time.monotonic() + limit
    while (left := processes_of(run)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def emptied(place: Path, limit: float = 15.0) -> list[str]:
    deadline = time.monotonic() + limit
    while (left := sorted(each.name for each in place.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def test_it_listens_on_loopback_alone(started: Callable[..., Proxy], emulator_name: str) -> None:
    proxy = started(
        BIND_HOST="0.0.0.0",
        IOT_MTLS_ENABLED="1",
        IOT_MTLS_PORT=str(free_port()),
        SFTP_HOST="0.0.0.0",
        SFTP_PORT=str(free_port()),
        GATEWAY_LISTEN=f"0.0.0.0:{free_port()}",
        DNS_ADDRESS="0.0.0.0",
        DNS_PORT=str(free_port()),
    )
    pid = proxy.status()["emulator"]["pid"]
    make_servers(proxy.url)
    processes = processes_of(run_of(pid))
    assert pid in processes
    if emulator_name == "localstack":
        processes = [each for each in processes if program_of(each) not in UNTOLD]
    sockets = listening([proxy.process.pid, *processes])
    assert len(sockets) >= 2, sockets
    assert [each for each in sockets if not is_loopback(each)] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_it_leaves_nothing_behind(
    started: Callable[..., Proxy], home: Path, number: signal.Signals, emulator_name: str
) -> None:
    if emulator_name == "localstack" and (why := processes.left_out(0.6)):
        pytest.skip(f"LocalStack ended by {number.name} {why}")
    proxy = started()
    run = run_of(proxy.status()["emulator"]["pid"])
    make_servers(proxy.url)
    assert list(home.iterdir())
    proxy.process.send_signal(number)
    proxy.process.wait(30)
    assert gone(run) == []
    assert emptied(home) == []


def test_an_emulator_that_was_killed_leaves_nothing_to_the_next(
    started: Callable[..., Proxy], home: Path, emulator_name: str
) -> None:
    if emulator_name == "localstack" and (why := processes.left_out(0.7)):
        pytest.skip(f"LocalStack killed and started again {why}")
    proxy = started()
    pid = proxy.status()["emulator"]["pid"]
    run = run_of(pid)
    make_servers(proxy.url)
    before = set(processes_of(run))
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 90
    while proxy.status()["state"] != "ready" or proxy.status()["emulator"]["pid"] in (None, pid):
        assert time.monotonic() < deadline, proxy.log
        time.sleep(0.1)
    assert before.isdisjoint(processes_of(run))
    proxy.stop()
    assert gone(run) == []
    assert emptied(home) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_servers_in_a_session_of_their_own_end_too(
    start_proxy: Callable[..., Proxy], home: Path, number: signal.Signals
) -> None:
    """They are in no process group that could be signalled, and their parent may have gone long ago."""
    port = free_port()
    command, _ = emulator_command("moto", port, home)
    server = (
        "import os, subprocess; subprocess.Popen(['sleep', '600'], start_new_session=True); "
        f"os.execv({command[0]!r}, {command!r})"
    )
    proxy = start_proxy("--upstream", f"http://127.0.0.1:{port}", "--", sys.executable, "-c", server)
    run = run_of(proxy.status()["emulator"]["pid"])
    assert len(processes_of(run)) == 2
    proxy.process.send_signal(number)
    proxy.process.wait(30)
    assert gone(run) == []


@pytest.mark.parametrize(
    "options", [("--emulator-python", "/bin/false"), ("--listen", "{taken}"), ("--data-dir", "{file}")]
)
def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path, home: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("no directory")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        places = {"taken": f"127.0.0.1:{taken.getsockname()[1]}", "file": str(tmp_path / "file")}
        words = [
            "serve",
            "--emulator",
            "moto",
            "--listen",
            f"127.0.0.1:{free_port()}",
            "--data-dir",
            str(tmp_path / "r"),
        ]
        done = subprocess.run(
            [*replay_proxy(), *words, *(word.format(**places) for word in options)],
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": str(home)},
            timeout=60,
            check=False,
        )
    assert done.returncode in (4, 5, 6, 7), done.stderr
    assert emptied(home) == []


HOSTILE = {
    "PERSIST_STATE": "1",
    "S3_PERSIST": "1",
    "LOCALSTACK_PERSISTENCE": "1",
    "MOTO_ENABLE_RECORDING": "1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:9",
}


def test_it_remembers_nothing_by_itself(started: Callable[..., Proxy], tmp_path: Path, emulator_name: str) -> None:
    if emulator_name == "localstack" and (why := processes.left_out(0.4)):
        pytest.skip(f"the memory of LocalStack alone {why}")
    state = tmp_path / "state"
    proxy = started(
        **HOSTILE,
        STATE_DIR=str(state),
        S3_DATA_DIR=str(state / "s3"),
        FILESYSTEM_ROOT=str(state / "root"),
        MOTO_RECORDER_FILEPATH=str(state / "recording"),
    )
    sqs, ec2, s3 = (client(each, proxy.url) for each in ("sqs", "ec2", "s3"))
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="m")
    ec2.create_vpc(CidrBlock="10.5.0.0/16")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"v")

    def read() -> Any:
        count = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
        vpcs = [each["VpcId"] for each in ec2.describe_vpcs()["Vpcs"] if each["CidrBlock"] == "10.5.0.0/16"]
        return count, vpcs, [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]]

    before = read()
    given = environment_of(proxy.status()["emulator"]["pid"])
    assert not any(name.startswith("AWS_ENDPOINT_URL") for name in given)
    for name in ("PERSIST_STATE", "S3_PERSIST", "LOCALSTACK_PERSISTENCE", "MOTO_ENABLE_RECORDING"):
        own = {"moto": MOTO, "ministack": MINISTACK, "localstack": LOCALSTACK}[emulator_name]
        if name in own or name in FOR_COMMANDS:
            assert given.get(name, "0") == "0"
            assert f"does not get {name} from the environment" in proxy.log
    proxy.stop()
    proxy.again()
    assert read() == before
    assert not state.exists()


@pytest.mark.parametrize("name", ["moto", "ministack"])
def test_what_is_withheld_is_what_the_tables_say(name: str, tmp_path: Path) -> None:
    launch = launch_of(name, 1, tmp_path)
    base = dict.fromkeys(launch.withheld, "theirs") | {
        "HOME": "/h",
        "MOTO_ACCOUNT_ID": "1",
        "DATA_DIR": "d",
        "SNAPSHOT_X": "y",
    }
    given = child_environment(base, launch.environment, launch.withheld)
    assert "theirs" not in given.values()
    assert given["MOTO_ACCOUNT_ID"] == "1"
    assert given["PYTHONHASHSEED"] == "0", "sets are listed in another order after each restart"
    assert not {"DATA_DIR", "SNAPSHOT_X"} & set(given)
    assert {each for each, _why in left_out(base, launch.withheld)} == set(launch.withheld)


def test_a_command_of_ones_own_gets_no_persistence_either() -> None:
    assert {"PERSIST_STATE", "S3_PERSIST", "KINESIS_PERSISTENCE"} <= set(FOR_COMMANDS)
    assert child_environment({"PERSIST_STATE": "1", "BIND_HOST": "0.0.0.0"}, {}, FOR_COMMANDS) == {
        "BIND_HOST": "0.0.0.0"
    }
