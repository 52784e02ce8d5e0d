"""States as facts that can be united like sets: what somebody did through the API, and what the API shows of it.

A fact is a path (service, region, resource, what of it) and a value. A resource is a fact, and so is each attribute that somebody
set, each tag, item, object, message, rule, target, record set. Two states are united by uniting their facts; what two sides
have under one path is one thing.
"""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from tests.support.clients import client as new_client

Facts = dict[tuple[str, ...], Any]
REGIONS = ("us-east-1", "us-west-2")
GLOBAL = ("s3", "iam", "route53")
DEFAULTS = {
    "VisibilityTimeout": "30",
    "DelaySeconds": "0",
    "MaximumMessageSize": "262144",
    "MessageRetentionPeriod": "345600",
}
LARGEST = ("262144", "1048576")
"""How large a message may be where nobody said it: the limit was raised in 2025."""
DOCUMENT = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


@lru_cache(maxsize=64)
def client(service: str, url: str, region: str = REGIONS[0]) -> Any:
    """A client, made once."""
    return new_client(service, url, region=region)


@dataclass
class Player:
    """Somebody who works on a state: does steps through the API, and keeps the facts that they come to.

    side: stands in every value, so that it shows who wrote it.
    """

    url: str
    side: str
    facts: Facts = field(default_factory=dict)
    counter: int = 0
    done: list[str] = field(default_factory=list)

    def client(self, service: str, region: int = 0) -> Any:
        return client(service, self.url, REGIONS[region % 2])

    def value(self) -> str:
        """A value that nobody else writes."""
        self.counter += 1
        return f"{self.side}-{self.counter}"

    def do(self, step: tuple[str, int, int, int]) -> None:
        name, a, b, c = step
        self.done.append(f"{name}({a}, {b}, {c})")
        STEPS[name](self, a, b, c)

    def names(self, *path: str) -> list[str]:
        """What there is below a path."""
        return sorted({each[len(path)] for each in self.facts if each[: len(path)] == path and len(each) > len(path)})

    def drop(self, *path: str) -> None:
        for each in [each for each in self.facts if each[: len(path)] == path]:
            del self.facts[each]

    def tag(self, path: tuple[str, ...], tags: dict[str, str]) -> None:
        self.facts.update({(*path, "tag", key): value for key, value in tags.items()})

    def new_tags(self, chosen: int) -> dict[str, str]:
        """None, one or two tags, one of them of a key that the other side uses, too."""
        return dict([("both", self.value()), (f"of-{self.side}", self.value())][: chosen % 3])


def as_list(tags: dict[str, str], key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


# -- queues ------------------------------------------------------------------------------------------------------------


def queue_url(player: Player, region: int, name: str) -> str:
    return str(player.client("sqs", region).get_queue_url(QueueName=name)["QueueUrl"])


def queue(player: Player, a: int, b: int, c: int) -> None:
    """Make a queue with attributes and tags; change those of one that is there."""
    region, name = c % 2, f"q{a % 2}"
    path, sqs = ("sqs", REGIONS[region], name), player.client("sqs", region)
    player.counter += 1
    attributes = dict(
        list({"VisibilityTimeout": "60", "DelaySeconds": "0", "MessageRetentionPeriod": "86400"}.items())[b % 3 :][:1]
    )
    attributes = {
        key: str(int(text) + player.counter % 300 + 1) for key, text in attributes.items() if key != "DelaySeconds"
    }
    if path in player.facts:
        url = queue_url(player, region, name)
        if attributes:
            sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes)
        tags = player.new_tags(b + 1)
        if tags:
            sqs.tag_queue(QueueUrl=url, Tags=tags)
    else:
        tags = player.new_tags(b)
        sqs.create_queue(QueueName=name, Attributes=attributes, tags=tags)
        player.facts[path] = True
    player.facts.update({(*path, key): text for key, text in attributes.items()})
    player.tag(path, tags)


def some_queue(player: Player, a: int, c: int) -> tuple[int, str] | None:
    for region in (c % 2, 1 - c % 2):
        names = player.names("sqs", REGIONS[region])
        if names:
            return region, names[a % len(names)]
    return None


