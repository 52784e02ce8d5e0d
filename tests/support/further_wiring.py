"""Ways to break the links of the third stack: cut, turned to something else, or left without their target."""

from __future__ import annotations

from tests.support.further_stack import (
    definition,
    function_arn,
    gateway,
    group_id,
    listener_arn,
    make_queue,
    pool_id,
    queue_arn,
    rest_api,
    role_arn,
    schedule,
    target_group_arn,
    turn_alias,
    web_api,
)
from tests.support.more_wiring import NO_DOCKER, NOT_OFFERED, Client, Turn, table_lines


def _turn_rotation(aws: Client) -> None:
    rules = {"AutomaticallyAfterDays": 3}
    aws("secretsmanager").rotate_secret(
        SecretId="turning", RotationLambdaARN=function_arn(aws, "other"), RotationRules=rules
    )


def _turn_log_subscription(aws: Client) -> None:
    told = {
        "logGroupName": "/served",
        "filterName": "f",
        "filterPattern": "",
        "destinationArn": function_arn(aws, "other"),
    }
    aws("logs").put_subscription_filter(**told)


def _turn_machine(aws: Client) -> None:
    machines = aws("stepfunctions").list_state_machines()["stateMachines"]
    arn = next(each["stateMachineArn"] for each in machines if each["name"] == "walk")
    url = aws("sqs").get_queue_url(QueueName="second")["QueueUrl"]
    aws("stepfunctions").update_state_machine(stateMachineArn=arn, definition=definition(url))


def _turn_schedule(aws: Client) -> None:
    aws("scheduler").update_schedule(**schedule(aws, queue_arn(aws, "second")))


def _turn_pipe(aws: Client) -> None:
    aws("pipes").update_pipe(Name="lead", RoleArn=role_arn(aws, "starter"), Target=make_queue(aws, "somebody-elses"))


def _disassociate(aws: Client) -> None:
    for table in aws("ec2").describe_route_tables()["RouteTables"]:
        for each in table["Associations"]:
            if not each.get("Main"):
                aws("ec2").disassociate_route_table(AssociationId=each["RouteTableAssociationId"])


def _close(aws: Client) -> None:
    source = {
        "IpProtocol": "tcp",
        "FromPort": 80,
        "ToPort": 80,
        "UserIdGroupPairs": [{"GroupId": group_id(aws, "front")}],
    }
    aws("ec2").revoke_security_group_ingress(GroupId=group_id(aws, "back"), IpPermissions=[source])


def _turn_listener(aws: Client) -> None:
    action = {"Type": "forward", "TargetGroupArn": target_group_arn(aws, "green")}
    aws("elbv2").modify_listener(ListenerArn=listener_arn(aws), DefaultActions=[action])


def _delete_rule(aws: Client) -> None:
    for rule in aws("elbv2").describe_rules(ListenerArn=listener_arn(aws))["Rules"]:
        if rule["Priority"] == "5":
            aws("elbv2").delete_rule(RuleArn=rule["RuleArn"])


def _delete_route(aws: Client) -> None:
    (route,) = aws("apigatewayv2").get_routes(ApiId=web_api(aws))["Items"]
    aws("apigatewayv2").delete_route(ApiId=web_api(aws), RouteId=route["RouteId"])


def _turn_integration(aws: Client) -> None:
    (wired,) = aws("apigatewayv2").get_integrations(ApiId=web_api(aws))["Items"]
    aws("apigatewayv2").update_integration(
        ApiId=web_api(aws), IntegrationId=wired["IntegrationId"], IntegrationUri="http://two.example.com"
    )


def _turn_stage(aws: Client) -> None:
    now = aws("apigateway").get_stage(restApiId=rest_api(aws), stageName="live")["deploymentId"]
    others = [
        each["id"] for each in aws("apigateway").get_deployments(restApiId=rest_api(aws))["items"] if each["id"] != now
    ]
    change = [{"op": "replace", "path": "/deploymentId", "value": others[0]}]
    aws("apigateway").update_stage(restApiId=rest_api(aws), stageName="live", patchOperations=change)


def _turn_origin(aws: Client) -> None:
    (each,) = aws("cloudfront").list_distributions()["DistributionList"]["Items"]
    now = aws("cloudfront").get_distribution_config(Id=each["Id"])
    now["DistributionConfig"]["Origins"]["Items"][0]["DomainName"] = "spare.s3.amazonaws.com"
    aws("cloudfront").update_distribution(
        Id=each["Id"], IfMatch=now["ETag"], DistributionConfig=now["DistributionConfig"]
    )


def _delete_client(aws: Client) -> None:
    (site,) = aws("cognito-idp").list_user_pool_clients(UserPoolId=pool_id(aws), MaxResults=10)["UserPoolClients"]
    aws("cognito-idp").delete_user_pool_client(UserPoolId=pool_id(aws), ClientId=site["ClientId"])


def _deregister(aws: Client) -> None:
    arn = aws("kinesis").describe_stream(StreamName="clicks")["StreamDescription"]["StreamARN"]
    (reader,) = aws("kinesis").list_stream_consumers(StreamARN=arn)["Consumers"]
    aws("kinesis").deregister_stream_consumer(ConsumerARN=reader["ConsumerARN"])


def _detach_policy(aws: Client) -> None:
    (policy,) = aws("iam").list_attached_role_policies(RoleName="keeper")["AttachedPolicies"]
    aws("iam").detach_role_policy(RoleName="keeper", PolicyArn=policy["PolicyArn"])


