"""The commands of docs/pods.md, each as it stands there, in a shell: the first ones, remotes, and the four walkthroughs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from replay_proxy.pods.archive import read_archive
from replay_proxy.pods.names import parse_reference
from replay_proxy.pods.state.unpack import records_of
from replay_proxy.pods.store import PodStore
from tests.support.clients import CREDENTIALS, client
from tests.support.processes import Emulator, Proxy, left_out, replay_proxy
from tests.support.storages import Registry, registry_missing

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.skipif(bool(left_out(1)), reason=str(left_out(1))),
    pytest.mark.skipif(bool(registry_missing()), reason=str(registry_missing())),
]
BLOCKS = re.findall(
    r"^```sh\n(.*?)^```",
    (Path(__file__).parents[2] / "docs" / "pods.md").read_text(),
    re.MULTILINE | re.DOTALL,
)
SCRIPTS = {
    # Fails, after it has changed what the pod brought.
    "tests.sh": "aws sqs list-queues | grep -q /a && aws sqs create-queue --queue-name of-the-tests && exit 1",
    "demo.sh": "aws sqs list-queues | grep /a >> seen",
}


class Shell:
    """Runs what the document says, where nothing but this machine's servers are reached."""

    def __init__(self, proxy: Proxy, registry: Registry, storage: Emulator, folder: Path) -> None:
        self.folder = folder
        self.registry = registry.host
        programs = folder / "bin"
        programs.mkdir()
        self._program(programs / "replay-proxy", f'exec {" ".join(replay_proxy())} "$@"')
        for name, text in SCRIPTS.items():
            self._program(folder / name, text)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": proxy.url,
            "AWS_ENDPOINT_URL_S3": storage.url,
            "REPLAY_PODS_DIR": str(folder / "pods"),
            "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    @staticmethod
    def _program(path: Path, text: str) -> None:
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def run(self, block: str) -> str:
        """Run a block until its end, and return what it printed."""
        script = block.replace("registry.example.com", self.registry)
        done = subprocess.run(
            ["bash", "-e", "-c", script],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, block + done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def shell(start_proxy: Callable[..., Proxy], tmp_path: Path) -> Iterator[Shell]:
    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="a", Attributes={"VisibilityTimeout": "60"})
    client("secretsmanager", proxy.url).create_secret(Name="password", SecretString="hunter22-hunter22")
    folder = tmp_path / "work"
    folder.mkdir()
    storage, registry = Emulator("moto", tmp_path), Registry(tmp_path)
    for bucket in ("example-pods", "example-ci"):
        client("s3", storage.url).create_bucket(Bucket=bucket)
    yield Shell(proxy, registry, storage, folder)
    registry.stop()
    storage.stop()


def test_the_document_runs_as_it_stands(shell: Shell) -> None:
    """All blocks, in their order. Nothing is changed in them but the registry's name."""
    begin, remotes, projects, broken, ci, sample = BLOCKS
    sqs = client("sqs", shell.environment["AWS_ENDPOINT_URL"])
    (url,) = sqs.list_queues()["QueueUrls"]
    # There is a second version by the time that it is spoken of; `diff` says by its exit code that something differs.
    again = 'replay-proxy pod save shop\nreplay-proxy() { command replay-proxy "$@" || [ "$2" = diff ]; }\n'
    begin = begin.replace("replay-proxy pod list", f"{again}replay-proxy pod list", 1)
    shell.run(begin.replace("--merge overwrite ", "--merge overwrite --yes "))
    assert "X-Amz-Signature" in shell.run(remotes)

    shell.run(projects)
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["VisibilityTimeout"] == "60"

    shell.run(broken)
    store = PodStore(shell.folder / "taken")
    with (shell.folder / "broken.pod").open("rb") as source, store.layout.writing():
        _descriptor, manifest, _known = read_archive(source, store.layout, "broken.pod")
    records = [*records_of(store.layout, manifest, "")]
    secrets = [each for each in records if each.head and each.head.service == "secretsmanager"]
    assert secrets and all(b"hunter22" not in each.request.body for each in secrets)  # type: ignore[operator]
    # The other way that is told of: a folder that both reach, and a store of somebody else's.
    shell.run(
        "replay-proxy pod push project-a ./shared && REPLAY_PODS_DIR=theirs replay-proxy pod pull project-a ./shared"
    )

    shell.run("replay-proxy pod save seed")
    assert "of-the-tests" in shell.run(ci)
    assert PodStore(shell.folder / "pods").find(parse_reference("end")).number >= 1

    shell.run("replay-proxy pod save sample && replay-proxy pod push sample oci://registry.example.com/samples")
    (shell.folder / "samples").mkdir()
    shell.run("replay-proxy pod save ./samples/sample.pod && replay-proxy pod remove sample --yes")
    shell.run(sample)
    assert len((shell.folder / "seen").read_text().splitlines()) == 2
    assert "a" in {each.rpartition("/")[2] for each in sqs.list_queues()["QueueUrls"]}


def test_one_service_is_reset_and_the_others_stay(shell: Shell) -> None:
    proxy = shell.environment["AWS_ENDPOINT_URL"]
    shell.run("replay-proxy reset --services sqs --yes")
    assert not client("sqs", proxy).list_queues().get("QueueUrls")
    assert len(client("secretsmanager", proxy).list_secrets()["SecretList"]) == 1