def untag_queue(player: Player, a: int, b: int, c: int) -> None:
    if (found := some_queue(player, a, c)) is not None:
        path = ("sqs", REGIONS[found[0]], found[1])
        keys = player.names(*path, "tag")
        if keys:
            key = keys[b % len(keys)]
            player.client("sqs", found[0]).untag_queue(QueueUrl=queue_url(player, *found), TagKeys=[key])
            player.drop(*path, "tag", key)


def send(player: Player, a: int, b: int, c: int) -> None:
    """Send one message, or several with one call."""
    if (found := some_queue(player, a, c)) is None:
        return
    sqs, url = player.client("sqs", found[0]), queue_url(player, *found)
    bodies = [player.value() for _each in range(1 + b % 3)]
    if len(bodies) == 1:
        sqs.send_message(QueueUrl=url, MessageBody=bodies[0])
    else:
        sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": f"i{at}", "MessageBody": each} for at, each in enumerate(bodies)]
        )
    for each in bodies:
        player.facts["sqs", REGIONS[found[0]], found[1], "message", each] = True


def consume(player: Player, a: int, b: int, c: int) -> None:
    """Take one message of a queue."""
    if (found := some_queue(player, a, c)) is None:
        return
    sqs, url = player.client("sqs", found[0]), queue_url(player, *found)
    for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1).get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        player.drop("sqs", REGIONS[found[0]], found[1], "message", message["Body"])


def delete_queue(player: Player, a: int, b: int, c: int) -> None:
    if b % 3 == 0 and (found := some_queue(player, a, c)) is not None:
        player.client("sqs", found[0]).delete_queue(QueueUrl=queue_url(player, *found))
        player.drop("sqs", REGIONS[found[0]], found[1])


def read_queues(url: str, region: str) -> Facts:
    sqs, facts = client("sqs", url, region), Facts()
    for each in sqs.list_queues().get("QueueUrls", []):
        path = ("sqs", region, each.rpartition("/")[2])
        facts[path] = True
        shown = sqs.get_queue_attributes(QueueUrl=each, AttributeNames=["All"])["Attributes"]
        facts |= {
            (*path, key): shown[key]
            for key, usual in DEFAULTS.items()
            if shown.get(key, usual) not in (usual, *LARGEST)
        }
        facts |= {(*path, "tag", key): text for key, text in sqs.list_queue_tags(QueueUrl=each).get("Tags", {}).items()}
        count = int(shown["ApproximateNumberOfMessages"])
        seen: dict[str, str] = {}
        for _turn in range(4 * count + 4 if count else 0):
            taken = sqs.receive_message(QueueUrl=each, MaxNumberOfMessages=10, VisibilityTimeout=0)
            seen |= {message["MessageId"]: message["Body"] for message in taken.get("Messages", [])}
            if len(seen) >= count:
                break
        bodies = list(seen.values())
        facts |= {(*path, "message", body): True if bodies.count(body) == 1 else bodies.count(body) for body in bodies}
    return facts


# -- tables ------------------------------------------------------------------------------------------------------------


def table(player: Player, a: int, b: int, c: int) -> None:
    name = f"table{a % 2}"
    path = ("dynamodb", REGIONS[c % 2], name)
    if path in player.facts:
        return
    tags = player.new_tags(b)
    more = {"Tags": as_list(tags)} if tags else {}
    player.client("dynamodb", c).create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    player.facts[path] = True
    player.tag(path, tags)


