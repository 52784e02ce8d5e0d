"""What an emulator lists and describes, by type: the names of all resources, as the model names them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from tests.replay.lab import Lab

Listing = dict[str, dict[str, dict[str, Any]]]
"""By type, then by names joined with `/`: what is compared of each (attributes, tags, counts)."""


def last(text: str) -> str:
    return text.rstrip("/").rpartition("/")[2]


def pairs(entries: list[dict[str, str]]) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in entries if not each["Key"].startswith("aws:")}


def listing(lab: Lab) -> Listing:
    """Everything that the acts can make, from List and Describe alone."""
    found: Listing = defaultdict(dict)
    for part in (_messaging, _stores, _identity, _functions, _networks, _others, _apis, _people):
        part(lab, found)
    return {kind: dict(names) for kind, names in found.items() if names}


def _messaging(lab: Lab, found: Listing) -> None:
    sqs, sns, events = lab.client("sqs"), lab.client("sns"), lab.client("events")
    for url in sqs.list_queues().get("QueueUrls", ()):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found["AWS::SQS::Queue"][last(url)] = {
            "count": int(attributes["ApproximateNumberOfMessages"]),
            "tags": sqs.list_queue_tags(QueueUrl=url).get("Tags", {}),
            "VisibilityTimeout": attributes["VisibilityTimeout"],
        }
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        found["AWS::SNS::Topic"][arn.rpartition(":")[2]] = {"DisplayName": attributes.get("DisplayName", "")}
    for subscription in sns.list_subscriptions()["Subscriptions"]:
        arn = subscription["SubscriptionArn"]
        found["AWS::SNS::Subscription"][arn.split(":", 5)[5].partition(":")[2]] = {}
    for bus in events.list_event_buses()["EventBuses"]:
        if bus["Name"] != "default":
            found["AWS::Events::EventBus"][bus["Name"]] = {}
        for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus["Name"])["Targets"]
            found["AWS::Events::Rule"][f"{bus['Name']}/{rule['Name']}"] = {"targets": {each["Id"] for each in targets}}


def _stores(lab: Lab, found: Listing) -> None:
    s3, dynamodb, logs = lab.client("s3"), lab.client("dynamodb"), lab.client("logs")
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        objects = s3.list_objects_v2(Bucket=name).get("Contents", [])
        found["AWS::S3::Bucket"][name] = {
            "parts": {each["Key"] for each in objects},
            "bytes": sum(each["Size"] for each in objects),
            "tags": _or_nothing(lambda name=name: pairs(s3.get_bucket_tagging(Bucket=name)["TagSet"]), {}),
            "policy": _or_nothing(lambda name=name: bool(s3.get_bucket_policy(Bucket=name)["Policy"]), False),
        }
    for name in dynamodb.list_tables()["TableNames"]:
        arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
        found["AWS::DynamoDB::Table"][name] = {
            "count": dynamodb.scan(TableName=name)["Count"],
            "tags": pairs(dynamodb.list_tags_of_resource(ResourceArn=arn).get("Tags", [])),
        }
    for group in logs.describe_log_groups(logGroupNamePrefix="/group/")["logGroups"]:
        name = group["logGroupName"]
        found["AWS::Logs::LogGroup"][name.strip("/")] = {"retention": group.get("retentionInDays")}
        for stream in logs.describe_log_streams(logGroupName=name)["logStreams"]:
            found["AWS::Logs::LogStream"][f"{name.strip('/')}/{stream['logStreamName']}"] = {}


def _or_nothing(read: Any, nothing: Any) -> Any:
    try:
        return read()
    except Exception:
        return nothing


def _identity(lab: Lab, found: Listing) -> None:
    iam = lab.client("iam")
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        if not name.startswith(("role", "for-")):
            continue
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        found["AWS::IAM::Role"][name] = {"attached": {each["PolicyArn"] for each in attached}}
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            found["AWS::IAM::RolePolicy"][f"{name}/{inline}"] = {}
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        found["AWS::IAM::ManagedPolicy"][policy["PolicyName"]] = {}
    for user in iam.list_users()["Users"]:
        name = user["UserName"]
        found["AWS::IAM::User"][name] = {}
    for group in iam.list_groups()["Groups"]:
        name = group["GroupName"]
        found["AWS::IAM::Group"][name] = {
            "users": {each["UserName"] for each in iam.get_group(GroupName=name)["Users"]}
        }


def _functions(lab: Lab, found: Listing) -> None:
    functions = lab.client("lambda")
    for function in functions.list_functions()["Functions"]:
        name = function["FunctionName"]
        found["AWS::Lambda::Function"][name] = {"MemorySize": function.get("MemorySize")}
        for alias in functions.list_aliases(FunctionName=name)["Aliases"]:
            found["AWS::Lambda::Alias"][f"{name}/{alias['Name']}"] = {}
        for version in functions.list_versions_by_function(FunctionName=name)["Versions"]:
            if version["Version"] != "$LATEST":
                found["AWS::Lambda::Version"][f"{name}/{version['Version']}"] = {}
    for mapping in functions.list_event_source_mappings()["EventSourceMappings"]:
        found["AWS::Lambda::EventSourceMapping"][mapping["UUID"]] = {}


def _networks(lab: Lab, found: Listing) -> None:
    ec2 = lab.client("ec2")
    networks = ec2.describe_vpcs()["Vpcs"]
    default = {each["VpcId"] for each in networks if each["IsDefault"]}
    for network in networks:
        if network["VpcId"] in default:
            continue
        found["AWS::EC2::VPC"][network["VpcId"]] = {"tags": pairs(network.get("Tags", []))}
    for subnet in ec2.describe_subnets()["Subnets"]:
        if subnet["VpcId"] not in default:
            found["AWS::EC2::Subnet"][subnet["SubnetId"]] = {"tags": pairs(subnet.get("Tags", []))}
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if group["VpcId"] not in default and group["GroupName"] != "default":
            ports = {each["FromPort"] for each in group["IpPermissions"]}
            found["AWS::EC2::SecurityGroup"][group["GroupId"]] = {"ports": ports}
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        attached = {each["VpcId"] for each in gateway["Attachments"]}
        if not attached & default:
            found["AWS::EC2::InternetGateway"][gateway["InternetGatewayId"]] = {}


def _others(lab: Lab, found: Listing) -> None:
    ecs, route53, ssm = lab.client("ecs"), lab.client("route53"), lab.client("ssm")
    for cluster in ecs.list_clusters()["clusterArns"]:
        found["AWS::ECS::Cluster"][last(cluster)] = {}
        for service in ecs.list_services(cluster=cluster)["serviceArns"]:
            found["AWS::ECS::Service"][f"{last(cluster)}/{last(service)}"] = {}
    for task in ecs.list_task_definitions()["taskDefinitionArns"]:
        found["AWS::ECS::TaskDefinition"][last(task)] = {}
    for zone in route53.list_hosted_zones()["HostedZones"]:
        found["AWS::Route53::HostedZone"][last(zone["Id"])] = {}
        for records in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            if records["Type"] == "A":
                found["AWS::Route53::RecordSet"][f"{last(zone['Id'])}/{records['Name']}/A"] = {}
    for parameter in ssm.describe_parameters()["Parameters"]:
        name = parameter["Name"]
        if name.startswith("/app/"):
            value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
            found["AWS::SSM::Parameter"][name.strip("/")] = {"value": value}
    for secret in lab.client("secretsmanager").list_secrets()["SecretList"]:
        found["AWS::SecretsManager::Secret"][secret["Name"]] = {}
    kms = lab.client("kms")
    for key in kms.list_keys()["Keys"]:
        tags = kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]
        found["AWS::KMS::Key"][key["KeyId"]] = {"tags": {each["TagKey"]: each["TagValue"] for each in tags}}
    for alias in kms.list_aliases()["Aliases"]:
        if not alias["AliasName"].startswith("alias/aws/"):
            found["AWS::KMS::Alias"][alias["AliasName"]] = {}
    states, kinesis = lab.client("stepfunctions"), lab.client("kinesis")
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        definition = states.describe_state_machine(stateMachineArn=arn)["definition"]
        found["AWS::StepFunctions::StateMachine"][machine["name"]] = {"definition": definition}
    for name in kinesis.list_streams()["StreamNames"]:
        found["AWS::Kinesis::Stream"][name] = {"tags": pairs(kinesis.list_tags_for_stream(StreamName=name)["Tags"])}


def _apis(lab: Lab, found: Listing) -> None:
    rest, http = lab.client("apigateway"), lab.client("apigatewayv2")
    for api in rest.get_rest_apis()["items"]:
        found["AWS::ApiGateway::RestApi"][api["id"]] = {"description": api.get("description") or ""}
        for path in rest.get_resources(restApiId=api["id"])["items"]:
            if path["path"] != "/":
                found["AWS::ApiGateway::Resource"][f"{api['id']}/{path['id']}"] = {}
            for method in path.get("resourceMethods", {}):
                found["AWS::ApiGateway::Method"][f"{api['id']}/{path['id']}/{method}"] = {}
        for stage in rest.get_stages(restApiId=api["id"])["item"]:
            found["AWS::ApiGateway::Stage"][f"{api['id']}/{stage['stageName']}"] = {}
    for api in http.get_apis()["Items"]:
        api_id = api["ApiId"]
        found["AWS::ApiGatewayV2::Api"][api_id] = {}
        for integration in http.get_integrations(ApiId=api_id)["Items"]:
            found["AWS::ApiGatewayV2::Integration"][f"{api_id}/{integration['IntegrationId']}"] = {}
        for route in http.get_routes(ApiId=api_id)["Items"]:
            found["AWS::ApiGatewayV2::Route"][f"{api_id}/{route['RouteId']}"] = {}
        for stage in http.get_stages(ApiId=api_id)["Items"]:
            found["AWS::ApiGatewayV2::Stage"][f"{api_id}/{stage['StageName']}"] = {}


def _people(lab: Lab, found: Listing) -> None:
    client = lab.client("cognito-idp")
    for pool in client.list_user_pools(MaxResults=60)["UserPools"]:
        pool_id = pool["Id"]
        found["AWS::Cognito::UserPool"][pool_id] = {}
        for one in client.list_user_pool_clients(UserPoolId=pool_id)["UserPoolClients"]:
            found["AWS::Cognito::UserPoolClient"][f"{pool_id}/{one['ClientId']}"] = {}
        for user in client.list_users(UserPoolId=pool_id)["Users"]:
            found["AWS::Cognito::UserPoolUser"][f"{pool_id}/{user['Username']}"] = {}
        for group in client.list_groups(UserPoolId=pool_id)["Groups"]:
            found["AWS::Cognito::UserPoolGroup"][f"{pool_id}/{group['GroupName']}"] = {}
