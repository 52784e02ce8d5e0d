"""What a random history can do: one small act a function, on few names, so that acts meet each other.

An act is called with the lab, what earlier acts made (identifiers by kind, in order) and three small numbers. What the
emulator refuses changes nothing.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.replay.lab import Lab

Made = defaultdict[str, list[Any]]
Act = Callable[[Lab, Made, int, int, int], None]
ACTS: dict[str, Act] = {}

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def act(function: Act) -> Act:
    ACTS[function.__name__] = function
    return function


def pick(made: Made, kind: str, number: int) -> Any:
    """One of what was made; what is gone again among it."""
    known = made[kind]
    return known[number % len(known)] if known else "none"


def policy(resource: str) -> str:
    statement = {"Effect": "Allow", "Action": "*", "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def code() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("i.py", "def h(e, c):\n    return 1\n")
    return content.getvalue()


CODE = code()


@act
def queue(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    sqs = lab.client("sqs")
    url = sqs.create_queue(QueueName=f"q{a}")["QueueUrl"]
    if b == 0:
        sqs.delete_queue(QueueUrl=url)
    elif b == 1:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(40 + c)})
        sqs.tag_queue(QueueUrl=url, Tags={f"t{c}": "x"})
    elif b == 2:
        sqs.untag_queue(QueueUrl=url, TagKeys=["t1"])
        sqs.send_message_batch(
            QueueUrl=url,
            Entries=[{"Id": str(n), "MessageBody": f"m{n}"} for n in range(c)] or [{"Id": "a", "MessageBody": "one"}],
        )
    elif c == 0:
        sqs.purge_queue(QueueUrl=url)


@act
def topic(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    sns = lab.client("sns")
    arn = sns.create_topic(Name=f"n{a}")["TopicArn"]
    if b == 0:
        sns.delete_topic(TopicArn=arn)
    elif b == 1:
        made["subscription"].append(
            sns.subscribe(
                TopicArn=arn, Protocol="sqs", Endpoint=arn.replace(":sns:", ":sqs:").replace(f"n{a}", f"q{c}")
            )["SubscriptionArn"]
        )
    elif b == 2:
        sns.unsubscribe(SubscriptionArn=pick(made, "subscription", c))
    else:
        sns.set_topic_attributes(TopicArn=arn, AttributeName="DisplayName", AttributeValue=f"d{c}")


@act
def bucket(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    s3 = lab.client("s3")
    name = f"bucket-{a}"
    if b == 0:
        s3.create_bucket(Bucket=name)
    elif b == 1:
        s3.put_object(Bucket=name, Key=f"k{c}", Body=b"x" * (c + 1))
    elif b == 2 and c == 0:
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "k", "Value": str(a)}]})
    elif b == 2 and c == 1:
        s3.copy_object(Bucket=name, Key="copy", CopySource=f"{name}/k1")
    elif b == 2 and c == 2:
        s3.put_bucket_policy(Bucket=name, Policy=policy(f"arn:aws:s3:::{name}/*"))
    elif b == 2:
        s3.delete_bucket_policy(Bucket=name)
    elif c:
        s3.delete_object(Bucket=name, Key=f"k{c}")
    else:
        s3.delete_bucket(Bucket=name)


@act
def table(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    dynamodb = lab.client("dynamodb")
    name = f"table{a}"
    if b == 0:
        dynamodb.create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=[{"Key": "made", "Value": str(c)}],
        )
    elif b == 1:
        dynamodb.batch_write_item(
            RequestItems={name: [{"PutRequest": {"Item": {"id": {"S": f"i{n}"}}}} for n in range(c + 1)]}
        )
    elif b == 2:
        dynamodb.delete_item(TableName=name, Key={"id": {"S": f"i{c}"}})
        dynamodb.update_item(
            TableName=name,
            Key={"id": {"S": f"u{c}"}},
            UpdateExpression="SET v = :v",
            ExpressionAttributeValues={":v": {"N": "1"}},
        )
    elif c == 0:
        dynamodb.delete_table(TableName=name)


@act
def role(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    iam = lab.client("iam")
    name = f"role{a}"
    if b == 0:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "n", "Value": str(c)}])
    elif b == 1:
        iam.put_role_policy(RoleName=name, PolicyName=f"inline{c}", PolicyDocument=policy("arn:aws:s3:::bucket-1/*"))
    elif b == 2 and c < 2:
        arn = iam.create_policy(PolicyName=f"policy{a}", PolicyDocument=policy("*"))["Policy"]["Arn"]
        made["policy"].append(arn)
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    elif b == 2:
        iam.detach_role_policy(RoleName=name, PolicyArn=pick(made, "policy", a))
        iam.delete_policy(PolicyArn=pick(made, "policy", a))
    elif c < 2:
        iam.delete_role_policy(RoleName=name, PolicyName=f"inline{c}")
    else:
        iam.delete_role(RoleName=name)


@act
def user(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    iam = lab.client("iam")
    if b == 0:
        iam.create_user(UserName=f"user{a}")
        iam.create_group(GroupName=f"group{a}")
    elif b == 1:
        iam.add_user_to_group(UserName=f"user{a}", GroupName=f"group{c}")
    elif b == 2:
        iam.remove_user_from_group(UserName=f"user{a}", GroupName=f"group{c}")
    elif c < 2:
        iam.delete_user(UserName=f"user{a}")
    else:
        iam.delete_group(GroupName=f"group{a}")


@act
def function(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    functions = lab.client("lambda")
    name = f"fn{a}"
    if b == 0:
        role = lab.client("iam").create_role(RoleName=f"for-{name}", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        functions.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=role,
            Handler="i.h",
            Code={"ZipFile": CODE},
            Environment={"Variables": {"TABLE": f"table{c}"}},
        )
    elif b == 1:
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.create_alias(FunctionName=name, Name=f"alias{c}", FunctionVersion=version)
    elif b == 2:
        functions.update_function_configuration(FunctionName=name, MemorySize=256 + 64 * c)
        functions.add_permission(
            FunctionName=name, StatementId=f"s{c}", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com"
        )
    elif c == 0:
        functions.delete_function(FunctionName=name)
    elif c == 1:
        functions.delete_alias(FunctionName=name, Name="alias1")
    else:
        arn = lab.client("sqs").get_queue_attributes(
            QueueUrl=lab.client("sqs").get_queue_url(QueueName=f"q{a}")["QueueUrl"], AttributeNames=["QueueArn"]
        )
        functions.create_event_source_mapping(FunctionName=name, EventSourceArn=arn["Attributes"]["QueueArn"])


@act
def network(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    ec2 = lab.client("ec2")
    if b == 0:
        made["vpc"].append(
            ec2.create_vpc(
                CidrBlock=f"10.{a}.0.0/16",
                TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "Name", "Value": f"net{a}"}]}],
            )["Vpc"]["VpcId"]
        )
    elif b == 1:
        made["subnet"].append(
            ec2.create_subnet(VpcId=pick(made, "vpc", a), CidrBlock=f"10.{a}.{c}.0/24")["Subnet"]["SubnetId"]
        )
        ec2.create_tags(Resources=[made["subnet"][-1]], Tags=[{"Key": "Name", "Value": f"sub{c}"}])
    elif b == 2 and c < 2:
        made["group"].append(
            ec2.create_security_group(GroupName=f"g{a}", Description="d", VpcId=pick(made, "vpc", a))["GroupId"]
        )
    elif b == 2:
        rule = {"IpProtocol": "tcp", "FromPort": 80 + c, "ToPort": 80 + c, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        ec2.authorize_security_group_ingress(GroupId=pick(made, "group", a), IpPermissions=[rule])
    elif c == 0:
        ec2.delete_subnet(SubnetId=pick(made, "subnet", a))
    elif c == 1:
        ec2.delete_security_group(GroupId=pick(made, "group", a))
    elif c == 2:
        ec2.delete_vpc(VpcId=pick(made, "vpc", a))
    else:
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        made["gateway"].append(gateway)
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=pick(made, "vpc", a))


@act
def containers(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    ecs = lab.client("ecs")
    if b == 0:
        ecs.create_cluster(clusterName=f"cluster{a}")
    elif b == 1:
        ecs.register_task_definition(
            family=f"task{a}", containerDefinitions=[{"name": "c", "image": "i", "memory": 64, "cpu": 1}]
        )
    elif b == 2:
        ecs.create_service(cluster=f"cluster{a}", serviceName=f"service{c}", taskDefinition=f"task{c}", desiredCount=0)
    elif c == 0:
        ecs.delete_cluster(cluster=f"cluster{a}")
    elif c == 1:
        ecs.deregister_task_definition(taskDefinition=f"task{a}:1")
    else:
        ecs.delete_service(cluster=f"cluster{a}", service=f"service{c}", force=True)


@act
def zone(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    route53 = lab.client("route53")
    if b == 0:
        made["zone"].append(
            route53.create_hosted_zone(Name=f"z{a}.example.com", CallerReference=f"{a}{c}{len(made['zone'])}")[
                "HostedZone"
            ]["Id"]
        )
        return
    zone_id = pick(made, "zone", a)
    name = next((z["Name"] for z in route53.list_hosted_zones()["HostedZones"] if z["Id"] == zone_id), "none.")
    if b == 3 and c == 0:
        route53.delete_hosted_zone(Id=zone_id)
    else:
        record = {"Name": f"r{c}.{name}", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "10.0.0.1"}]}
        action = {1: "UPSERT", 2: "CREATE"}.get(b, "DELETE")
        route53.change_resource_record_sets(
            HostedZoneId=zone_id, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]}
        )


@act
def secrets(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    ssm, manager, kms = lab.client("ssm"), lab.client("secretsmanager"), lab.client("kms")
    if b == 0:
        ssm.put_parameter(Name=f"/app/p{a}", Value=f"v{c}", Type="String", Overwrite=True)
        manager.create_secret(Name=f"secret{a}", SecretString="one")
    elif b == 1:
        made["key"].append(kms.create_key(Description=f"k{a}")["KeyMetadata"]["KeyId"])
        kms.create_alias(AliasName=f"alias/a{c}", TargetKeyId=made["key"][-1])
    elif b == 2:
        manager.put_secret_value(SecretId=f"secret{a}", SecretString=f"two{c}")
        kms.tag_resource(KeyId=pick(made, "key", a), Tags=[{"TagKey": "t", "TagValue": str(c)}])
    elif c == 0:
        ssm.delete_parameter(Name=f"/app/p{a}")
    elif c == 1:
        manager.delete_secret(SecretId=f"secret{a}", ForceDeleteWithoutRecovery=True)
    elif c == 2:
        kms.delete_alias(AliasName=f"alias/a{a}")
    else:
        ssm.delete_parameters(Names=[f"/app/p{a}", "/app/p1"])


@act
def events(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    client = lab.client("events")
    bus = {"EventBusName": "bus1"} if c == 1 else {}
    if b == 0:
        client.create_event_bus(Name="bus1") if c == 1 else client.put_rule(
            Name=f"rule{a}", ScheduleExpression="rate(1 day)"
        )
    elif b == 1:
        client.put_rule(Name=f"rule{a}", EventPattern='{"source":["s"]}', **bus)
        client.put_targets(
            Rule=f"rule{a}", Targets=[{"Id": f"t{c}", "Arn": f"arn:aws:sqs:us-east-1:123456789012:q{c}"}], **bus
        )
    elif b == 2:
        client.remove_targets(Rule=f"rule{a}", Ids=[f"t{c}"], **bus)
    else:
        client.delete_rule(Name=f"rule{a}", **bus)


@act
def logs(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    client = lab.client("logs")
    group = f"/group/{a}"
    if b == 0:
        client.create_log_group(logGroupName=group)
    elif b == 1:
        client.create_log_stream(logGroupName=group, logStreamName=f"stream{c}")
    elif b == 2:
        client.put_retention_policy(logGroupName=group, retentionInDays=[1, 3, 5, 7][c])
    elif c == 0:
        client.delete_log_group(logGroupName=group)
    else:
        client.delete_log_stream(logGroupName=group, logStreamName=f"stream{c}")


@act
def rest_api(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    client = lab.client("apigateway")
    if b == 0:
        api = client.create_rest_api(name=f"api{a}")
        made["rest"].append((api["id"], client.get_resources(restApiId=api["id"])["items"][0]["id"]))
        return
    api_id, root = pick(made, "rest", a) if made["rest"] else ("none", "none")
    if b == 1:
        made["path"].append((api_id, client.create_resource(restApiId=api_id, parentId=root, pathPart=f"p{c}")["id"]))
    elif b == 2:
        api_id, path = pick(made, "path", c) if made["path"] else ("none", "none")
        client.put_method(restApiId=api_id, resourceId=path, httpMethod="GET", authorizationType="NONE")
        client.put_integration(restApiId=api_id, resourceId=path, httpMethod="GET", type="MOCK")
        client.create_deployment(restApiId=api_id, stageName=f"stage{a}")
    elif c == 0:
        client.delete_rest_api(restApiId=api_id)
    elif c == 1:
        client.delete_stage(restApiId=api_id, stageName=f"stage{a}")
    else:
        client.update_rest_api(
            restApiId=api_id, patchOperations=[{"op": "replace", "path": "/description", "value": f"d{c}"}]
        )


@act
def http_api(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    client = lab.client("apigatewayv2")
    if b == 0:
        made["http"].append(client.create_api(Name=f"http{a}", ProtocolType="HTTP")["ApiId"])
        return
    api = pick(made, "http", a)
    if b == 1:
        one = client.create_integration(
            ApiId=api,
            IntegrationType="HTTP_PROXY",
            IntegrationUri="http://example.com",
            IntegrationMethod="GET",
            PayloadFormatVersion="1.0",
        )["IntegrationId"]
        made["route"].append(
            (api, client.create_route(ApiId=api, RouteKey=f"GET /{c}", Target=f"integrations/{one}")["RouteId"])
        )
    elif b == 2:
        client.create_stage(ApiId=api, StageName=f"stage{c}")
    elif c == 0:
        client.delete_api(ApiId=api)
    else:
        api, route = pick(made, "route", c) if made["route"] else ("none", "none")
        client.delete_route(ApiId=api, RouteId=route)


@act
def machines(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    states, kinesis = lab.client("stepfunctions"), lab.client("kinesis")
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, "Result": c}}})
    if b == 0:
        made["machine"].append(
            states.create_state_machine(
                name=f"machine{a}", definition=definition, roleArn="arn:aws:iam::123456789012:role/role1"
            )["stateMachineArn"]
        )
    elif b == 1 and c < 2:
        states.delete_state_machine(stateMachineArn=pick(made, "machine", a))
    elif b == 1:
        states.update_state_machine(stateMachineArn=pick(made, "machine", a), definition=definition)
    elif b == 2:
        kinesis.create_stream(StreamName=f"stream{a}", ShardCount=1)
        kinesis.add_tags_to_stream(StreamName=f"stream{a}", Tags={"t": str(c)})
    elif c == 0:
        kinesis.delete_stream(StreamName=f"stream{a}")


@act
def people(lab: Lab, made: Made, a: int, b: int, c: int) -> None:
    client = lab.client("cognito-idp")
    if b == 0:
        made["pool"].append(client.create_user_pool(PoolName=f"pool{a}")["UserPool"]["Id"])
        return
    pool = pick(made, "pool", a)
    if b == 1:
        client.admin_create_user(UserPoolId=pool, Username=f"person{c}")
        made["client"].append(
            (
                pool,
                client.create_user_pool_client(UserPoolId=pool, ClientName=f"client{c}")["UserPoolClient"]["ClientId"],
            )
        )
    elif b == 2:
        client.create_group(UserPoolId=pool, GroupName=f"group{c}")
        client.admin_delete_user(UserPoolId=pool, Username=f"person{c}")
    elif c == 0:
        client.delete_user_pool(UserPoolId=pool)
    elif c == 1:
        pool, one = pick(made, "client", a) if made["client"] else ("none", "none")
        client.delete_user_pool_client(UserPoolId=pool, ClientId=one)
    else:
        client.delete_group(UserPoolId=pool, GroupName=f"group{c}")
