"""Objects, files, vaults."""

from __future__ import annotations

import json

from tests.support.scenarios.world import World, step


@step("s3", makes="bucket")
def create_bucket(w: World) -> None:
    name = f"{w.name}-b".lower() if len(w.name) < 3 else w.name.lower()
    name += w.mark
    w("s3", "CreateBucket", Bucket=name)
    w.keep("bucket", name)


@step("s3", makes="object")
def put_object(w: World) -> None:
    bucket = w.pick("bucket")
    w("s3", "PutObject", Bucket=bucket, Key=w.name, Body=f"{w.other}{w.number}".encode(), Metadata={"m": "1"},
      Tagging="k=v")  # fmt: skip
    w.keep("object", (bucket, w.name))


@step("s3")
def version_bucket(w: World) -> None:
    w("s3", "PutBucketVersioning", Bucket=w.pick("bucket"), VersioningConfiguration={"Status": "Enabled"})


@step("s3")
def copy_object(w: World) -> None:
    bucket, key = w.pick("object")
    w("s3", "CopyObject", Bucket=bucket, Key=f"{w.name}/copy", CopySource={"Bucket": bucket, "Key": key})


@step("s3")
def bucket_policy(w: World) -> None:
    bucket = w.pick("bucket")
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    w("s3", "PutBucketPolicy", Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [allow]}))
    w("s3", "PutBucketTagging", Bucket=bucket, Tagging={"TagSet": [{"Key": "k", "Value": w.other}]})


@step("s3")
def notify(w: World) -> None:
    configuration = {
        "QueueConfigurations": [{"Id": w.name, "QueueArn": w.pick("queue")[1], "Events": ["s3:ObjectRemoved:*"]}]
    }
    w("s3", "PutBucketNotificationConfiguration", Bucket=w.pick("bucket"), NotificationConfiguration=configuration)


@step("s3")
def multipart(w: World) -> None:
    bucket = w.pick("bucket")
    upload = w("s3", "CreateMultipartUpload", Bucket=bucket, Key=w.name)["UploadId"]
    part = w("s3", "UploadPart", Bucket=bucket, Key=w.name, UploadId=upload, PartNumber=1, Body=b"part")
    if w.number % 2:
        w("s3", "CompleteMultipartUpload", Bucket=bucket, Key=w.name, UploadId=upload,
          MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})  # fmt: skip


@step("s3", ends=True)
def delete_object(w: World) -> None:
    bucket, key = w.pick("object")
    w("s3", "DeleteObject", Bucket=bucket, Key=key)


@step("s3", ends=True)
def delete_objects(w: World) -> None:
    bucket, key = w.pick("object")
    w("s3", "DeleteObjects", Bucket=bucket, Delete={"Objects": [{"Key": key}]})


@step("s3", ends=True)
def delete_bucket(w: World) -> None:
    bucket = w.pick("bucket")
    # moto keeps the tags of a bucket that was deleted, and shows them as those of the next one with its name.
    w("s3", "DeleteBucketTagging", Bucket=bucket)
    w("s3", "DeleteBucket", Bucket=bucket)
    w.gone("bucket", bucket)


@step("efs", makes="file_system")
def create_file_system(w: World) -> None:
    made = w("efs", "CreateFileSystem", CreationToken=w.name, Tags=[{"Key": "Name", "Value": w.other}])
    w.keep("file_system", made["FileSystemId"])


@step("efs")
def create_access_point(w: World) -> None:
    w("efs", "CreateAccessPoint", ClientToken=w.name, FileSystemId=w.pick("file_system"))


@step("efs")
def mount(w: World) -> None:
    w("efs", "CreateMountTarget", FileSystemId=w.pick("file_system"), SubnetId=w.pick("subnet"))
    w("efs", "PutLifecycleConfiguration", FileSystemId=w.pick("file_system"),
      LifecyclePolicies=[{"TransitionToIA": "AFTER_7_DAYS"}])  # fmt: skip


@step("glacier")
def create_vault(w: World) -> None:
    w("glacier", "CreateVault", accountId="-", vaultName=w.name)
    w("glacier", "CreateVault", accountId="-", vaultName=w.other)


@step("backup", makes="vault")
def create_backup_vault(w: World) -> None:
    w("backup", "CreateBackupVault", BackupVaultName=w.name, BackupVaultTags={"k": w.other})
    w.keep("vault", w.name)


@step("backup")
def create_backup_plan(w: World) -> None:
    rule = {"RuleName": w.other, "TargetBackupVaultName": w.pick("vault")}
    w("backup", "CreateBackupPlan", BackupPlan={"BackupPlanName": w.name, "Rules": [rule]})


@step("backup", ends=True)
def delete_backup_vault(w: World) -> None:
    w("backup", "DeleteBackupVault", BackupVaultName=w.pick("vault"))


@step("ecr", makes="repository")
def create_repository(w: World) -> None:
    made = w("ecr", "CreateRepository", repositoryName=w.name.lower(), tags=[{"Key": "k", "Value": w.other}])
    w.keep("repository", made["repository"]["repositoryName"])


@step("ecr")
def put_image(w: World) -> None:
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
                "config": {"mediaType": "a/b", "size": 1, "digest": f"sha256:{'0' * 64}"}, "layers": []}  # fmt: skip
    w("ecr", "PutImage", repositoryName=w.pick("repository"), imageManifest=json.dumps(manifest), imageTag=w.other)


@step("ecr")
def repository_policies(w: World) -> None:
    statement = {"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "ecr:*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    w("ecr", "SetRepositoryPolicy", repositoryName=w.pick("repository"), policyText=text)
    w("ecr", "PutImageTagMutability", repositoryName=w.pick("repository"), imageTagMutability="IMMUTABLE")


@step("ecr", ends=True)
def delete_repository(w: World) -> None:
    name = w.pick("repository")
    w("ecr", "DeleteRepository", repositoryName=name, force=True)
    w.gone("repository", name)


@step("transfer")
def create_server(w: World) -> None:
    server = w("transfer", "CreateServer", Tags=[{"Key": "k", "Value": w.name}])["ServerId"]
    w("transfer", "CreateUser", ServerId=server, UserName=w.name, Role=w.pick("role")[1])
