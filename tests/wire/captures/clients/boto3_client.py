"""What people do with boto3, in the forms that its requests take. Errors of the emulator do not matter here."""

from __future__ import annotations

import contextlib
import io
import json
import os
import urllib.request
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.client import BaseClient
from botocore.config import Config
from expect_plugin import register

ENDPOINT = os.environ["AWS_ENDPOINT_URL"]


def client(service: str, **more: Any) -> BaseClient:
    config = Config(retries={"total_max_attempts": 1}, read_timeout=20).merge(more.pop("config", Config()))
    made = boto3.client(service, config=config, **more)
    register(made.meta.events)
    return made


def call(of: BaseClient, method: str, **parameters: Any) -> Any:
    with contextlib.suppress(Exception):  # an emulator's answer may also be no answer that botocore can parse
        return getattr(of, method)(**parameters)
    return {}


def plain(method: str, url: str, expect: str, body: bytes | None = None, **headers: str) -> None:
    """A request by hand: a link that somebody was given, a form, an old script."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, {**headers, "X-Capture-Expect": expect}, method=method)
    with contextlib.suppress(OSError):
        urllib.request.urlopen(request, timeout=20).close()


def to_this_machine(request: Any, **_: Any) -> None:
    """Send a request for a virtual host (whose name need not resolve) to the endpoint, saying the host."""
    host = request.url.split("/")[2]
    request.headers["Host"] = host
    request.url = request.url.replace(f"//{host}", f"//{ENDPOINT.split('/')[2]}")


def s3() -> None:
    c = client("s3")
    bucket = {"Bucket": "photos"}
    call(c, "create_bucket", **bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    call(c, "list_buckets")
    call(c, "head_bucket", **bucket)
    call(c, "get_bucket_location", **bucket)
    call(c, "put_bucket_versioning", **bucket, VersioningConfiguration={"Status": "Enabled"})
    call(c, "get_bucket_versioning", **bucket)
    call(c, "put_bucket_tagging", **bucket, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    call(c, "put_bucket_policy", **bucket, Policy="{}")
    call(c, "put_bucket_notification_configuration", **bucket, NotificationConfiguration={})
    call(c, "put_bucket_lifecycle_configuration", **bucket, LifecycleConfiguration={"Rules": []})
    call(c, "put_public_access_block", **bucket, PublicAccessBlockConfiguration={"BlockPublicAcls": True})
    call(c, "put_bucket_acl", **bucket, ACL="private")
    call(c, "get_bucket_inventory_configuration", **bucket, Id="a")
    call(c, "list_bucket_inventory_configurations", **bucket)
    for key in ("a.txt", "/leading", "folder/", "a//b", "ünï cødé+%2F", "v20180820/x"):
        call(c, "put_object", **bucket, Key=key, Body=b"hello", Metadata={"a": "b"})
    call(c, "put_object", **bucket, Key="stream", Body=io.BytesIO(b"hello" * 10), ChecksumAlgorithm="SHA256")
    call(c, "get_object", **bucket, Key="a.txt", Range="bytes=0-1")
    call(c, "head_object", **bucket, Key="a.txt")
    call(c, "copy_object", **bucket, Key="copy", CopySource="photos/a.txt")
    call(c, "put_object_tagging", **bucket, Key="a.txt", Tagging={"TagSet": []})
    call(c, "get_object_attributes", **bucket, Key="a.txt", ObjectAttributes=["ETag"])
    call(c, "list_objects", **bucket)
    call(c, "list_objects_v2", **bucket, Prefix="a/", Delimiter="/")
    call(c, "list_object_versions", **bucket)
    upload = call(c, "create_multipart_upload", **bucket, Key="big").get("UploadId", "x")
    part = {**bucket, "Key": "big", "UploadId": upload}
    call(c, "upload_part", **part, PartNumber=1, Body=b"hello")
    call(c, "upload_part_copy", **part, PartNumber=2, CopySource="photos/a.txt")
    call(c, "list_parts", **part)
    call(c, "list_multipart_uploads", **bucket)
    call(c, "complete_multipart_upload", **part, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": "a"}]})
    call(c, "abort_multipart_upload", **part)
    call(c, "select_object_content", **bucket, Key="a", Expression="s", ExpressionType="SQL",
         InputSerialization={"CSV": {}}, OutputSerialization={"CSV": {}})  # fmt: skip
    call(c, "restore_object", **bucket, Key="a.txt", RestoreRequest={"Days": 1})
    call(c, "delete_objects", **bucket, Delete={"Objects": [{"Key": "copy"}]})
    call(c, "delete_object", **bucket, Key="a.txt")
    call(c, "delete_bucket_policy", **bucket)
    call(c, "list_directory_buckets")
    control = client("s3control")
    control.meta.events.register("before-send.s3-control", to_this_machine)
    call(control, "get_public_access_block", AccountId="123456789012")


def s3_links_and_forms() -> None:
    for version in ("s3v4", "s3"):
        c = client("s3", config=Config(signature_version=version))
        parameters = {"Bucket": "photos", "Key": "linked file.txt"}
        plain("PUT", c.generate_presigned_url("put_object", Params=parameters), "s3:PutObject", b"hello")
        plain("GET", c.generate_presigned_url("get_object", Params=parameters), "s3:GetObject")
        part = {**parameters, "UploadId": "x", "PartNumber": 3}
        plain("PUT", c.generate_presigned_url("upload_part", Params=part), "s3:UploadPart", b"hello")
        call(c, "put_object", Bucket="photos", Key="old", Body=b"x")
        post = c.generate_presigned_post("photos", "posted")
        fields = "".join(
            f'--xyz\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in {**post["fields"], "file": "hello"}.items()
        )
        body = f"{fields}--xyz--\r\n".encode()
        plain("POST", post["url"], "s3:PostObject", body, Content_Type="multipart/form-data; boundary=xyz")
    virtual = client("s3", config=Config(s3={"addressing_style": "virtual"}))
    virtual.meta.events.register("before-send.s3", to_this_machine)
    call(virtual, "put_object", Bucket="photos", Key="/a//b/", Body=b"x")
    call(virtual, "list_objects_v2", Bucket="photos")
    unsigned = client("s3", config=Config(signature_version=UNSIGNED))
    call(unsigned, "get_object", Bucket="photos", Key="a.txt")
    call(unsigned, "list_objects_v2", Bucket="photos")


def queues_and_topics() -> None:
    c = client("sqs")
    url = call(c, "create_queue", QueueName="orders").get("QueueUrl", "")
    call(c, "send_message", QueueUrl=url, MessageBody="hello")
    call(c, "receive_message", QueueUrl=url)
    form = b"Action=SendMessage&Version=2012-11-05&MessageBody=hello"
    kind = "application/x-www-form-urlencoded"
    for path in ("/123456789012/orders", "/queue/eu-west-1/123456789012/orders"):
        plain("POST", ENDPOINT + path, "sqs:SendMessage", form, Content_Type=kind)
        plain("GET", f"{ENDPOINT}{path}?Action=ReceiveMessage&Version=2012-11-05", "sqs:ReceiveMessage")
    plain("POST", f"{ENDPOINT}/123456789012/orders", "sqs:SendMessage", form, Content_Type=kind,
          Host="eu-west-1.queue.localhost.localstack.cloud:4566")  # fmt: skip
    c = client("sns")
    topic = call(c, "create_topic", Name="news").get("TopicArn", "")
    call(c, "subscribe", TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-1:123456789012:orders")
    call(c, "publish", TopicArn=topic, Message="hello & goodbye")


def identity() -> None:
    call(
        client("sts", aws_access_key_id="123456789012", aws_secret_access_key="made-up"),
        "get_caller_identity",
    )
    c = client("sts")
    role = {"RoleArn": "arn:aws:iam::123456789012:role/a", "RoleSessionName": "abc"}
    call(c, "assume_role", **role)
    call(c, "assume_role_with_web_identity", **role, WebIdentityToken="abcd")
    plain("GET", c.generate_presigned_url("get_caller_identity"), "sts:GetCallerIdentity")
    call(client("iam"), "create_role", RoleName="a", AssumeRolePolicyDocument="{}")
    c = client("cognito-idp")
    call(c, "create_user_pool", PoolName="a")
    call(c, "sign_up", ClientId="abc", Username="me", Password="secret-1")
    call(client("cognito-identity"), "get_id", IdentityPoolId="eu-west-1:a")
    call(client("sso"), "list_accounts", accessToken="t")
    call(client("sso-oidc"), "register_client", clientName="a", clientType="public")
    call(client("iam", config=Config(signature_version="v2")), "list_users")


def json_and_cbor() -> None:
    c = client("dynamodb")
    call(c, "list_tables")
    call(c, "put_item", TableName="t", Item={"id": {"S": "1"}})
    call(client("dynamodbstreams"), "list_streams")
    call(client("kms"), "create_key")
    call(client("secretsmanager"), "create_secret", Name="a", SecretString="b")
    call(client("ssm"), "put_parameter", Name="/a/b", Value="c", Type="String")
    call(client("logs"), "create_log_group", logGroupName="/a/b")
    call(client("stepfunctions"), "list_state_machines")
    call(client("kinesis"), "put_record", StreamName="s", Data=b"d", PartitionKey="p")
    metric = [{"MetricName": f"m{i}", "Value": 1.0} for i in range(300)]
    call(client("cloudwatch"), "put_metric_data", Namespace="n", MetricData=metric)
    call(client("events"), "put_rule", Name="r", ScheduleExpression="rate(1 day)")
    body = b"Action=ListMetrics&Version=2010-08-01"
    plain(
        "POST",
        f"{ENDPOINT}/",
        "cloudwatch:ListMetrics",
        body,
        Content_Type="application/x-www-form-urlencoded",
    )


def rest() -> None:
    c = client("lambda")
    call(c, "list_functions")
    call(c, "invoke", FunctionName="f", Payload=json.dumps({"a": 1}).encode())
    call(
        c,
        "invoke",
        FunctionName="arn:aws:lambda:eu-west-1:123456789012:function:f:live",
        InvocationType="Event",
    )
    call(c, "add_permission", FunctionName="f", StatementId="s", Action="a", Principal="p")
    call(c, "tag_resource", Resource="arn:aws:lambda:eu-west-1:123456789012:function:f", Tags={"a": "b"})
    c = client("apigateway")
    api = call(c, "create_rest_api", name="a").get("id", "x")
    call(c, "get_resources", restApiId=api)
    call(c, "import_rest_api", body=b"{}")
    call(c, "put_integration", restApiId=api, resourceId="r", httpMethod="GET", type="MOCK")
    call(c, "tag_resource", resourceArn=f"arn:aws:apigateway:eu-west-1::/restapis/{api}", tags={"a": "b"})
    call(client("apigatewayv2"), "create_api", Name="a", ProtocolType="HTTP")
    management = client("apigatewaymanagementapi", endpoint_url=f"{ENDPOINT}/dev")
    call(management, "post_to_connection", ConnectionId="abc=", Data=b"x")
    call(client("route53"), "create_hosted_zone", Name="example.org", CallerReference="1")
    call(client("route53"), "list_resource_record_sets", HostedZoneId="/hostedzone/Z1")
    call(client("sesv2"), "create_email_identity", EmailIdentity="a@example.org")
    call(client("ses"), "verify_email_identity", EmailAddress="a@example.org")
    call(client("opensearch"), "create_domain", DomainName="abc")
    call(client("es"), "list_domain_names")
    call(client("bedrock-runtime"), "invoke_model", modelId="anthropic.claude:0", body=b"{}")
    call(client("iot-data"), "publish", topic="a/b/c", payload=b"x")
    call(client("iot"), "create_thing", thingName="t")
    call(client("scheduler"), "list_schedules")
    call(client("pipes"), "list_pipes")
    call(client("eks"), "list_clusters")
    call(client("efs"), "describe_file_systems")
    call(client("batch"), "describe_job_queues")
    call(client("cloudfront"), "create_distribution_with_tags", DistributionConfigWithTags={
        "DistributionConfig": {"CallerReference": "a", "Comment": "b", "Enabled": True,
                               "Origins": {"Quantity": 0, "Items": []},
                               "DefaultCacheBehavior": {"TargetOriginId": "a", "ViewerProtocolPolicy": "allow-all"}},
        "Tags": {}})  # fmt: skip


def query_and_ec2() -> None:
    call(client("ec2"), "describe_vpcs")
    call(client("ec2"), "run_instances", MinCount=1, MaxCount=1, ImageId="ami-12345678")
    call(client("elb"), "describe_load_balancers")
    call(client("elbv2"), "describe_load_balancers")
    call(client("rds"), "describe_db_instances")
    call(client("cloudformation"), "list_stacks")
    call(client("autoscaling"), "describe_auto_scaling_groups")
    call(client("elasticache"), "describe_cache_clusters")
    call(client("sdb"), "list_domains")


if __name__ == "__main__":
    for scenario in (s3, s3_links_and_forms, queues_and_topics, identity, json_and_cbor, rest, query_and_ec2):
        scenario()