def items(player: Player, a: int, b: int, c: int) -> None:
    """Write an item into each table of a region: each by a call of its own, or all by one, in one of the forms that there are."""
    region = c % 2
    tables = player.names("dynamodb", REGIONS[region])
    if not tables:
        region = 1 - region
        tables = player.names("dynamodb", REGIONS[region])
    if not tables:
        return
    dynamodb = player.client("dynamodb", region)
    texts = {name: player.value() for name in tables}
    # moto (5.2) takes one key in two tables of a batch for a repetition.
    keys = {name: f"k{a % 4}-{name}" for name in tables}
    made = {name: {"id": {"S": keys[name]}, "v": {"S": text}} for name, text in texts.items()}
    own = {name: {"id": {"S": f"own-{player.side}-{name}"}, "v": {"S": player.value()}} for name in tables}
    match b % 6:
        case 0:
            for name, item in made.items():
                dynamodb.put_item(TableName=name, Item=item)
        case 1:
            dynamodb.batch_write_item(
                RequestItems={
                    name: [{"PutRequest": {"Item": each}} for each in (item, own[name])] for name, item in made.items()
                }
            )
        case 2:
            dynamodb.transact_write_items(
                TransactItems=[
                    {"Put": {"TableName": name, "Item": each}}
                    for name, item in made.items()
                    for each in (item, own[name])
                ]
            )
        case 3:
            for name, text in texts.items():
                dynamodb.update_item(
                    TableName=name,
                    Key={"id": {"S": keys[name]}},
                    UpdateExpression="SET v = :v",
                    ExpressionAttributeValues={":v": {"S": text}},
                )
        case 4:
            for name, text in texts.items():
                statement(dynamodb, player, ("dynamodb", REGIONS[region], name), keys[name], text)
        case _:
            for name in tables:
                dynamodb.delete_item(TableName=name, Key={"id": {"S": keys[name]}})
                player.drop("dynamodb", REGIONS[region], name, "item", keys[name])
            return
    for name, text in texts.items():
        path = ("dynamodb", REGIONS[region], name, "item")
        player.facts[*path, keys[name]] = text
        if b % 6 in (1, 2):
            player.facts[*path, own[name]["id"]["S"]] = own[name]["v"]["S"]


def statement(dynamodb: Any, player: Player, path: tuple[str, ...], key: str, text: str) -> None:
    """Write an item in PartiQL, which has no way to write one whether it is there or not."""
    if (*path, "item", key) in player.facts:
        text = f"UPDATE \"{path[2]}\" SET v = '{text}' WHERE id = '{key}'"
    else:
        text = f"INSERT INTO \"{path[2]}\" VALUE {{'id': '{key}', 'v': '{text}'}}"
    dynamodb.execute_statement(Statement=text)  # with parameters moto (5.2) answers 500


def read_tables(url: str, region: str) -> Facts:
    dynamodb, facts = client("dynamodb", url, region), Facts()
    for name in dynamodb.list_tables()["TableNames"]:
        path = ("dynamodb", region, name)
        facts[path] = True
        arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
        tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
        facts |= {(*path, "tag", each["Key"]): each["Value"] for each in tags}
        shown = dynamodb.scan(TableName=name)["Items"]
        facts |= {(*path, "item", each["id"]["S"]): each["v"]["S"] for each in shown}
    return facts


# -- buckets -----------------------------------------------------------------------------------------------------------


def bucket(player: Player, a: int, b: int, c: int) -> None:
    """Make a bucket, or set its tags or its policy."""
    name, s3 = f"bucket-{a % 2}", player.client("s3")
    path = ("s3", "", name)
    if path not in player.facts:
        s3.create_bucket(Bucket=name)
        player.facts[path] = True
    elif b % 2 and (tags := player.new_tags(c)):
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": as_list(tags)})
        player.drop(*path, "tag")
        player.tag(path, tags)
    else:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        player.facts[*path, "versioning"] = "Enabled"


def objects(player: Player, a: int, b: int, c: int) -> None:
    """Write objects, or delete several with one call."""
    names = player.names("s3", "")
    if not names:
        return
    name, s3 = names[a % len(names)], player.client("s3")
    path = ("s3", "", name, "object")
    if c % 4 == 0:
        keys = [f"o{b % 3}", f"o{(b + 1) % 3}"]
        s3.delete_objects(Bucket=name, Delete={"Objects": [{"Key": each} for each in keys]})
        for each in keys:
            player.drop(*path, each)
        return
    for at in range(1 + c % 2):
        text = player.value()
        s3.put_object(Bucket=name, Key=f"o{(b + at) % 3}", Body=text.encode())
        player.facts[*path, f"o{(b + at) % 3}"] = text


