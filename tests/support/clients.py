"""Real clients."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config
from botocore.loaders import Loader

from tests.support.processes import aws_cli

REGION = "us-east-1"
_MODELS = Loader()
"""Shared by all clients, so that each model is read once: it takes longer than what most tests do with it."""
_SESSIONS: dict[tuple[str, str], boto3.Session] = {}
"""By credential and region: a session takes longer to make than the clients that are made from it."""
_ONE_AT_A_TIME = threading.Lock()
"""Sessions are not made for several threads; their clients are."""
SOON: Any = {"Delay": 0.2, "MaxAttempts": 300}
"""For waiters: looks often, and for a minute."""
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION}


def client(service: str, url: str, *, region: str = REGION, key: str = "test", **config: Any) -> Any:
    """A boto3 client as a user would make it, with path-style S3 addresses unless told otherwise."""
    config.setdefault("s3", {"addressing_style": "path"})
    config.setdefault("retries", {"max_attempts": 1})
    with _ONE_AT_A_TIME:
        if (key, region) not in _SESSIONS:
            core = botocore.session.Session()
            core.register_component("data_loader", _MODELS)
            _SESSIONS[key, region] = boto3.Session(
                botocore_session=core, aws_access_key_id=key, aws_secret_access_key="test", region_name=region
            )
        return _SESSIONS[key, region].client(service, endpoint_url=url, config=Config(**config))


def aws(url: str, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the AWS CLI against `url`. For SQS, version 1 of it ignores AWS_ENDPOINT_URL and needs the option."""
    command = aws_cli()
    assert command is not None
    if words[0] == "sqs":
        words = ("--endpoint-url", url, *words)
    environment = {
        **os.environ,
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": url,
        "AWS_PAGER": "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    environment.pop("AWS_CA_BUNDLE", None)
    return subprocess.run([command, *words], env=environment, capture_output=True, text=True, check=check, timeout=120)
