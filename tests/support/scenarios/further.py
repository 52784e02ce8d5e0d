"""Further steps of random histories: what is used, changed halfway, taken apart and made again, across services.

They are no part of the scenarios in order, which `docs/coverage.md` shows. No instance is terminated: what emulators show of
such a one for an hour does not come back (README).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from tests.support.scenarios.identity import TRUST
from tests.support.scenarios.world import World, step

Register = Callable[[Callable[[World], None]], Callable[[World], None]]
further: Callable[..., Register] = partial(step, further=True)
ends: Callable[..., Register] = partial(step, further=True, ends=True)


@further("sqs")
def receive_and_delete(w: World) -> None:
    url = w.pick("queue")[0]
    w("sqs", "SendMessage", QueueUrl=url, MessageBody=w.other)
    for each in w("sqs", "ReceiveMessage", QueueUrl=url, VisibilityTimeout=0).get("Messages", []):
        if w.number % 2:
            w("sqs", "DeleteMessage", QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])


@further("sqs")
def send_batch(w: World) -> None:
    entries = [{"Id": str(each), "MessageBody": f"{w.name}{each}"} for each in range(1 + w.number)]
    w("sqs", "SendMessageBatch", QueueUrl=w.pick("queue")[0], Entries=entries)
    w("sqs", "TagQueue", QueueUrl=w.pick("queue")[0], Tags={w.name: w.other})


@ends("sqs")
def purge(w: World) -> None:
    w("sqs", "PurgeQueue", QueueUrl=w.pick("queue")[0])
    w("sqs", "UntagQueue", QueueUrl=w.pick("queue")[0], TagKeys=[w.name])


@further("sns")
def publish_to_topic(w: World) -> None:
    w("sns", "Publish", TopicArn=w.pick("topic"), Message=w.other)
    w("sns", "TagResource", ResourceArn=w.pick("topic"), Tags=[{"Key": w.name, "Value": w.other}])


@further("events")
def put_event(w: World) -> None:
    entry = {"Source": w.other, "DetailType": w.name, "Detail": "{}", "EventBusName": w.pick("bus")}
    w("events", "PutEvents", Entries=[entry])


@ends("events")
def delete_bus(w: World) -> None:
    bus = w.pick("bus")
    w("events", "DeleteEventBus", Name=bus)
    w.gone("bus", bus)


@further("ec2", makes="instance")
def run_instances(w: World) -> None:
    made = w("ec2", "RunInstances", ImageId="ami-12c6146b", MinCount=1, MaxCount=1 + w.number % 2, SubnetId=w.pick("subnet"),
             SecurityGroupIds=[w.pick("security_group")])  # fmt: skip
    for each in made["Instances"]:
        w.keep("instance", each["InstanceId"])


@further("ec2")
def stop_instance(w: World) -> None:
    w("ec2", "StopInstances", InstanceIds=[w.pick("instance")])
    w("ec2", "ModifyInstanceAttribute", InstanceId=w.pick("instance"), InstanceType={"Value": "t3.large"})


@further("ec2")
def attach_volume(w: World) -> None:
    w(
        "ec2",
        "AttachVolume",
        InstanceId=w.pick("instance"),
        VolumeId=w.pick("volume"),
        Device=f"/dev/sd{'fghi'[w.number % 4]}",
    )
    w("ec2", "CreateTags", Resources=[w.pick("instance"), w.pick("volume")], Tags=[{"Key": w.name, "Value": w.other}])


@further("ec2", makes="address")
def associate_address(w: World) -> None:
    made = w("ec2", "AllocateAddress", Domain="vpc")["AllocationId"]
    w("ec2", "AssociateAddress", AllocationId=made, InstanceId=w.pick("instance"))
    w.keep("address", made)


@ends("ec2")
def release_address(w: World) -> None:
    address = w.pick("address")
    w("ec2", "ReleaseAddress", AllocationId=address)
    w.gone("address", address)


@further("ec2")
def peer(w: World) -> None:
    made = w("ec2", "CreateVpcPeeringConnection", VpcId=w.pick("vpc"), PeerVpcId=w.pick("vpc"))
    ident = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    w("ec2", "AcceptVpcPeeringConnection", VpcPeeringConnectionId=ident)


@ends("ec2")
def revoke(w: World) -> None:
    group = w.pick("security_group")
    allowed = {"IpProtocol": "tcp", "FromPort": 80 + w.number, "ToPort": 90, "UserIdGroupPairs": [{"GroupId": group}]}
    w("ec2", "RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[allowed])
    w("ec2", "DeleteTags", Resources=[w.pick("subnet")], Tags=[{"Key": w.name}])


@ends("ec2")
def delete_vpc(w: World) -> None:
    vpc = w.pick("vpc")
    w("ec2", "DeleteVpc", VpcId=vpc)
    w.gone("vpc", vpc)


@ends("ec2")
def delete_volume(w: World) -> None:
    volume = w.pick("volume")
    w("ec2", "DeleteVolume", VolumeId=volume)
    w.gone("volume", volume)


@further("elbv2")
def register_target(w: World) -> None:
    w(
        "elbv2",
        "RegisterTargets",
        TargetGroupArn=w.pick("target_group"),
        Targets=[{"Id": w.pick("instance"), "Port": 80}],
    )
    w("elbv2", "ModifyTargetGroup", TargetGroupArn=w.pick("target_group"), HealthCheckPath=f"/{w.number}")


@ends("elbv2")
def delete_balancer(w: World) -> None:
    arn = w.pick("balancer")
    w("elbv2", "DeleteLoadBalancer", LoadBalancerArn=arn)
    w.gone("balancer", arn)


@further("lambda")
def change_alias(w: World) -> None:
    function = w.pick("function")[0]
    version = w("lambda", "PublishVersion", FunctionName=function)["Version"]
    w("lambda", "UpdateAlias", FunctionName=function, Name=w.other, FunctionVersion=version, Description=w.name)
    w("lambda", "PutFunctionConcurrency", FunctionName=function, ReservedConcurrentExecutions=1 + w.number)


@further("lambda")
def function_with_links(w: World) -> None:
    variables = {"TABLE": w.pick("table")[1], "KEY": w.pick("key")[0], "SECRET": w.pick("secret")[1]}
    w("lambda", "UpdateFunctionConfiguration", FunctionName=w.pick("function")[0], Environment={"Variables": variables},
      DeadLetterConfig={"TargetArn": w.pick("queue")[1]})  # fmt: skip


@ends("lambda")
def remove_permission(w: World) -> None:
    w("lambda", "RemovePermission", FunctionName=w.pick("function")[0], StatementId=f"s{w.number}")
    w("lambda", "DeleteAlias", FunctionName=w.pick("function")[0], Name=w.other)


@ends("iam")
def delete_role(w: World) -> None:
    role = w.pick("role")
    w("iam", "DeleteRole", RoleName=role[0])
    w.gone("role", role)


@ends("iam")
def delete_policy(w: World) -> None:
    arn = w.pick("policy")
    w("iam", "DeletePolicy", PolicyArn=arn)
    w.gone("policy", arn)


@further("iam")
def trust_another(w: World) -> None:
    trust = json.loads(TRUST)
    trust["Statement"][0]["Principal"] = {"AWS": w.pick("role")[1]}
    w("iam", "UpdateAssumeRolePolicy", RoleName=w.pick("role")[0], PolicyDocument=json.dumps(trust))
    w("iam", "TagRole", RoleName=w.pick("role")[0], Tags=[{"Key": w.name, "Value": w.other}])


@further("kms")
def use_key(w: World) -> None:
    w("kms", "Encrypt", KeyId=w.pick("key")[0], Plaintext=w.other.encode())
    w("kms", "UpdateKeyDescription", KeyId=w.pick("key")[1], Description=w.other)


@ends("kms")
def cancel_deletion(w: World) -> None:
    w("kms", "CancelKeyDeletion", KeyId=w.pick("key")[0])
    w("kms", "EnableKey", KeyId=w.pick("key")[0])
    w("kms", "DeleteAlias", AliasName=f"alias/{w.name}")


@ends("secretsmanager")
def restore_secret(w: World) -> None:
    name = w.pick("secret")[0]
    w("secretsmanager", "DeleteSecret", SecretId=name, RecoveryWindowInDays=7)
    w("secretsmanager", "RestoreSecret", SecretId=name)


@further("dynamodb")
def write_several(w: World) -> None:
    table = w.pick("table")[0]
    puts = [{"PutRequest": {"Item": {"k": {"S": f"{w.name}{each}"}, "v": {"S": w.other}}}} for each in range(3)]
    w("dynamodb", "BatchWriteItem", RequestItems={table: puts})
    put = {"Put": {"TableName": table, "Item": {"k": {"S": w.other}, "t": {"N": str(w.number)}}}}
    w("dynamodb", "TransactWriteItems", TransactItems=[put])


@further("dynamodb")
def add_index(w: World) -> None:
    index = {"IndexName": f"{w.other}-index", "KeySchema": [{"AttributeName": "v", "KeyType": "HASH"}],
             "Projection": {"ProjectionType": "ALL"}}  # fmt: skip
    w("dynamodb", "UpdateTable", TableName=w.pick("table")[0],
      AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}, {"AttributeName": "v", "AttributeType": "S"}],
      GlobalSecondaryIndexUpdates=[{"Create": index}])  # fmt: skip


@further("s3")
def set_up_bucket(w: World) -> None:
    bucket = w.pick("bucket")
    rule = {"ID": w.name, "Status": "Enabled", "Filter": {"Prefix": w.other}, "Expiration": {"Days": 1 + w.number}}
    w("s3", "PutBucketLifecycleConfiguration", Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": [f"http://{w.number}.example.com"]}]}
    w("s3", "PutBucketCors", Bucket=bucket, CORSConfiguration=cors)


@further("s3")
def tag_object(w: World) -> None:
    bucket, key = w.pick("object")
    w("s3", "PutObjectTagging", Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "t", "Value": f"v{w.number}"}]})
    w("s3", "PutObject", Bucket=bucket, Key=key, Body=f"{w.number}".encode())


@ends("s3")
def untag_object(w: World) -> None:
    bucket, key = w.pick("object")
    w("s3", "DeleteObjectTagging", Bucket=bucket, Key=key)
    w("s3", "DeleteBucketPolicy", Bucket=bucket)


@ends("logs")
def delete_log_stream(w: World) -> None:
    group, stream = w.pick("log_stream")
    w("logs", "DeleteLogStream", logGroupName=group, logStreamName=stream)
    w("logs", "DeleteMetricFilter", logGroupName=group, filterName=w.name)


@further("cloudformation", makes="stack")
def create_linked_stack(w: World) -> None:
    rule = {"Type": "AWS::SNS::Subscription", "Properties": {"Protocol": "sqs", "Endpoint": w.pick("queue")[1],
            "TopicArn": {"Ref": "T"}}}  # fmt: skip
    parameter = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "T"}}}
    resources = {"T": {"Type": "AWS::SNS::Topic"}, "S": rule, "P": parameter, "G": {"Type": "AWS::Logs::LogGroup"}}
    w("cloudformation", "CreateStack", StackName=w.name, TemplateBody=json.dumps({"Resources": resources}))
    w.keep("stack", w.name)


@further("cloudformation")
def update_stack(w: World) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": w.number}}
    template = json.dumps({"Resources": {"T": {"Type": "AWS::SNS::Topic"}, "Q": queue}})
    w("cloudformation", "UpdateStack", StackName=w.pick("stack"), TemplateBody=template)


@ends("cloudformation")
def delete_stack(w: World) -> None:
    name = w.pick("stack")
    w("cloudformation", "DeleteStack", StackName=name)
    w.gone("stack", name)


@further("cognito-idp")
def change_pool_user(w: World) -> None:
    pool = w.pick("pool")
    w("cognito-idp", "AdminSetUserPassword", UserPoolId=pool, Username=w.name, Password="Pass-word1", Permanent=True)
    w("cognito-idp", "AdminUpdateUserAttributes", UserPoolId=pool, Username=w.name,
      UserAttributes=[{"Name": "email", "Value": f"{w.number}@example.com"}])  # fmt: skip


@ends("cognito-idp")
def delete_pool_client(w: World) -> None:
    pool, ident = w.pick("pool_client")
    w("cognito-idp", "DeleteUserPoolClient", UserPoolId=pool, ClientId=ident)
    w.gone("pool_client", (pool, ident))


@ends("ecr")
def delete_image(w: World) -> None:
    w("ecr", "BatchDeleteImage", repositoryName=w.pick("repository"), imageIds=[{"imageTag": w.other}])


@further("route53")
def tag_zone(w: World) -> None:
    ident = w.pick("zone")[0].rpartition("/")[2]
    tags = [{"Key": w.name, "Value": w.other}]
    w("route53", "ChangeTagsForResource", ResourceType="hostedzone", ResourceId=ident, AddTags=tags)


@ends("route53")
def delete_record(w: World) -> None:
    zone, domain = w.pick("zone")
    record = {
        "Name": f"{w.name}.{domain}",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": f"10.0.0.{w.number}"}],
    }
    w("route53", "ChangeResourceRecordSets", HostedZoneId=zone,
      ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]})  # fmt: skip


@further("autoscaling")
def grow(w: World) -> None:
    group = w.pick("scaling_group")
    w("autoscaling", "UpdateAutoScalingGroup", AutoScalingGroupName=group, MaxSize=3)
    w("autoscaling", "SetDesiredCapacity", AutoScalingGroupName=group, DesiredCapacity=w.number % 3)


@further("application-autoscaling")
def scale_table(w: World) -> None:
    scaled = {"ServiceNamespace": "dynamodb", "ScalableDimension": "dynamodb:table:ReadCapacityUnits",
              "ResourceId": f"table/{w.pick('table')[0]}"}  # fmt: skip
    w("application-autoscaling", "RegisterScalableTarget", MinCapacity=1, MaxCapacity=2 + w.number, **scaled)
    w("application-autoscaling", "PutScalingPolicy", PolicyName=w.name, PolicyType="TargetTrackingScaling",
      TargetTrackingScalingPolicyConfiguration={"TargetValue": 1.0}, **scaled)  # fmt: skip


@ends("application-autoscaling")
def scale_no_more(w: World) -> None:
    cluster, service = w.pick("service")
    scaled = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
              "ResourceId": f"service/{cluster}/{service}"}  # fmt: skip
    if w.number % 2:
        w("application-autoscaling", "DeleteScalingPolicy", PolicyName=w.name, **scaled)
    w("application-autoscaling", "DeregisterScalableTarget", **scaled)


@further("cognito-idp")
def hand_on_secret(w: World) -> None:
    """A client's secret, which the emulator draws, stands in the environment of a container."""
    made = w("cognito-idp", "CreateUserPoolClient", UserPoolId=w.pick("pool"), ClientName=w.name, GenerateSecret=True)
    environment = [{"name": "SECRET", "value": made["UserPoolClient"]["ClientSecret"]}]
    w("ecs", "RegisterTaskDefinition", family=w.other,
      containerDefinitions=[{"name": w.name, "image": "i", "memory": 64, "environment": environment}])  # fmt: skip