def read_buckets(url: str, region: str) -> Facts:
    s3, facts = client("s3", url), Facts()
    for name in (each["Name"] for each in s3.list_buckets()["Buckets"]):
        path = ("s3", "", name)
        facts[path] = True
        with suppress(ClientError):
            tags = s3.get_bucket_tagging(Bucket=name)["TagSet"]
            facts |= {(*path, "tag", each["Key"]): each["Value"] for each in tags}
        if status := s3.get_bucket_versioning(Bucket=name).get("Status"):
            facts[*path, "versioning"] = status
        for each in s3.list_objects_v2(Bucket=name).get("Contents", []):
            body = s3.get_object(Bucket=name, Key=each["Key"])["Body"].read()
            facts[*path, "object", each["Key"]] = body.decode()
    return facts


# -- topics ------------------------------------------------------------------------------------------------------------


def topic(player: Player, a: int, b: int, c: int) -> None:
    """Make a topic, set its attributes, or subscribe a queue to it."""
    name, region = f"topic-{a % 2}", c % 2
    path, sns = ("sns", REGIONS[region], name), player.client("sns", region)
    tags = player.new_tags(b) if path not in player.facts else {}
    arn = sns.create_topic(Name=name, **({"Tags": as_list(tags)} if tags else {}))["TopicArn"]
    player.facts[path] = True
    player.tag(path, tags)
    if b % 3 == 0:
        text = player.value()
        sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue=text)
        player.facts[*path, "DisplayName"] = text
    names = player.names("sqs", REGIONS[region])
    if b % 3 == 1 and names:
        chosen = names[a % len(names)]
        sqs = player.client("sqs", region)
        endpoint = sqs.get_queue_attributes(QueueUrl=queue_url(player, region, chosen), AttributeNames=["QueueArn"])
        given = {"TopicArn": arn, "Protocol": "sqs", "Endpoint": endpoint["Attributes"]["QueueArn"]}
        held = sns.subscribe(**given, ReturnSubscriptionArn=True)["SubscriptionArn"]
        text = json.dumps({"side": [player.value()]})
        sns.set_subscription_attributes(SubscriptionArn=held, AttributeName="FilterPolicy", AttributeValue=text)
        player.facts[*path, "subscription", chosen] = True
        player.facts[*path, "subscription", chosen, "FilterPolicy"] = text


def read_topics(url: str, region: str) -> Facts:
    sns, facts = client("sns", url, region), Facts()
    for arn in (each["TopicArn"] for each in sns.list_topics()["Topics"]):
        path = ("sns", region, arn.rpartition(":")[2])
        facts[path] = True
        name = sns.get_topic_attributes(TopicArn=arn)["Attributes"].get("DisplayName")
        if name and name != path[2]:
            facts[*path, "DisplayName"] = name
        facts |= {
            (*path, "tag", each["Key"]): each["Value"] for each in sns.list_tags_for_resource(ResourceArn=arn)["Tags"]
        }
        for each in sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]:
            own = (*path, "subscription", each["Endpoint"].rpartition(":")[2])
            facts[own] = True if own not in facts else "doubled"
            shown = sns.get_subscription_attributes(SubscriptionArn=each["SubscriptionArn"])["Attributes"]
            if policy := shown.get("FilterPolicy"):
                facts[*own, "FilterPolicy"] = policy
    return facts


# -- roles -------------------------------------------------------------------------------------------------------------


def role(player: Player, a: int, b: int, c: int) -> None:
    """Make a role, then give it policies and take them away."""
    name, iam = f"role-{a % 2}", player.client("iam")
    path = ("iam", "", name)
    if path not in player.facts:
        trust = {"Version": "2012-10-17", "Statement": []}
        tags = player.new_tags(b)
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), Tags=as_list(tags))
        player.facts[path] = True
        player.tag(path, tags)
        return
    policy = f"p{c % 2}"
    if b % 3 == 2 and (*path, "policy", policy) in player.facts:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
        player.drop(*path, "policy", policy)
        return
    text = player.value()
    document = {"Version": "2012-10-17", "Statement": [{**DOCUMENT, "Sid": text.replace("-", "")}]}
    iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))
    player.facts[*path, "policy", policy] = text.replace("-", "")


def worker(player: Player) -> str:
    """The ARN of a role for functions, which must be there before them."""
    path, iam = ("iam", "", "worker"), player.client("iam")
    if path not in player.facts:
        trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName=path[2], AssumeRolePolicyDocument=document)
        player.facts[path] = True
    return str(iam.get_role(RoleName=path[2])["Role"]["Arn"])


