"""What the AWS CLI calls services, operations and members."""

from __future__ import annotations

from functools import lru_cache

from botocore import xform_name

_COMMANDS = {"s3": "s3api", "config": "configservice", "codedeploy": "deploy", "runtime.sagemaker": "sagemaker-runtime"}


def cli_service(service: str) -> str:
    """Return the CLI's command for a service: `s3api` for `s3`."""
    return _COMMANDS.get(service, service)


@lru_cache(maxsize=32768)
def cli_name(name: str) -> str:
    """Return an operation or a member as the CLI spells it: `create-queue` for `CreateQueue`."""
    return str(xform_name(name, "-"))
