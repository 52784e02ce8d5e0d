"""What an emulator holds, counted and read back through its API: to tell whether a restore was right."""

from __future__ import annotations

import hashlib
from typing import Any

from bench.history import Clients


def census(clients: Clients) -> dict[str, str]:
    """What there is, in a form that two lives of an emulator can be compared by: names and contents, no ids."""
    found: dict[str, str] = {}
    sqs, s3, dynamodb, ec2 = clients["sqs"], clients["s3"], clients["dynamodb"], clients["ec2"]
    numbers = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    queues = sorted(sqs.list_queues().get("QueueUrls", []))
    found["queues"] = str(len(queues))
    messages = [sqs.get_queue_attributes(QueueUrl=url, AttributeNames=numbers)["Attributes"] for url in queues]
    found["messages"] = str(sum(int(each[number]) for each in messages for number in numbers))
    buckets = sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"])
    objects = [f"{b}/{o['Key']} {o['ETag']}" for b in buckets for o in s3.list_objects_v2(Bucket=b).get("Contents", [])]
    found["buckets"], found["objects"] = str(len(buckets)), _digest(objects)
    tables = sorted(dynamodb.list_tables()["TableNames"])
    items = [repr(sorted(i.items())) for t in tables for i in dynamodb.scan(TableName=t)["Items"]]
    found["tables"], found["items"] = str(len(tables)), _digest(items)
    found["parameters"] = _digest(_parameters(clients["ssm"]))
    found["roles"] = _digest([r["RoleName"] for r in clients["iam"].list_roles()["Roles"]])
    found["functions"] = _digest([f["FunctionName"] for f in clients["lambda"].list_functions()["Functions"]])
    found["topics"] = str(len(clients["sns"].list_topics()["Topics"]))
    found["subscriptions"] = str(len(clients["sns"].list_subscriptions()["Subscriptions"]))
    vpcs = [v for v in ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]]
    found["networks"] = _digest([v["CidrBlock"] for v in vpcs])
    ours = {v["VpcId"] for v in vpcs}
    found["subnets"] = _digest([s["CidrBlock"] for s in ec2.describe_subnets()["Subnets"] if s["VpcId"] in ours])
    groups = [g for g in ec2.describe_security_groups()["SecurityGroups"] if g["GroupName"] != "default"]
    found["security groups"] = _digest([f"{g['GroupName']} {len(g['IpPermissions'])}" for g in groups])
    gateway = clients["apigateway"]
    apis = gateway.get_rest_apis()["items"]
    found["paths of REST APIs"] = str(sum(len(gateway.get_resources(restApiId=a["id"])["items"]) for a in apis))
    found["rules"] = str(len(clients["events"].list_rules()["Rules"]))
    found["log groups"] = str(len(clients["logs"].describe_log_groups()["logGroups"]))
    aliases = [a["AliasName"] for a in clients["kms"].list_aliases()["Aliases"] if "alias/aws/" not in a["AliasName"]]
    found["key aliases"] = _digest(aliases)
    found["secrets"] = str(len(clients["secretsmanager"].list_secrets()["SecretList"]))
    return found


def warm(clients: Clients) -> None:
    """At least one read per service, so that what an emulator does at its first use counts for nobody."""
    census(clients)


def _parameters(ssm: Any) -> list[str]:
    pages = ssm.get_paginator("describe_parameters").paginate()
    return [f"{p['Name']} {p['Version']}" for page in pages for p in page["Parameters"]]


def _digest(values: list[str]) -> str:
    """How many, and which."""
    return f"{len(values)} ({hashlib.sha256(chr(10).join(sorted(values)).encode()).hexdigest()[:6]})"