def read_roles(url: str, region: str) -> Facts:
    iam, facts = client("iam", url), Facts()
    for name in (each["RoleName"] for each in iam.list_roles()["Roles"] if each["Path"] == "/"):
        path = ("iam", "", name)
        facts[path] = True
        facts |= {(*path, "tag", each["Key"]): each["Value"] for each in iam.list_role_tags(RoleName=name)["Tags"]}
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            facts[*path, "policy", policy] = document["Statement"][0]["Sid"]
    return facts


# -- parameters, secrets -------------------------------------------------------------------------------------------------


def parameter(player: Player, a: int, b: int, c: int) -> None:
    name = f"/p{a % 2}"
    path, ssm = ("ssm", REGIONS[c % 2], name), player.client("ssm", c)
    if b % 4 == 3 and path in player.facts:
        ssm.delete_parameter(Name=name)
        player.drop(*path)
    elif b % 4 == 2 and path in player.facts:
        tags = player.new_tags(a + 1)
        if tags:
            ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=name, Tags=as_list(tags))
            player.tag(path, tags)
    else:
        text = player.value()
        ssm.put_parameter(Name=name, Value=text, Type="String", Overwrite=True)
        player.facts[path] = text


def read_parameters(url: str, region: str) -> Facts:
    ssm, facts = client("ssm", url, region), Facts()
    for name in (each["Name"] for each in ssm.describe_parameters()["Parameters"] if each["Name"].startswith("/p")):
        path = ("ssm", region, name)
        facts[path] = ssm.get_parameter(Name=name)["Parameter"]["Value"]
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name)["TagList"]
        facts |= {(*path, "tag", each["Key"]): each["Value"] for each in tags}
    return facts


def secret(player: Player, a: int, b: int, c: int) -> None:
    """Make a secret, or give it another value: by its name, or by its ARN, in which the emulator draws the end."""
    name = f"s{a % 2}"
    path, manager = ("secretsmanager", REGIONS[c % 2], name), player.client("secretsmanager", c)
    text = player.value()
    if path not in player.facts:
        manager.create_secret(Name=name, SecretString=text)
    else:
        held = manager.describe_secret(SecretId=name)["ARN"] if b % 2 else name
        if b % 4 > 1:
            manager.put_secret_value(SecretId=held, SecretString=text)
        else:
            manager.update_secret(SecretId=held, SecretString=text)
        if tags := player.new_tags(b):
            manager.tag_resource(SecretId=held, Tags=as_list(tags))
            player.tag(path, tags)
    player.facts[path] = text


def read_secrets(url: str, region: str) -> Facts:
    manager, facts = client("secretsmanager", url, region), Facts()
    for each in manager.list_secrets()["SecretList"]:
        path = ("secretsmanager", region, each["Name"])
        facts[path] = manager.get_secret_value(SecretId=each["Name"])["SecretString"]
        facts |= {(*path, "tag", tag["Key"]): tag["Value"] for tag in each.get("Tags", [])}
    return facts


# -- log groups --------------------------------------------------------------------------------------------------------


def log_group(player: Player, a: int, b: int, c: int) -> None:
    name = f"/g{a % 2}"
    path, logs = ("logs", REGIONS[c % 2], name), player.client("logs", c)
    if path not in player.facts:
        tags = player.new_tags(b)
        logs.create_log_group(logGroupName=name, **({"tags": tags} if tags else {}))
        player.facts[path] = True
        player.tag(path, tags)
    elif b % 2:
        days = (1, 3, 5, 7, 14, 30)[player.counter % 6]
        logs.put_retention_policy(logGroupName=name, retentionInDays=days)
        player.facts[*path, "retention"] = days
    else:
        stream = f"stream-{c // 2 % 2}"
        if (*path, "stream", stream) not in player.facts:
            logs.create_log_stream(logGroupName=name, logStreamName=stream)
            player.facts[*path, "stream", stream] = True
        events = [{"timestamp": int(time.time() * 1000) + at, "message": player.value()} for at in range(2)]
        logs.put_log_events(logGroupName=name, logStreamName=stream, logEvents=events)
        player.facts |= {(*path, "stream", stream, each["message"]): True for each in events}


