"""Deployment as CDK does it: the template as an asset in the bucket of the bootstrap stack, a change set, its execution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from tests.support.clients import SOON

ASSETS = "cdk-hnb659fds-assets-000000000000-us-east-1"
TOOLKIT = """
Resources:
  StagingBucket:
    Type: AWS::S3::Bucket
    Properties: {BucketName: cdk-hnb659fds-assets-000000000000-us-east-1, VersioningConfiguration: {Status: Enabled}}
  CdkBootstrapVersion:
    Type: AWS::SSM::Parameter
    Properties: {Type: String, Name: /cdk-bootstrap/hnb659fds/version, Value: "21"}
Outputs:
  BucketName: {Value: !Ref StagingBucket}
"""
"""What of `cdk bootstrap` a deployment needs: where assets go, and the version that each template asks for."""

Clients = Callable[[str], Any]
"""From a service's name to a client of it."""


def bootstrap(client: Clients) -> None:
    _deploy(client, "CDKToolkit", TemplateBody=TOOLKIT)


def deploy(client: Clients, name: str, template: str) -> None:
    """Create or update the stack; as CDK does, leave it alone where the template is the one it has."""
    if name in _living(client) and _template_of(client, name) == json.loads(template):
        return
    key = hashlib.sha256(template.encode()).hexdigest() + ".json"
    client("s3").put_object(Bucket=ASSETS, Key=key, Body=template.encode())
    address = client("s3").meta.endpoint_url.replace(
        "127.0.0.1", "localhost"
    )  # moto knows a bucket in a path by that host
    _deploy(client, name, TemplateURL=f"{address}/{ASSETS}/{key}")


def _deploy(client: Clients, name: str, **source: str) -> None:
    cloudformation = client("cloudformation")
    kind = "UPDATE" if name in _living(client) else "CREATE"
    if kind == "UPDATE":
        cloudformation.delete_change_set(StackName=name, ChangeSetName="cdk-deploy-change-set")
    changes = cloudformation.create_change_set(
        StackName=name,
        ChangeSetName="cdk-deploy-change-set",
        ChangeSetType=kind,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        **source,
    )["Id"]
    cloudformation.get_waiter("change_set_create_complete").wait(ChangeSetName=changes, WaiterConfig=SOON)
    cloudformation.execute_change_set(ChangeSetName=changes, StackName=name)
    cloudformation.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName=name, WaiterConfig=SOON)


def _living(client: Clients) -> set[str]:
    stacks = client("cloudformation").describe_stacks()["Stacks"]
    gone = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
    return {each["StackName"] for each in stacks if each["StackStatus"] not in gone}


def _template_of(client: Clients, name: str) -> Any:
    body = client("cloudformation").get_template(StackName=name)["TemplateBody"]
    return json.loads(body) if isinstance(body, str) else body
