"""Terraform as a real client: the binary on PATH, the AWS provider from wherever this machine keeps one, no downloads.

The provider is looked for in the folder that REPLAY_TEST_TF_MIRROR names (the one that holds `registry.terraform.io`),
in Terraform's own default mirror folders, and one level below /opt.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.support.clients import CREDENTIALS

ADDRESS = "registry.terraform.io/hashicorp/aws"
MIRROR_VARIABLE = "REPLAY_TEST_TF_MIRROR"
COMMAND_LIMIT = 1200.0


def mirrors() -> Iterable[Path]:
    """Folders that may hold `registry.terraform.io/hashicorp/aws`, the most specific first."""
    named = os.environ.get(MIRROR_VARIABLE)
    if named:
        yield Path(named)
    yield Path.home() / ".terraform.d/plugins"
    yield Path("/usr/local/share/terraform/plugins")
    yield Path("/usr/share/terraform/plugins")
    for found in sorted(Path("/opt").glob(f"*/{ADDRESS}")):
        yield found.parents[2]


def provider_folder() -> Path | None:
    """The folder of an unpacked AWS provider for this machine, the newest version."""
    machine = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    target = f"{platform.system().lower()}_{machine}"
    for mirror in mirrors():
        found = [
            folder for folder in mirror.glob(f"{ADDRESS}/*/{target}") if any(folder.glob("terraform-provider-aws*"))
        ]
        if found:
            return max(
                found,
                key=lambda folder: [int(part) for part in folder.parent.name.split(".") if part.isdigit()],
            )
    return None


def missing_terraform() -> str | None:
    """Why Terraform cannot run here, or None where it can."""
    if shutil.which("terraform") is None:
        return "terraform is not on PATH"
    if provider_folder() is None:
        return f"no unpacked {ADDRESS} provider in any mirror folder ({MIRROR_VARIABLE} names one)"
    return None


def function_zip(path: Path) -> Path:
    """A Lambda deployment package, the same bytes each time."""
    with zipfile.ZipFile(path, "w") as package:
        entry = zipfile.ZipInfo("worker.py", (2020, 1, 1, 0, 0, 0))
        package.writestr(entry, "def handle(event, context):\n    return {'statusCode': 200}\n")
    return path


class Terraform:
    """One working folder with the given `.tf` files and its local state, against one endpoint.

    The provider is taken by `dev_overrides`: without them Terraform hashes its several hundred megabytes at every command.
    Each command starts a process for each provider block, which builds the schemas of all resource types: with GOGC at 400
    that takes two thirds of the processor time that it takes else.
    """

    def __init__(
        self, folder: Path, files: Iterable[Path], url: str, variables: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
        self.folder = folder
        provider = provider_folder()
        assert provider is not None
        settings = folder / "terraform.rc"
        settings.write_text(
            "disable_checkpoint = true\nprovider_installation {\n  dev_overrides {\n"
            f'    "{ADDRESS}" = {json.dumps(str(provider))}\n  }}\n}}\n'
        )
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_MAX_ATTEMPTS": "2",
            "NO_PROXY": "127.0.0.1,localhost",
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "GOGC": "400",
        }
        self.variables(**(variables or {}))

    def variables(self, **values: str) -> None:
        """Set input variables for the commands to come."""
        self.environment.update({f"TF_VAR_{name}": value for name, value in values.items()})

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Output and exit status of one command, stderr joined to stdout."""
        return subprocess.run(
            ["terraform", *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_LIMIT,
            check=False,
        )

    def must(self, *words: str) -> str:
        """The output of a command that has to succeed."""
        done = self.run(*words)
        assert done.returncode == 0, f"terraform {' '.join(words)}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def apply(self, *, refresh: bool = True) -> str:
        """refresh: read every resource before; not needed where a plan has just read them and found no change."""
        return self._carry_out("apply", refresh)

    def destroy(self, *, refresh: bool = True) -> str:
        return self._carry_out("destroy", refresh)

    def _carry_out(self, verb: str, refresh: bool) -> str:
        words = [verb, "-auto-approve", "-no-color", "-compact-warnings", "-parallelism=20"]
        return self.must(*words, f"-refresh={str(refresh).lower()}")

    def changes(self) -> str:
        """What a plan would change: empty for "no changes" (`-detailed-exitcode` 0), else its text."""
        done = self.run("plan", "-detailed-exitcode", "-no-color", "-compact-warnings", "-parallelism=20")
        return "" if done.returncode == 0 else f"exit {done.returncode}\n{done.stdout}"

    def resources(self) -> list[str]:
        """Addresses of the managed resources in the state."""
        return sorted(
            ".".join(filter(None, (each.get("module"), each["type"], each["name"]))) + index_of(instance)
            for each in self._state()["resources"]
            if each["mode"] == "managed"
            for instance in each["instances"]
        )

    def outputs(self) -> dict[str, Any]:
        """As the last apply left them: a plan writes no state, it has a change where an output would become another."""
        return {name: output["value"] for name, output in self._state()["outputs"].items()}

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.folder / "terraform.tfstate").read_text())
        return state


def index_of(instance: Mapping[str, Any]) -> str:
    """What the address of an instance ends with: nothing where the resource has neither `count` nor `for_each`."""
    return f"[{json.dumps(instance['index_key'])}]" if "index_key" in instance else ""