def read_log_groups(url: str, region: str) -> Facts:
    logs, facts = client("logs", url, region), Facts()
    for group in logs.describe_log_groups()["logGroups"]:
        path = ("logs", region, group["logGroupName"])
        facts[path] = True
        if "retentionInDays" in group:
            facts[*path, "retention"] = group["retentionInDays"]
        tags = logs.list_tags_log_group(logGroupName=path[2]).get("tags", {})
        facts |= {(*path, "tag", key): text for key, text in tags.items()}
        for stream in logs.describe_log_streams(logGroupName=path[2])["logStreams"]:
            own = (*path, "stream", stream["logStreamName"])
            facts[own] = True
            shown = logs.get_log_events(logGroupName=path[2], logStreamName=own[-1], startFromHead=True)["events"]
            texts = [each["message"] for each in shown]
            facts |= {(*own, text): True if texts.count(text) == 1 else texts.count(text) for text in texts}
    return facts


# -- rules -------------------------------------------------------------------------------------------------------------


def rule(player: Player, a: int, b: int, c: int) -> None:
    """Make a rule, give it targets, several with one call, and take one away."""
    name = f"rule-{a % 2}"
    path, events = ("events", REGIONS[c % 2], name), player.client("events", c)
    if path not in player.facts:
        events.put_rule(Name=name, ScheduleExpression="rate(1 day)", State="DISABLED")
        player.facts[path] = True
        return
    if b % 4 == 3 and (*path, "target", "t0") in player.facts:
        events.remove_targets(Rule=name, Ids=["t0"])
        player.drop(*path, "target", "t0")
        return
    arn = "arn:aws:sqs:us-east-1:000000000000:{}"
    targets = {f"t{at}": arn.format(player.value()) for at in range(1 + b % 3)}
    events.put_targets(Rule=name, Targets=[{"Id": each, "Arn": text} for each, text in targets.items()])
    player.facts |= {(*path, "target", each): text.rpartition(":")[2] for each, text in targets.items()}


def read_rules(url: str, region: str) -> Facts:
    events, facts = client("events", url, region), Facts()
    for name in (each["Name"] for each in events.list_rules()["Rules"]):
        path = ("events", region, name)
        facts[path] = True
        for each in events.list_targets_by_rule(Rule=name)["Targets"]:
            facts[*path, "target", each["Id"]] = each["Arn"].rpartition(":")[2]
    return facts


# -- what is named by drawn identifiers ----------------------------------------------------------------------------------


def rest_api(player: Player, a: int, b: int, c: int) -> None:
    """Add paths to an API: that of the ancestor of both sides, else one of this side alone."""
    gateway = player.client("apigateway")
    names = player.names("apigateway", REGIONS[0])
    known = {each["name"]: each["id"] for each in gateway.get_rest_apis()["items"]}
    if not names or (b % 4 == 0 and f"api-{player.side}" not in names):
        gateway.create_rest_api(name=f"api-{player.side}")
        player.facts["apigateway", REGIONS[0], f"api-{player.side}"] = True
        return
    name = names[a % len(names)]
    path = ("apigateway", REGIONS[0], name, "path")
    below = {each["path"]: each["id"] for each in gateway.get_resources(restApiId=known[name])["items"]}
    first = f"/p{b % 2}"
    chosen = (first, f"{first}/below") if c % 2 else (first,)
    for each in chosen:
        if each not in below:
            parent, _, part = each.rpartition("/")
            made = gateway.create_resource(restApiId=known[name], parentId=below[parent or "/"], pathPart=part)
            below[each] = made["id"]
            player.facts[*path, each] = True
    method = "GET" if player.counter % 2 else "PUT"
    if (*path, chosen[-1], method) not in player.facts:
        gateway.put_method(
            restApiId=known[name], resourceId=below[chosen[-1]], httpMethod=method, authorizationType="NONE"
        )
        player.facts[*path, chosen[-1], method] = True
    player.counter += 1


