"""A stack in which everything hangs on something: functions, triggers, permissions, integrations, policies; and ways to break it.

Each way breaks one kind of link behind the proxy's back, and says what a diagnosis is to name.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Client = Callable[[str], Any]

_HANDLER = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"
_POLICY = {"Version": "2012-10-17"}


def _document(**statement: Any) -> str:
    return json.dumps({**_POLICY, "Statement": [{"Effect": "Allow", **statement}]})


def make(aws: Client, emulator: str = "moto") -> None:
    """Make the stack, through the proxy; of LocalStack, what it has without Docker."""
    if emulator == "localstack":
        _make_without_functions(aws)
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("m.py", _HANDLER)
    trust = _document(Principal={"Service": "lambda.amazonaws.com"}, Action="sts:AssumeRole")
    role = aws("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    url, queue = _make_queues(aws)
    aws("iam").put_role_policy(
        RoleName="worker", PolicyName="rw", PolicyDocument=_document(Action="sqs:*", Resource=queue)
    )
    aws("lambda").create_function(
        FunctionName="work",
        Runtime="python3.12",
        Role=role,
        Handler="m.handler",
        Code={"ZipFile": packed.getvalue()},
        Timeout=17,
        Environment={"Variables": {"QUEUE_URL": url}},
    )
    function = aws("lambda").get_function(FunctionName="work")["Configuration"]["FunctionArn"]
    aws("lambda").add_permission(
        FunctionName="work", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    aws("lambda").publish_version(FunctionName="work")
    aws("lambda").create_alias(FunctionName="work", Name="live", FunctionVersion="1")
    aws("lambda").create_event_source_mapping(FunctionName="work", EventSourceArn=queue)
    _make_triggers(aws, url, queue, function)
    aws("logs").create_log_group(logGroupName="/svc")
    aws("logs").put_subscription_filter(logGroupName="/svc", filterName="f", filterPattern="", destinationArn=function)
    _make_api(aws, f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations")
    _make_network(aws)
    _make_balancer(aws)
    _make_machine(aws, role, function)
    secret = aws("secretsmanager").create_secret(Name="db", SecretString="x")["ARN"]
    aws("secretsmanager").rotate_secret(
        SecretId="db", RotationLambdaARN=function, RotationRules={"AutomaticallyAfterDays": 3}
    )
    container = {"name": "w", "image": "nginx", "memory": 64, "secrets": [{"name": "S", "valueFrom": secret}]}
    aws("ecs").register_task_definition(
        family="web", taskRoleArn=role, executionRoleArn=role, containerDefinitions=[container]
    )
    _make_stack(aws)


def _make_without_functions(aws: Client) -> None:
    trust = _document(Principal={"Service": "states.amazonaws.com"}, Action="sts:AssumeRole")
    role = aws("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    url, queue = _make_queues(aws)
    aws("iam").put_role_policy(
        RoleName="worker", PolicyName="rw", PolicyDocument=_document(Action="sqs:*", Resource=queue)
    )
    _make_triggers(aws, url, queue, queue)
    _make_api(aws, "arn:aws:apigateway:us-east-1:sqs:path/000000000000/orders", credentials=role)
    _make_network(aws)
    _make_machine(aws, role, "arn:aws:states:::sqs:sendMessage")
    _make_stack(aws)


def _make_queues(aws: Client) -> tuple[str, str]:
    """Make a queue with another for what nobody could process; the address and the ARN of the first."""
    queues = {name: aws("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("dead", "orders")}
    arns = {name: _queue_arn(aws, url) for name, url in queues.items()}
    redrive = json.dumps({"deadLetterTargetArn": arns["dead"], "maxReceiveCount": "3"})
    aws("sqs").set_queue_attributes(QueueUrl=queues["orders"], Attributes={"RedrivePolicy": redrive})
    return queues["orders"], arns["orders"]


def _make_triggers(aws: Client, url: str, queue: str, target: str) -> None:
    """A topic, a bucket and a rule that tell a queue, or a target; and a group with a member."""
    topic = aws("sns").create_topic(Name="news")["TopicArn"]
    aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    from_topic = _document(
        Principal="*", Action="sqs:SendMessage", Resource=queue, Condition={"ArnEquals": {"aws:SourceArn": topic}}
    )
    aws("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": from_topic})
    aws("s3").create_bucket(Bucket="uploads")
    aws("s3").put_bucket_tagging(Bucket="uploads", Tagging={"TagSet": [{"Key": "team", "Value": "blue"}]})
    told = {"QueueConfigurations": [{"QueueArn": queue, "Events": ["s3:ObjectCreated:*"]}]}
    aws("s3").put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration=told)
    aws("events").put_rule(Name="tick", ScheduleExpression="rate(5 days)")
    aws("events").put_targets(Rule="tick", Targets=[{"Id": "1", "Arn": target}])
    aws("iam").create_group(GroupName="developers")
    aws("iam").create_user(UserName="ann")
    aws("iam").add_user_to_group(GroupName="developers", UserName="ann")


def _make_machine(aws: Client, role: str, resource: str) -> None:
    definition = {"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": resource, "End": True}}}
    aws("stepfunctions").create_state_machine(name="flow", roleArn=role, definition=json.dumps(definition))


def _make_stack(aws: Client) -> None:
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-stack"}}}}
    aws("cloudformation").create_stack(StackName="st", TemplateBody=json.dumps(template))
    waiter = aws("cloudformation").get_waiter("stack_create_complete")
    waiter.wait(StackName="st", WaiterConfig={"Delay": 1, "MaxAttempts": 60})


def _make_api(aws: Client, uri: str, **more: str) -> None:
    gateway = aws("apigateway")
    api = gateway.create_rest_api(name="api")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    orders = gateway.create_resource(restApiId=api, parentId=root, pathPart="orders")["id"]
    here = {"restApiId": api, "resourceId": orders, "httpMethod": "GET"}
    gateway.put_method(**here, authorizationType="NONE")
    kind = "AWS" if more else "AWS_PROXY"
    gateway.put_integration(**here, type=kind, integrationHttpMethod="POST", uri=uri, **more)
    gateway.create_deployment(restApiId=api, stageName="prod", description="of the deployment, not of its stage")


def _make_network(aws: Client) -> None:
    vpc = aws("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    for at in (1, 2):
        aws("ec2").create_subnet(VpcId=vpc, CidrBlock=f"10.0.{at}.0/24")
    group = aws("ec2").create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    aws("ec2").authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    gateway = aws("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws("ec2").attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = aws("ec2").create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    aws("ec2").create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)


def _make_balancer(aws: Client) -> None:
    subnets = [each for each in aws("ec2").describe_subnets()["Subnets"] if each["CidrBlock"].startswith("10.0.")]
    vpc, subnet_ids = subnets[0]["VpcId"], sorted(each["SubnetId"] for each in subnets)
    balancer = aws("elbv2").create_load_balancer(Name="lb", Subnets=subnet_ids)["LoadBalancers"][0]["LoadBalancerArn"]
    group = aws("elbv2").create_target_group(Name="tg", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip")
    group_arn = group["TargetGroups"][0]["TargetGroupArn"]
    aws("elbv2").register_targets(TargetGroupArn=group_arn, Targets=[{"Id": "10.0.1.5", "Port": 80}])
    action = {"Type": "forward", "TargetGroupArn": group_arn}
    aws("elbv2").create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[action])


def _queue_arn(aws: Client, url: str) -> str:
    found = aws("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


@dataclass(frozen=True)
class Break:
    """A way to break the stack. link: what it breaks, as the documents call it.

    carry_out: breaks it; its argument makes clients of the emulator itself. type, member: of the findings, and no others.
    left: type and member of what recorded calls cannot mend. unable: emulators that cannot break it so, each with what they do.
    also: further members, by emulator.
    """

    link: str
    carry_out: Callable[[Client], Any]
    type: str
    members: tuple[str, ...] = ("",)
    left: tuple[tuple[str, str], ...] = ()
    unable: Mapping[str, str] = field(default_factory=dict)
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def _queue(aws: Client, name: str) -> str:
    return str(aws("sqs").get_queue_url(QueueName=name)["QueueUrl"])


def _lambda(aws: Client, operation: str, **parameters: Any) -> Any:
    return getattr(aws("lambda"), operation)(FunctionName="work", **parameters)


def _delete_mapping(aws: Client) -> None:
    (mapping,) = aws("lambda").list_event_source_mappings()["EventSourceMappings"]
    aws("lambda").delete_event_source_mapping(UUID=mapping["UUID"])


def _delete_integration(aws: Client) -> None:
    gateway = aws("apigateway")
    (api,) = gateway.get_rest_apis()["items"]
    orders = next(each for each in gateway.get_resources(restApiId=api["id"])["items"] if each["path"] == "/orders")
    gateway.delete_integration(restApiId=api["id"], resourceId=orders["id"], httpMethod="GET")


def _delete_stage(aws: Client) -> None:
    (api,) = aws("apigateway").get_rest_apis()["items"]
    aws("apigateway").delete_stage(restApiId=api["id"], stageName="prod")


def _unsubscribe(aws: Client) -> None:
    (subscription,) = aws("sns").list_subscriptions()["Subscriptions"]
    aws("sns").unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])


def _delete_listener(aws: Client) -> None:
    (balancer,) = aws("elbv2").describe_load_balancers()["LoadBalancers"]
    (listener,) = aws("elbv2").describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    aws("elbv2").delete_listener(ListenerArn=listener["ListenerArn"])


def _deregister(aws: Client) -> None:
    (group,) = aws("elbv2").describe_target_groups()["TargetGroups"]
    targets = [{"Id": "10.0.1.5", "Port": 80}]
    aws("elbv2").deregister_targets(TargetGroupArn=group["TargetGroupArn"], Targets=targets)


def _delete_route(aws: Client) -> None:
    for table in aws("ec2").describe_route_tables()["RouteTables"]:
        for route in table["Routes"]:
            if route.get("GatewayId", "").startswith("igw-"):
                aws("ec2").delete_route(
                    RouteTableId=table["RouteTableId"], DestinationCidrBlock=route["DestinationCidrBlock"]
                )


def _delete_task_role(aws: Client) -> None:
    aws("iam").delete_role_policy(RoleName="worker", PolicyName="rw")
    aws("iam").delete_role(RoleName="worker")


def _close_port(aws: Client) -> None:
    for group in aws("ec2").describe_security_groups()["SecurityGroups"]:
        if group["GroupName"] == "web":
            aws("ec2").revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])


NO_DOCKER = "functions need Docker"
NOT_OFFERED = "not offered"
_POLICY_MEMBER = "Attributes.Policy.Statement.Condition.ArnEquals.aws:SourceArn"

BREAKS = (
    Break(
        "API -> its permission to invoke the function",
        lambda aws: _lambda(aws, "remove_permission", StatementId="api"),
        "AWS::Lambda::Permission",
        unable={"localstack": NO_DOCKER},
    ),
    Break(
        "API integration -> function",
        _delete_integration,
        "AWS::ApiGateway::Method",
        ("Integration.uri",),
        also={"localstack": ("Integration.credentials",)},
    ),
    Break("API -> its stage", _delete_stage, "AWS::ApiGateway::Stage"),
    Break(
        "event source mapping -> queue and function",
        _delete_mapping,
        "AWS::Lambda::EventSourceMapping",
        unable={"localstack": NO_DOCKER},
    ),
    Break(
        "alias -> version",
        lambda aws: _lambda(aws, "delete_alias", Name="live"),
        "AWS::Lambda::Alias",
        unable={"localstack": NO_DOCKER},
    ),
    Break(
        "function -> its configuration",
        lambda aws: _lambda(aws, "update_function_configuration", Environment={"Variables": {}}),
        "AWS::Lambda::Function",
        ("Environment.Variables.QUEUE_URL",),
        unable={"localstack": NO_DOCKER},
    ),
    Break(
        "function -> code",
        lambda aws: _lambda(aws, "delete_function"),
        "AWS::Lambda::Function",
        unable={"localstack": NO_DOCKER},
    ),
    Break(
        "role -> its policy",
        lambda aws: aws("iam").delete_role_policy(RoleName="worker", PolicyName="rw"),
        "AWS::IAM::RolePolicy",
    ),
    Break("function, state machine and task definition -> role", _delete_task_role, "AWS::IAM::Role"),
    Break("subscription -> queue", _unsubscribe, "AWS::SNS::Subscription"),
    Break(
        "subscription -> policy of the queue",
        lambda aws: aws("sqs").set_queue_attributes(QueueUrl=_queue(aws, "orders"), Attributes={"Policy": ""}),
        "AWS::SQS::Queue",
        (_POLICY_MEMBER,),
    ),
    Break(
        "redrive policy -> queue",
        lambda aws: aws("sqs").delete_queue(QueueUrl=_queue(aws, "dead")),
        "AWS::SQS::Queue",
    ),
    Break(
        "bucket notification -> queue",
        lambda aws: aws("s3").put_bucket_notification_configuration(Bucket="uploads", NotificationConfiguration={}),
        "AWS::S3::Bucket",
        ("NotificationConfiguration.QueueConfigurations.QueueArn",),
    ),
    Break(
        "rule -> target",
        lambda aws: aws("events").remove_targets(Rule="tick", Ids=["1"]),
        "AWS::Events::Rule",
        ("Targets.Arn",),
    ),
    Break(
        "rule -> its state",
        lambda aws: aws("events").disable_rule(Name="tick"),
        "AWS::Events::Rule",
        ("State",),
    ),
    Break(
        "log subscription -> destination",
        lambda aws: aws("logs").delete_subscription_filter(logGroupName="/svc", filterName="f"),
        "AWS::Logs::SubscriptionFilter",
        unable={"localstack": NO_DOCKER},
    ),
    Break(
        "listener -> target group",
        _delete_listener,
        "AWS::ElasticLoadBalancingV2::Listener",
        unable={"localstack": NOT_OFFERED},
    ),
    Break(
        "target group -> targets",
        _deregister,
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        ("Targets",),
        unable={"localstack": NOT_OFFERED},
    ),
    Break("route -> gateway", _delete_route, "AWS::EC2::Route"),
    Break(
        "secret rotation -> function",
        lambda aws: aws("secretsmanager").cancel_rotate_secret(SecretId="db"),
        "AWS::SecretsManager::Secret",
        ("RotationEnabled",),
        unable={"localstack": NO_DOCKER, "ministack": "has no CancelRotateSecret"},
    ),
    Break(
        "state machine -> what its definition names",
        lambda aws: aws("stepfunctions").delete_state_machine(
            stateMachineArn=aws("stepfunctions").list_state_machines()["stateMachines"][0]["stateMachineArn"]
        ),
        "AWS::StepFunctions::StateMachine",
    ),
    Break(
        "security group -> its rules",
        _close_port,
        "AWS::EC2::SecurityGroup",
        ("SecurityGroupIngress",),
    ),
    Break(
        "group -> its members",
        lambda aws: aws("iam").remove_user_from_group(GroupName="developers", UserName="ann"),
        "AWS::IAM::Group",
        ("UserToGroup.UserName",),
    ),
    Break(
        "bucket -> its tags",
        lambda aws: aws("s3").delete_bucket_tagging(Bucket="uploads"),
        "AWS::S3::Bucket",
        ("Tags.team",),
    ),
    Break(
        "stack -> its resources",
        lambda aws: aws("sqs").delete_queue(QueueUrl=_queue(aws, "of-stack")),
        "AWS::CloudFormation::Stack",
        ("Resources.Q",),
        left=(("AWS::CloudFormation::Stack", "Resources.Q"),),
    ),
    Break(
        "task definition -> secret",
        lambda aws: aws("secretsmanager").delete_secret(SecretId="db", ForceDeleteWithoutRecovery=True),
        "AWS::SecretsManager::Secret",
        # The secret is made anew under another ARN, and no operation changes a task definition.
        left=(("AWS::ECS::TaskDefinition", "containerDefinitions.secrets.valueFrom"),),
        unable={"localstack": NOT_OFFERED},
    ),
)
"""In the order in which they are tried. What cannot be mended wholly stands last."""


def table_lines() -> list[str]:
    """The table of docs/doctor.md: what each emulator was seen to do with each kind of link."""
    titles = {"moto": "moto", "ministack": "MiniStack", "localstack": "LocalStack"}
    rows = [["link", *titles.values()], ["--"] * (1 + len(titles))]
    for broken in BREAKS:
        done = "named, mended" if not broken.left else "named"
        rows.append([broken.link, *(broken.unable.get(emulator, done) for emulator in titles)])
    return [f"| {' | '.join(row)} |" for row in rows]


if __name__ == "__main__":
    print("\n".join(table_lines()))