def _delete_deployment(aws: Client) -> None:
    now = aws("apigateway").get_stage(restApiId=rest_api(aws), stageName="bare")["deploymentId"]
    aws("apigateway").delete_deployment(restApiId=rest_api(aws), deploymentId=now)


TURNS = (
    Turn("role -> its attached policy", _detach_policy, "AWS::IAM::Role", ("RolePolicy.PolicyArn",)),
    Turn(
        "instance profile -> role",
        lambda aws: aws("iam").remove_role_from_instance_profile(InstanceProfileName="profile", RoleName="keeper"),
        "AWS::IAM::InstanceProfile",
        ("RoleToInstanceProfile.RoleName",),
    ),
    Turn(
        "alias -> its version, deleted",
        lambda aws: aws("lambda").delete_function(FunctionName="serve", Qualifier="1"),
        "AWS::Lambda::Version",
        unable={**NO_DOCKER, "ministack": "keeps a version that an alias names"},
        left={"moto": "made again, it has another number"},
    ),
    Turn(
        "secret rotation -> another function",
        _turn_rotation,
        "AWS::SecretsManager::Secret",
        ("RotationLambdaARN",),
        unable=NO_DOCKER,
    ),
    Turn(
        "log subscription -> another destination",
        _turn_log_subscription,
        "AWS::Logs::SubscriptionFilter",
        ("destinationArn",),
        unable=NO_DOCKER,
    ),
    Turn(
        "function -> its URL",
        lambda aws: aws("lambda").delete_function_url_config(FunctionName="serve"),
        "AWS::Lambda::Url",
        unable=NO_DOCKER,
    ),
    Turn(
        "function -> its destination for failures",
        lambda aws: aws("lambda").delete_function_event_invoke_config(FunctionName="serve"),
        "AWS::Lambda::EventInvokeConfig",
        unable=NO_DOCKER,
    ),
    Turn(
        "state machine -> another queue in its definition",
        _turn_machine,
        "AWS::StepFunctions::StateMachine",
        ("definition.States.A.Parameters.QueueUrl",),
    ),
    Turn("schedule -> another target", _turn_schedule, "AWS::Scheduler::Schedule", ("Target.Arn",)),
    Turn("pipe -> another target", _turn_pipe, "AWS::Pipes::Pipe", ("Target",), unable=NOT_OFFERED),
    Turn(
        "rule of another event bus -> target",
        lambda aws: aws("events").remove_targets(Rule="paid", EventBusName="orders", Ids=["q"]),
        "AWS::Events::Rule",
        ("Targets.Arn",),
    ),
    Turn(
        "event bus -> its archive",
        lambda aws: aws("events").delete_archive(ArchiveName="kept"),
        "AWS::Events::Archive",
    ),
    Turn(
        "gateway -> network",
        lambda aws: aws("ec2").detach_internet_gateway(**gateway(aws)),
        "AWS::EC2::VPCGatewayAttachment",
    ),
    Turn("route table -> subnet", _disassociate, "AWS::EC2::SubnetRouteTableAssociation"),
    Turn(
        "security group -> another security group",
        _close,
        "AWS::EC2::SecurityGroup",
        ("SecurityGroupIngress.UserIdGroupPairs.GroupId",),
    ),
    Turn(
        "listener -> another target group",
        _turn_listener,
        "AWS::ElasticLoadBalancingV2::Listener",
        ("DefaultActions.TargetGroupArn",),
        unable=NOT_OFFERED,
    ),
    Turn(
        "listener -> its rule",
        _delete_rule,
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        unable=NOT_OFFERED,
    ),
    Turn(
        "container service -> another task definition",
        lambda aws: aws("ecs").update_service(cluster="shop", service="web", taskDefinition="batch:1"),
        "AWS::ECS::Service",
        ("taskDefinition",),
        unable=NOT_OFFERED,
    ),
    Turn(
        "target group -> container service",
        lambda aws: aws("ecs").delete_service(cluster="shop", service="nightly", force=True),
        "AWS::ECS::Service",
        unable=NOT_OFFERED,
    ),
    Turn("HTTP API -> its route", _delete_route, "AWS::ApiGatewayV2::Route", unable=NOT_OFFERED),
    Turn(
        "HTTP API integration -> another address",
        _turn_integration,
        "AWS::ApiGatewayV2::Integration",
        ("IntegrationUri",),
        unable=NOT_OFFERED,
    ),
    Turn("API stage -> another deployment", _turn_stage, "AWS::ApiGateway::Stage", ("deploymentId",)),
    Turn(
        "API stage -> its deployment, deleted",
        _delete_deployment,
        "AWS::ApiGateway::Deployment",
        unable={"localstack": "keeps a deployment that a stage names", "moto": "keeps a deployment that a stage names"},
    ),
    Turn(
        "record -> another balancer",
        lambda aws: turn_alias(aws, "green.elb.amazonaws.com."),
        "AWS::Route53::RecordSet",
        ("AliasTarget.DNSName",),
    ),
    Turn(
        "distribution -> another origin",
        _turn_origin,
        "AWS::CloudFront::Distribution",
        ("DistributionConfig.Origins",),
        unable=NOT_OFFERED,
    ),
    Turn("user pool -> its client", _delete_client, "AWS::Cognito::UserPoolClient", unable=NOT_OFFERED),
    Turn("stream -> its consumer", _deregister, "AWS::Kinesis::StreamConsumer"),
)
"""Broken all at once."""


if __name__ == "__main__":
    print("\n".join(table_lines(TURNS)))