@further("ecs")
def run_task(w: World) -> None:
    w("ecs", "RunTask", cluster=w.pick("cluster"), taskDefinition=w.pick("task_definition"), startedBy=w.name,
      launchType="FARGATE", networkConfiguration={"awsvpcConfiguration": {"subnets": [w.pick("subnet")]}})  # fmt: skip


@ends("ecs")
def delete_service(w: World) -> None:
    cluster, service = w.pick("service")
    w("ecs", "DeleteService", cluster=cluster, service=service, force=True)
    w.gone("service", (cluster, service))


@further("stepfunctions")
def run_machine(w: World) -> None:
    machine = w.pick("machine")
    w("stepfunctions", "StartExecution", stateMachineArn=machine, name=f"{w.other}{w.number}", input="{}")
    w("stepfunctions", "PublishStateMachineVersion", stateMachineArn=machine)


@ends("rds")
def delete_db_snapshot(w: World) -> None:
    w("rds", "DeleteDBSnapshot", DBSnapshotIdentifier=f"{w.other}s")


@further("kinesis")
def split(w: World) -> None:
    stream = w.pick("stream")
    shard = w("kinesis", "ListShards", StreamName=stream)["Shards"][0]["ShardId"]
    w("kinesis", "SplitShard", StreamName=stream, ShardToSplit=shard, NewStartingHashKey=str(2**127))
    w("kinesis", "PutRecords", StreamName=stream, Records=[{"Data": w.other.encode(), "PartitionKey": w.name}])