def read_rest_apis(url: str, region: str) -> Facts:
    gateway, facts = client("apigateway", url), Facts()
    for api in gateway.get_rest_apis()["items"]:
        path = ("apigateway", REGIONS[0], api["name"])
        facts[path] = True if path not in facts else "doubled"
        for each in gateway.get_resources(restApiId=api["id"])["items"]:
            if each["path"] != "/":
                own = (*path, "path", each["path"])
                facts[own] = True if own not in facts else "doubled"
                facts |= {(*own, method): True for method in each.get("resourceMethods") or {}}
    return facts


def network(player: Player, a: int, b: int, c: int) -> None:
    """Make a network, subnets and groups in it, and tag several of them with one call."""
    ec2 = player.client("ec2")
    names = player.names("ec2", REGIONS[0])
    if not names or (b % 5 == 0 and f"vpc-{player.side}" not in names):
        name = f"vpc-{player.side}"
        made = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.create_tags(Resources=[made], Tags=[{"Key": "Name", "Value": name}])
        player.facts["ec2", REGIONS[0], name] = True
        return
    name = names[a % len(names)]
    path = ("ec2", REGIONS[0], name)
    held = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [name]}])["Vpcs"][0]["VpcId"]
    mine = [{"Name": "vpc-id", "Values": [held]}]
    if b % 5 in (1, 2):
        block = f"10.0.{c % 3}.0/24"
        if (*path, "subnet", block) not in player.facts:
            ec2.create_subnet(VpcId=held, CidrBlock=block)
            player.facts[*path, "subnet", block] = True
    elif b % 5 == 3:
        group = f"group-{c % 2}"
        if (*path, "group", group) not in player.facts:
            ec2.create_security_group(VpcId=held, GroupName=group, Description="d")
            player.facts[*path, "group", group] = True
    subnets = ec2.describe_subnets(Filters=mine)["Subnets"]
    groups = [
        each for each in ec2.describe_security_groups(Filters=mine)["SecurityGroups"] if each["GroupName"] != "default"
    ]
    text = player.value()
    tagged = [held, *(each["SubnetId"] for each in subnets), *(each["GroupId"] for each in groups)]
    key = ("both", f"of-{player.side}")[c % 2]
    ec2.create_tags(Resources=tagged, Tags=[{"Key": key, "Value": text}])
    player.facts[*path, "tag", key] = text
    player.facts |= {(*path, "subnet", each["CidrBlock"], "tag", key): text for each in subnets}
    player.facts |= {(*path, "group", each["GroupName"], "tag", key): text for each in groups}


def read_networks(url: str, region: str) -> Facts:
    ec2, facts = client("ec2", url), Facts()
    for vpc in ec2.describe_vpcs()["Vpcs"]:
        tags = {each["Key"]: each["Value"] for each in vpc.get("Tags", [])}
        if "Name" not in tags:
            continue
        path = ("ec2", REGIONS[0], tags.pop("Name"))
        facts[path] = True if path not in facts else "doubled"
        facts |= {(*path, "tag", key): text for key, text in tags.items()}
        mine = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        found = [("subnet", each["CidrBlock"], each) for each in ec2.describe_subnets(Filters=mine)["Subnets"]]
        found += [
            ("group", each["GroupName"], each) for each in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]
        ]
        for what, name, each in found:
            if name != "default":
                facts[*path, what, name] = True if (*path, what, name) not in facts else "doubled"
                facts |= {(*path, what, name, "tag", tag["Key"]): tag["Value"] for tag in each.get("Tags", [])}
    return facts


def zone(player: Player, a: int, b: int, c: int) -> None:
    """Make a zone; write and delete several of its records with one call."""
    route53 = player.client("route53")
    names = player.names("route53", "")
    if not names or (b % 5 == 0 and f"{player.side}.test." not in names):
        route53.create_hosted_zone(Name=f"{player.side}.test.", CallerReference=player.value())
        player.facts["route53", "", f"{player.side}.test."] = True
        return
    name = names[a % len(names)]
    path = ("route53", "", name, "record")
    held = next(each["Id"] for each in route53.list_hosted_zones()["HostedZones"] if each["Name"] == name)
    changes = []
    for at in range(1 + b % 3):
        own, text = f"r{(c + at) % 3}.{name}", player.value()
        action, records = "UPSERT", {"Name": own, "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": f'"{text}"'}]}
        if at == 2 and (*path, own) in player.facts:
            action, records["ResourceRecords"] = "DELETE", [{"Value": f'"{player.facts[*path, own]}"'}]
            player.drop(*path, own)
        else:
            player.facts[*path, own] = text
        changes.append({"Action": action, "ResourceRecordSet": records})
    route53.change_resource_record_sets(HostedZoneId=held, ChangeBatch={"Changes": changes})


