"""A third stack: links of further services. What breaks them is in `further_wiring`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from tests.support.more_wiring import Client, allow, document, packed, trust

ZONE = "shop.example.com."
_ROW = dict[str, Any]


def make_role(aws: Client, name: str, service: str) -> str:
    return str(aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))["Role"]["Arn"])


def make_queue(aws: Client, name: str) -> str:
    url = aws("sqs").create_queue(QueueName=name)["QueueUrl"]
    return str(aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


# What the other links name.


def make_targets(aws: Client) -> None:
    for name in ("first", "second"):
        make_queue(aws, name)
    policy = aws("iam").create_policy(PolicyName="reads", PolicyDocument=document(allow(Action="*", Resource="*")))
    for name, service in (("starter", "scheduler"), ("walker", "states"), ("keeper", "ec2")):
        make_role(aws, name, f"{service}.amazonaws.com")
    aws("iam").attach_role_policy(RoleName="keeper", PolicyArn=policy["Policy"]["Arn"])
    aws("iam").create_instance_profile(InstanceProfileName="profile")
    aws("iam").add_role_to_instance_profile(InstanceProfileName="profile", RoleName="keeper")


def queue_arn(aws: Client, name: str) -> str:
    url = aws("sqs").get_queue_url(QueueName=name)["QueueUrl"]
    return str(aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


def role_arn(aws: Client, name: str) -> str:
    return str(aws("iam").get_role(RoleName=name)["Role"]["Arn"])


# Functions.


def make_functions(aws: Client) -> None:
    for name in ("serve", "other"):
        aws("lambda").create_function(
            FunctionName=name,
            Runtime="python3.12",
            Role=role_arn(aws, "keeper"),
            Handler="m.handler",
            Code={"ZipFile": packed(name)},
        )
    aws("lambda").publish_version(FunctionName="serve")
    aws("lambda").create_alias(FunctionName="serve", Name="live", FunctionVersion="1")
    aws("logs").create_log_group(logGroupName="/served")
    told = {
        "logGroupName": "/served",
        "filterName": "f",
        "filterPattern": "",
        "destinationArn": function_arn(aws, "serve"),
    }
    aws("logs").put_subscription_filter(**told)
    secret = aws("secretsmanager").create_secret(Name="turning", SecretString="x")["ARN"]
    rules = {"AutomaticallyAfterDays": 3}
    aws("secretsmanager").rotate_secret(
        SecretId=secret, RotationLambdaARN=function_arn(aws, "serve"), RotationRules=rules
    )


def make_function_url(aws: Client) -> None:
    aws("lambda").create_function_url_config(FunctionName="serve", AuthType="NONE")


def make_invoke_config(aws: Client) -> None:
    where = {"OnFailure": {"Destination": queue_arn(aws, "first")}}
    aws("lambda").put_function_event_invoke_config(
        FunctionName="serve", MaximumRetryAttempts=1, DestinationConfig=where
    )


def function_arn(aws: Client, name: str) -> str:
    return str(aws("lambda").get_function(FunctionName=name)["Configuration"]["FunctionArn"])


# Flows.


def definition(queue: str) -> str:
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": queue}}
    return json.dumps({"StartAt": "A", "States": {"A": {**task, "End": True}}})


def make_machine(aws: Client) -> None:
    url = aws("sqs").get_queue_url(QueueName="first")["QueueUrl"]
    role = role_arn(aws, "walker")
    aws("stepfunctions").create_state_machine(name="walk", roleArn=role, definition=definition(url))


def schedule(aws: Client, target: str) -> _ROW:
    return {
        "Name": "wake",
        "ScheduleExpression": "rate(5 days)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": target, "RoleArn": role_arn(aws, "starter")},
    }


def make_schedule(aws: Client) -> None:
    aws("scheduler").create_schedule(**schedule(aws, queue_arn(aws, "first")))


def make_pipe(aws: Client) -> None:
    aws("pipes").create_pipe(
        Name="lead",
        RoleArn=role_arn(aws, "starter"),
        Source=queue_arn(aws, "first"),
        Target=queue_arn(aws, "second"),
    )


def make_bus(aws: Client) -> None:
    bus = aws("events").create_event_bus(Name="orders")["EventBusArn"]
    aws("events").create_archive(ArchiveName="kept", EventSourceArn=bus)
    aws("events").put_rule(Name="paid", EventBusName="orders", EventPattern='{"source": ["shop"]}')
    aws("events").put_targets(Rule="paid", EventBusName="orders", Targets=[{"Id": "q", "Arn": queue_arn(aws, "first")}])


# Containers and balancers.


def make_network(aws: Client) -> None:
    vpc = aws("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    aws("ec2").create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": "of-shop"}])
    subnets = [aws("ec2").create_subnet(VpcId=vpc, CidrBlock=f"10.9.{at}.0/24")["Subnet"]["SubnetId"] for at in (1, 2)]
    gateway = aws("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws("ec2").create_tags(Resources=[gateway], Tags=[{"Key": "Name", "Value": "door"}])
    aws("ec2").attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = aws("ec2").create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    aws("ec2").associate_route_table(RouteTableId=table, SubnetId=subnets[0])
    for name in ("front", "back"):
        aws("ec2").create_security_group(GroupName=name, Description=name, VpcId=vpc)
    source = {
        "IpProtocol": "tcp",
        "FromPort": 80,
        "ToPort": 80,
        "UserIdGroupPairs": [{"GroupId": group_id(aws, "front")}],
    }
    aws("ec2").authorize_security_group_ingress(GroupId=group_id(aws, "back"), IpPermissions=[source])


def group_id(aws: Client, name: str) -> str:
    return str(
        next(
            each["GroupId"]
            for each in aws("ec2").describe_security_groups()["SecurityGroups"]
            if each["GroupName"] == name
        )
    )


def vpc_id(aws: Client) -> str:
    return str(next(each["VpcId"] for each in aws("ec2").describe_vpcs()["Vpcs"] if each["CidrBlock"] == "10.9.0.0/16"))


def gateway(aws: Client) -> _ROW:
    for each in aws("ec2").describe_internet_gateways()["InternetGateways"]:
        if any(at["VpcId"] == vpc_id(aws) for at in each["Attachments"]):
            return {"InternetGatewayId": each["InternetGatewayId"], "VpcId": vpc_id(aws)}
    raise LookupError("no gateway is attached")


def make_services(aws: Client) -> None:
    subnets = [each["SubnetId"] for each in aws("ec2").describe_subnets()["Subnets"] if each["VpcId"] == vpc_id(aws)]
    balancer = aws("elbv2").create_load_balancer(Name="front", Subnets=sorted(subnets))["LoadBalancers"][0]
    for name in ("blue", "green"):
        aws("elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc_id(aws), TargetType="ip")
    action = {"Type": "forward", "TargetGroupArn": target_group_arn(aws, "blue")}
    listener = aws("elbv2").create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80, DefaultActions=[action]
    )["Listeners"][0]["ListenerArn"]
    path = [{"Field": "path-pattern", "Values": ["/green/*"]}]
    green = {"Type": "forward", "TargetGroupArn": target_group_arn(aws, "green")}
    aws("elbv2").create_rule(ListenerArn=listener, Priority=5, Conditions=path, Actions=[green])
    aws("ecs").create_cluster(clusterName="shop")
    for family in ("web", "batch"):
        container = {"name": "c", "image": "nginx", "memory": 64, "portMappings": [{"containerPort": 80}]}
        aws("ecs").register_task_definition(
            family=family, taskRoleArn=role_arn(aws, "keeper"), containerDefinitions=[container]
        )
    for name, family in (("web", "web"), ("nightly", "batch")):
        wired = {"targetGroupArn": target_group_arn(aws, "blue"), "containerName": "c", "containerPort": 80}
        aws("ecs").create_service(
            cluster="shop", serviceName=name, taskDefinition=f"{family}:1", desiredCount=0, loadBalancers=[wired]
        )


def target_group_arn(aws: Client, name: str) -> str:
    return str(aws("elbv2").describe_target_groups(Names=[name])["TargetGroups"][0]["TargetGroupArn"])


def listener_arn(aws: Client) -> str:
    balancer = aws("elbv2").describe_load_balancers(Names=["front"])["LoadBalancers"][0]["LoadBalancerArn"]
    return str(aws("elbv2").describe_listeners(LoadBalancerArn=balancer)["Listeners"][0]["ListenerArn"])


# APIs.


def make_http_api(aws: Client) -> None:
    v2 = aws("apigatewayv2")
    api = v2.create_api(Name="web", ProtocolType="HTTP")["ApiId"]
    wired = v2.create_integration(
        ApiId=api,
        IntegrationType="HTTP_PROXY",
        IntegrationUri="http://one.example.com",
        IntegrationMethod="GET",
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    v2.create_route(ApiId=api, RouteKey="GET /items", Target=f"integrations/{wired}")
    v2.create_stage(ApiId=api, StageName="live", AutoDeploy=True)


def web_api(aws: Client) -> str:
    return str(next(each["ApiId"] for each in aws("apigatewayv2").get_apis()["Items"] if each["Name"] == "web"))


def make_rest_api(aws: Client) -> None:
    gateway = aws("apigateway")
    api = gateway.create_rest_api(name="rest")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    here = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**here, authorizationType="NONE")
    gateway.put_integration(**here, type="MOCK")
    deployments = [gateway.create_deployment(restApiId=api)["id"] for _ in range(2)]
    gateway.create_stage(restApiId=api, stageName="live", deploymentId=deployments[1])
    bare = gateway.create_deployment(restApiId=api)["id"]
    gateway.create_stage(restApiId=api, stageName="bare", deploymentId=bare)


def rest_api(aws: Client) -> str:
    return str(next(each["id"] for each in aws("apigateway").get_rest_apis()["items"] if each["name"] == "rest"))


# Names, users, caches.


def alias(where: str) -> list[_ROW]:
    target = {"HostedZoneId": "Z35SXDOTRQ7X7K", "DNSName": where, "EvaluateTargetHealth": False}
    record = {"Name": f"www.{ZONE}", "Type": "A", "AliasTarget": target}
    return [{"Action": "UPSERT", "ResourceRecordSet": record}]


def zone_id(aws: Client) -> str:
    return str(next(each["Id"] for each in aws("route53").list_hosted_zones()["HostedZones"] if each["Name"] == ZONE))


def turn_alias(aws: Client, where: str) -> None:
    aws("route53").change_resource_record_sets(HostedZoneId=zone_id(aws), ChangeBatch={"Changes": alias(where)})


def make_zone(aws: Client) -> None:
    aws("route53").create_hosted_zone(Name=ZONE, CallerReference="1")
    turn_alias(aws, "blue.elb.amazonaws.com.")


def distribution_config(origin: str) -> _ROW:
    return {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [{"Id": "o", "DomainName": origin, "S3OriginConfig": {"OriginAccessIdentity": ""}}],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": "o",
            "ViewerProtocolPolicy": "allow-all",
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
            "MinTTL": 0,
        },
    }


def make_distribution(aws: Client) -> None:
    for name in ("pages", "spare"):
        aws("s3").create_bucket(Bucket=name)
    aws("cloudfront").create_distribution(DistributionConfig=distribution_config("pages.s3.amazonaws.com"))


def make_pool(aws: Client) -> None:
    pool = aws("cognito-idp").create_user_pool(PoolName="members")["UserPool"]["Id"]
    aws("cognito-idp").create_user_pool_client(UserPoolId=pool, ClientName="site")


def pool_id(aws: Client) -> str:
    pools = aws("cognito-idp").list_user_pools(MaxResults=60)["UserPools"]
    return str(next(each["Id"] for each in pools if each["Name"] == "members"))


def make_stream(aws: Client) -> None:
    aws("kinesis").create_stream(StreamName="clicks", ShardCount=1)
    aws("kinesis").get_waiter("stream_exists").wait(StreamName="clicks", WaiterConfig={"Delay": 1})
    arn = aws("kinesis").describe_stream(StreamName="clicks")["StreamDescription"]["StreamARN"]
    aws("kinesis").register_stream_consumer(StreamARN=arn, ConsumerName="reader")


_PARTS: tuple[Callable[[Client], None], ...] = (
    make_targets,
    make_machine,
    make_schedule,
    make_bus,
    make_network,
    make_rest_api,
    make_zone,
    make_stream,
)
_WITH_DOCKER = (make_functions, make_function_url, make_invoke_config)
_ELSEWHERE = (make_pipe, make_services, make_http_api, make_distribution, make_pool)


def make(aws: Client, emulator: str, report: Callable[[str], object] | None = None) -> None:
    """Make the stack, through the proxy; of LocalStack, what it has without Docker. report: told what an emulator refuses."""
    for part in _PARTS if emulator == "localstack" else (*_PARTS, *_WITH_DOCKER, *_ELSEWHERE):
        try:
            part(aws)
        except ClientError as error:
            if report is None:
                raise
            report(f"{part.__name__}: {error}")