@ends("efs")
def delete_file_system(w: World) -> None:
    ident = w.pick("file_system")
    w("efs", "DeleteFileSystem", FileSystemId=ident)
    w.gone("file_system", ident)


@ends("glue")
def delete_database(w: World) -> None:
    name = w.pick("database")
    w("glue", "DeleteDatabase", Name=name)
    w.gone("database", name)


@further("iot")
def attach_certificate(w: World) -> None:
    made = w("iot", "CreateKeysAndCertificate", setAsActive=bool(w.number % 2))
    w("iot", "CreatePolicy", policyName=f"{w.name}c", policyDocument='{"Version": "2012-10-17", "Statement": []}')
    w("iot", "AttachPolicy", policyName=f"{w.name}c", target=made["certificateArn"])


@ends("servicediscovery")
def delete_namespace(w: World) -> None:
    ident = w.pick("namespace")
    w("servicediscovery", "DeleteNamespace", Id=ident)
    w.gone("namespace", ident)


@ends("wafv2")
def delete_web_acl(w: World) -> None:
    name, ident, arn = w.pick("web_acl")
    token = w("wafv2", "GetWebACL", Name=name, Id=ident, Scope="REGIONAL")["LockToken"]
    w("wafv2", "DeleteWebACL", Name=name, Id=ident, Scope="REGIONAL", LockToken=token)
    w.gone("web_acl", (name, ident, arn))


@ends("apigateway")
def delete_resource(w: World) -> None:
    rest, resource = w.pick("resource")
    w("apigateway", "DeleteResource", restApiId=rest, resourceId=resource)
    w.gone("resource", (rest, resource))


@further("organizations")
def create_account(w: World) -> None:
    w.pick("organization")
    w("organizations", "CreateAccount", AccountName=w.name, Email=f"{w.number}@example.com")


@further("ssm")
def name_resources(w: World) -> None:
    """Parameters whose values are identifiers of other things."""
    w("ssm", "PutParameter", Name=f"/{w.name}/queue", Value=w.pick("queue")[0], Type="String", Overwrite=True)
    w("ssm", "PutParameter", Name=f"/{w.name}/role", Value=w.pick("role")[1], Type="String", Overwrite=True)