def read_zones(url: str, region: str) -> Facts:
    route53, facts = client("route53", url), Facts()
    for held in route53.list_hosted_zones()["HostedZones"]:
        path = ("route53", "", held["Name"])
        facts[path] = True if path not in facts else "doubled"
        for each in route53.list_resource_record_sets(HostedZoneId=held["Id"])["ResourceRecordSets"]:
            if each["Type"] == "TXT":
                facts[*path, "record", each["Name"]] = each["ResourceRecords"][0]["Value"].strip('"')
    return facts


def function(player: Player, a: int, b: int, c: int) -> None:
    """Make a function, or set its variables or its time."""
    name = f"f{a % 2}"
    path, functions = ("lambda", REGIONS[c % 2], name), player.client("lambda", c)
    if path not in player.facts:
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w") as archive:
            archive.writestr("index.py", "def handler(event, context): return 1")
        given = {"Runtime": "python3.12", "Handler": "index.handler", "Role": worker(player)}
        tags = player.new_tags(b)
        functions.create_function(FunctionName=name, Code={"ZipFile": sink.getvalue()}, Tags=tags, **given)
        player.facts[path] = True
        player.tag(path, tags)
    elif b % 2:
        text = player.value()
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"V": text}})
        player.facts[*path, "V"] = text
    else:
        player.counter += 1
        functions.update_function_configuration(FunctionName=name, Timeout=4 + player.counter % 100)
        player.facts[*path, "Timeout"] = 4 + player.counter % 100


def read_functions(url: str, region: str) -> Facts:
    functions, facts = client("lambda", url, region), Facts()
    for shown in functions.list_functions()["Functions"]:
        path = ("lambda", region, shown["FunctionName"])
        facts[path] = True
        if text := shown.get("Environment", {}).get("Variables", {}).get("V"):
            facts[*path, "V"] = text
        if shown["Timeout"] != 3:
            facts[*path, "Timeout"] = shown["Timeout"]
        tags = functions.list_tags(Resource=shown["FunctionArn"]).get("Tags", {})
        facts |= {(*path, "tag", key): text for key, text in tags.items()}
    return facts


STEPS: dict[str, Callable[[Player, int, int, int], None]] = {
    each.__name__: each
    for each in (
        queue, untag_queue, send, consume, delete_queue, table, items, bucket, objects, topic, role, parameter, secret,
        log_group, rule, rest_api, network, zone, function,
    )
}  # fmt: skip
READERS = (
    read_queues, read_tables, read_buckets, read_topics, read_roles, read_parameters, read_secrets, read_log_groups,
    read_rules, read_rest_apis, read_networks, read_zones, read_functions,
)  # fmt: skip
ONCE = (read_buckets, read_roles, read_rest_apis, read_networks, read_zones)
"""Of what is not looked at in each region."""


def read_facts(url: str) -> Facts:
    """What the API shows."""
    facts = Facts()
    for reader in READERS:
        for region in REGIONS if reader not in ONCE else REGIONS[:1]:
            facts |= reader(url, region)
    return facts


def groups(facts: Facts) -> set[tuple[str, str]]:
    return {path[:2] for path in facts}


def merged(strategy: str, ours: Facts, pod: Facts) -> Facts:
    """What each strategy is defined to make."""
    match strategy:
        case "overwrite":
            return pod
        case "account-region-merge":
            return {path: value for path, value in ours.items() if path[:2] not in groups(pod)} | pod
        case _:
            return ours | pod


def differences(found: Facts, expected: Facts) -> Iterator[str]:
    for path in sorted({*found, *expected}):
        if found.get(path) != expected.get(path):
            yield f"{'/'.join(path)}: {found.get(path)!r}, not {expected.get(path)!r}"
