"""Objects come back: versions in order and under their ids, parts, metadata, tags, delete markers, copies."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stories import Story

pytestmark = pytest.mark.emulator

PART = 5 << 20


def test_versions(any_story: Story) -> None:
    s3 = any_story.client("s3")
    s3.create_bucket(Bucket="archive")
    before = s3.put_object(Bucket="archive", Key="k", Body=b"before there were versions")
    assert "VersionId" not in before
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Enabled"})
    ids = [
        s3.put_object(Bucket="archive", Key="k", Body=f"{n}", Metadata={"n": str(n)}, Tagging=f"n={n}")["VersionId"]
        for n in range(4)
    ]
    s3.put_object_tagging(
        Bucket="archive", Key="k", VersionId=ids[1], Tagging={"TagSet": [{"Key": "n", "Value": "changed"}]}
    )
    s3.delete_object(Bucket="archive", Key="k", VersionId=ids[2])
    marker = s3.delete_object(Bucket="archive", Key="k")
    assert marker["DeleteMarker"] is True
    s3.put_object(Bucket="archive", Key="gone", Body=b"x")
    s3.delete_object(Bucket="archive", Key="gone")
    s3.put_object(Bucket="archive", Key="back", Body=b"y")
    back = s3.delete_object(Bucket="archive", Key="back")["VersionId"]
    s3.delete_object(Bucket="archive", Key="back", VersionId=back)
    s3.copy_object(Bucket="archive", Key="copy", CopySource={"Bucket": "archive", "Key": "k", "VersionId": ids[0]})
    s3.put_bucket_versioning(Bucket="archive", VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket="archive", Key="copy", Body=b"without an id")

    def read() -> Any:
        listed = s3.list_object_versions(Bucket="archive")
        versions = [
            (each["Key"], each["VersionId"], each["IsLatest"], each["ETag"], each["Size"])
            for each in listed["Versions"]
        ]
        markers = [(each["Key"], each["VersionId"], each["IsLatest"]) for each in listed["DeleteMarkers"]]
        content = []
        for key, version, *_ in versions:
            found = s3.get_object(Bucket="archive", Key=key, VersionId=version)
            tags = []
            with suppress(ClientError):  # MiniStack knows no tags of the version "null"
                tags = s3.get_object_tagging(Bucket="archive", Key=key, VersionId=version)["TagSet"]
            content.append((key, version, found["Body"].read(), found["Metadata"], tags, found.get("VersionId")))
        return versions, markers, content, s3.get_bucket_versioning(Bucket="archive")["Status"]

    versions, markers, content, _ = any_story.survives(read)
    order = [version for key, version, *_ in versions if key == "k"]
    assert [each for each in order if each != "null"] == [ids[3], ids[1], ids[0]]
    assert ("k", marker["VersionId"], True) in markers
    copies = [body for key, _, body, *_ in content if key == "copy"]
    assert copies in ([b"without an id", b"0"], [b"without an id"])  # moto forgets older versions in a suspended bucket
    with pytest.raises(ClientError):
        s3.get_object(Bucket="archive", Key="k", VersionId=ids[2])


def test_parts_of_an_upload(story: Story) -> None:
    s3 = story.client("s3")
    s3.create_bucket(Bucket="archive")
    s3.put_object(Bucket="archive", Key="source", Body=b"s" * PART)
    parts = [hashlib.shake_256(bytes([n])).digest(PART if n < 2 else 77) for n in range(3)]
    upload = s3.create_multipart_upload(
        Bucket="archive", Key="large", Metadata={"of": "parts"}, ContentType="x/y", Tagging="t=1"
    )["UploadId"]
    named = []
    # Out of order, one of them twice, one of them a copy.
    for number in (3, 1, 1):
        tag = s3.upload_part(Bucket="archive", Key="large", UploadId=upload, PartNumber=number, Body=parts[number - 1])
        named.append({"PartNumber": number, "ETag": tag["ETag"]})
    copied = s3.upload_part_copy(
        Bucket="archive", Key="large", UploadId=upload, PartNumber=2, CopySource={"Bucket": "archive", "Key": "source"}
    )
    named.append({"PartNumber": 2, "ETag": copied["CopyPartResult"]["ETag"]})
    ordered = sorted({each["PartNumber"]: each for each in named}.values(), key=lambda each: each["PartNumber"])
    s3.complete_multipart_upload(Bucket="archive", Key="large", UploadId=upload, MultipartUpload={"Parts": ordered})
    s3.delete_object(Bucket="archive", Key="source")
    s3.copy_object(Bucket="archive", Key="copy", CopySource={"Bucket": "archive", "Key": "large"})

    def read() -> Any:
        found = s3.get_object(Bucket="archive", Key="large")
        facts: dict[str, Any] = {
            "content": hashlib.sha256(found["Body"].read()).hexdigest(),
            "etag": found["ETag"],
            "metadata": found["Metadata"],
            "type": found["ContentType"],
            "tags": s3.get_object_tagging(Bucket="archive", Key="large")["TagSet"],
            "copy": s3.head_object(Bucket="archive", Key="copy")["ETag"],
        }
        for number in (1, 2, 3):
            with suppress(ClientError):
                one = s3.get_object(Bucket="archive", Key="large", PartNumber=number)
                body = one["Body"].read()
                facts[f"part {number}"] = (hashlib.sha256(body).hexdigest(), len(body), one.get("PartsCount"))
        with suppress(ClientError):
            told = s3.get_object_attributes(Bucket="archive", Key="large", ObjectAttributes=["ObjectParts", "ETag"])
            facts["attributes"] = (told.get("ETag"), told.get("ObjectParts"))
        return facts

    facts = story.survives(read)
    assert facts["etag"].endswith('-3"')
    assert facts["content"] == hashlib.sha256(parts[0] + b"s" * PART + parts[2]).hexdigest()
    assert facts["metadata"] == {"of": "parts"}


def test_what_was_overwritten_deleted_and_configured(any_story: Story) -> None:
    s3 = any_story.client("s3")
    s3.create_bucket(Bucket="plain")
    s3.create_bucket(Bucket="site")
    for number in range(5):
        s3.put_object(Bucket="plain", Key=f"dir/{number} ü+%20", Body=f"{number}", CacheControl="no-store")
    s3.put_object(Bucket="plain", Key="dir/0 ü+%20", Body=b"again", StorageClass="STANDARD_IA")
    s3.delete_objects(Bucket="plain", Delete={"Objects": [{"Key": f"dir/{number} ü+%20"} for number in (1, 2)]})
    s3.copy_object(Bucket="site", Key="copy", CopySource={"Bucket": "plain", "Key": "dir/3 ü+%20"})
    s3.delete_object(Bucket="plain", Key="dir/3 ü+%20")
    s3.put_bucket_tagging(Bucket="site", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
    s3.put_bucket_tagging(Bucket="site", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    s3.put_bucket_lifecycle_configuration(Bucket="site", LifecycleConfiguration={"Rules": [rule]})
    cors = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
    s3.put_bucket_cors(Bucket="site", CORSConfiguration=cors)
    s3.put_bucket_website(Bucket="site", WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}})

    def read() -> Any:
        found = {}
        for bucket in ("plain", "site"):
            for each in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                got = s3.get_object(Bucket=bucket, Key=each["Key"])
                found[bucket, each["Key"]] = (got["Body"].read(), got.get("CacheControl"), each.get("StorageClass"))
        return (
            found,
            s3.get_bucket_tagging(Bucket="site")["TagSet"],
            [
                (each["ID"], each["Expiration"])
                for each in s3.get_bucket_lifecycle_configuration(Bucket="site")["Rules"]
            ],
            s3.get_bucket_cors(Bucket="site")["CORSRules"],
            s3.get_bucket_website(Bucket="site")["IndexDocument"],
        )

    found = any_story.survives(read)[0]
    assert {key: value[0] for key, value in found.items()} == {
        ("plain", "dir/0 ü+%20"): b"again",
        ("plain", "dir/4 ü+%20"): b"4",
        ("site", "copy"): b"3",
    }
