"""The environment in which clients reach the proxy: what `env` prints, and what the command of `run` gets.

Clients read AWS_ENDPOINT_URL. A variable for one service wins over it, and another one makes clients ignore it, so these
are taken out of the environment. Clients without credentials refuse to begin, so they get placeholders where nobody
gave them any; emulators check none.

The AWS CLI of version 1 is the exception: for a few services it takes an address from a table of its own, and looks at
no variable (`awscli/customizations/overridesslcommonname.py` in its sources: sqs, emr, rds, docdb, neptune, health).
Only its option `--endpoint-url` helps there, so a command `aws` is given the option, which harms no version.
"""

from __future__ import annotations

import contextlib
import ipaddress
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PLACEHOLDER_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
PLACEHOLDER_REGION = "us-east-1"
NEVER_THROUGH_A_PROXY = ("127.0.0.1", "localhost", "::1")
VERSION_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class ClientEnvironment:
    """What a client's environment needs. variables: to be set. removed: names to be taken out."""

    variables: Mapping[str, str]
    removed: tuple[str, ...]

    def applied_to(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return a copy of `environment` with these changes made."""
        kept = {name: value for name, value in environment.items() if name not in self.removed}
        return {**kept, **self.variables}


def client_environment(url: str, environment: Mapping[str, str]) -> ClientEnvironment:
    """Return what clients that inherit `environment` need in order to reach the proxy at `url` (`http://HOST:PORT`)."""
    variables = {"AWS_ENDPOINT_URL": url, **credentials_for(environment)}
    if any(environment.get(name) for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy")):
        direct = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
        hosts = [host.strip() for host in direct.split(",") if host.strip()]
        joined = ",".join(dict.fromkeys([*hosts, *NEVER_THROUGH_A_PROXY]))
        variables |= {"NO_PROXY": joined, "no_proxy": joined}
    removed = [name for name in environment if name.startswith("AWS_ENDPOINT_URL_")]
    if "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" in environment:
        removed.append("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    return ClientEnvironment(variables, tuple(sorted(removed)))


def credentials_for(environment: Mapping[str, str]) -> dict[str, str]:
    """Return placeholders for the credentials and the region that clients want, where `environment` has none."""
    variables: dict[str, str] = {}
    if not any(environment.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE")):
        variables |= PLACEHOLDER_CREDENTIALS
    if not any(environment.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE")):
        variables |= {"AWS_DEFAULT_REGION": PLACEHOLDER_REGION, "AWS_REGION": PLACEHOLDER_REGION}
    return variables


def client_url(host: str, port: int) -> str:
    """Return the URL at which clients of this machine reach a server that listens on `host` and `port`."""
    with contextlib.suppress(ValueError):  # a name
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def aws_cli_of_version_1(environment: Mapping[str, str]) -> str | None:
    """Return the path of the command `aws` where it is of version 1, or does not say so in time, else None.

    Runs `aws --version`.
    """
    path = shutil.which("aws", path=environment.get("PATH"))
    if path is None:
        return None
    try:
        shown = subprocess.run(
            [path, "--version"],
            capture_output=True,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return path
    except OSError:
        return None
    return path if (shown.stdout + shown.stderr).startswith(b"aws-cli/1.") else None


def write_aws_command(folder: Path, aws: str) -> None:
    """Write a command `aws` into `folder` that runs the one at the path `aws` with the endpoint as an option."""
    command = folder / "aws"
    command.write_text(
        "#!/bin/sh\n"
        "# The AWS CLI of version 1 takes no endpoint for sqs, rds and others from the environment.\n"
        f'exec {shlex.quote(aws)} ${{AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"}} "$@"\n'
    )
    command.chmod(0o700)


def write_awslocal_command(folder: Path, aws: str) -> None:
    """Write a command `awslocal`, as scripts for LocalStack call it, into `folder`: the one at the path `aws`, at the proxy."""
    command = folder / "awslocal"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(aws)} --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n')
    command.chmod(0o700)
