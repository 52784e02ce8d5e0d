"""Objects in buckets without versions: only the last write counts, as far as nothing read the earlier ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from replay_proxy.replay.planning.plan import live_calls
from tests.replay.lab import Lab, operations

pytestmark = pytest.mark.emulator


@pytest.fixture
def s3(lab: Lab) -> Any:
    found = lab.client("s3")
    found.create_bucket(Bucket="box")
    return found


def kept(lab: Lab) -> list[str]:
    """The operations that are kept, but for the creation of the bucket, after a restore without any problem."""
    compacted = live_calls(lab.records)
    lab.empty()
    report = lab.restore(compacted.kept)
    assert [problem.as_json() for problem in report.problems] == []
    return operations(compacted.kept)[1:]


def read(s3: Any, key: str) -> bytes:
    return bytes(s3.get_object(Bucket="box", Key=key)["Body"].read())


def keys(s3: Any) -> list[str]:
    return [each["Key"] for each in s3.list_objects_v2(Bucket="box").get("Contents", [])]


def test_only_the_last_put_is_repeated(lab: Lab, s3: Any) -> None:
    for body in (b"one", b"two", b"three"):
        s3.put_object(Bucket="box", Key="k", Body=body)
    assert kept(lab) == ["PutObject"]
    assert read(s3, "k") == b"three"


def test_what_stands_beside_an_object_outlives_it_where_the_emulator_lets_it(lab: Lab, s3: Any) -> None:
    """Some emulators keep tags and access rights when a put says nothing of them; what was shown is shown again."""
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    for key in ("sent along", "set afterwards", "set anew", "in parts", "copied"):
        s3.put_object(Bucket="box", Key=key, Body=b"0", Tagging="k=v")
        s3.put_object(Bucket="box", Key=key, Body=b"1")
    s3.put_object_tagging(Bucket="box", Key="set afterwards", Tagging=tags)
    s3.put_object(Bucket="box", Key="set afterwards", Body=b"2")
    s3.put_object(Bucket="box", Key="set anew", Body=b"2", Tagging="l=w")
    upload = s3.create_multipart_upload(Bucket="box", Key="in parts")["UploadId"]
    part = {
        "PartNumber": 1,
        "ETag": s3.upload_part(Bucket="box", Key="in parts", UploadId=upload, PartNumber=1, Body=b"2")["ETag"],
    }
    s3.complete_multipart_upload(Bucket="box", Key="in parts", UploadId=upload, MultipartUpload={"Parts": [part]})
    s3.copy_object(Bucket="box", Key="copied", CopySource="box/set anew")
    s3.put_object(Bucket="box", Key="copied", Body=b"2")

    def shown() -> list[Any]:
        return [(key, s3.get_object_tagging(Bucket="box", Key=key)["TagSet"]) for key in keys(s3)]

    before = shown()
    assert kept(lab).count("PutObject") == 8  # of "set anew" the last alone
    assert shown() == before and all(read(s3, key)[:1] in b"2" for key in keys(s3) if key != "sent along")


def test_a_deleted_object_is_neither_put_nor_deleted(lab: Lab, s3: Any) -> None:
    for key in ("a", "b", "c"):
        s3.put_object(Bucket="box", Key=key, Body=b"x")
        s3.put_object_tagging(Bucket="box", Key=key, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.delete_object(Bucket="box", Key="a")
    s3.delete_objects(Bucket="box", Delete={"Objects": [{"Key": "b"}, {"Key": "never there"}]})
    assert kept(lab) == ["PutObject", "PutObjectTagging"]
    assert keys(s3) == ["c"]


def test_a_moved_object_needs_its_source(lab: Lab, s3: Any) -> None:
    s3.put_object(Bucket="box", Key="from", Body=b"precious")
    s3.copy_object(Bucket="box", Key="to", CopySource="box/from")
    s3.delete_object(Bucket="box", Key="from")
    assert kept(lab) == ["PutObject", "CopyObject", "DeleteObject"]
    assert (keys(s3), read(s3, "to")) == (["to"], b"precious")


def test_a_source_goes_when_its_copy_goes(lab: Lab, s3: Any) -> None:
    s3.put_object(Bucket="box", Key="from", Body=b"x")
    s3.copy_object(Bucket="box", Key="to", CopySource="box/from")
    s3.delete_object(Bucket="box", Key="from")
    s3.delete_object(Bucket="box", Key="to")
    assert kept(lab) == []


def test_a_source_that_stays_for_its_copy_does_not_come_back(lab: Lab, s3: Any) -> None:
    s3.put_object(Bucket="box", Key="from", Body=b"read")
    s3.copy_object(Bucket="box", Key="to", CopySource="box/from")
    s3.put_object(Bucket="box", Key="from", Body=b"never read")
    s3.delete_object(Bucket="box", Key="from")
    assert kept(lab) == ["PutObject", "CopyObject", "DeleteObject"]
    assert (keys(s3), read(s3, "to")) == (["to"], b"read")


def test_code_of_a_function_is_there_when_it_is_read(lab: Lab, s3: Any) -> None:
    s3.put_object(Bucket="box", Key="code/worker.zip", Body=_package())
    role = lab.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"]
    lab.client("lambda").create_function(
        FunctionName="f",
        Role=role,
        Runtime="python3.12",
        Handler="worker.handle",
        Code={"S3Bucket": "box", "S3Key": "code/worker.zip"},
    )
    s3.delete_object(Bucket="box", Key="code/worker.zip")
    assert kept(lab) == ["PutObject", "CreateRole", "CreateFunction", "DeleteObject"]


_TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})


def _package() -> bytes:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr(zipfile.ZipInfo("worker.py", (2020, 1, 1, 0, 0, 0)), "def handle(event, context): pass\n")
    return out.getvalue()


def test_versions_are_all_kept(lab: Lab, s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"overwritten before")
    s3.put_object(Bucket="box", Key="k", Body=b"null version")
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="box", Key="k", Body=b"v1")
    s3.delete_object(Bucket="box", Key="k")
    assert kept(lab) == ["PutObject", "PutBucketVersioning", "PutObject", "DeleteObject"]
    found = s3.list_object_versions(Bucket="box")
    assert (len(found["Versions"]), len(found["DeleteMarkers"])) == (2, 1)


def test_a_delete_after_versioning_leaves_a_marker(lab: Lab, s3: Any) -> None:
    s3.put_object(Bucket="box", Key="k", Body=b"null version")
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(Bucket="box", Key="k")
    assert kept(lab) == ["PutObject", "PutBucketVersioning", "DeleteObject"]


def test_a_bucket_made_again_while_it_is_there_keeps_its_versions(lab: Lab, s3: Any) -> None:
    s3.put_bucket_versioning(Bucket="box", VersioningConfiguration={"Status": "Enabled"})
    s3.create_bucket(Bucket="box")
    for body in (b"one", b"two"):
        s3.put_object(Bucket="box", Key="k", Body=body)
    assert kept(lab)[-2:] == ["PutObject", "PutObject"]


def upload(s3: Any, parts: list[tuple[int, bytes]]) -> tuple[str, dict[int, str]]:
    identity = s3.create_multipart_upload(Bucket="box", Key="big")["UploadId"]
    tags = {
        number: s3.upload_part(Bucket="box", Key="big", UploadId=identity, PartNumber=number, Body=body)["ETag"]
        for number, body in parts
    }
    return identity, tags


def test_an_aborted_upload_goes_as_a_whole(lab: Lab, s3: Any) -> None:
    identity, _ = upload(s3, [(1, b"a"), (2, b"b")])
    s3.abort_multipart_upload(Bucket="box", Key="big", UploadId=identity)
    assert kept(lab) == []


def test_a_completed_upload_is_what_it_was_completed_from(lab: Lab, s3: Any) -> None:
    full = b"1" * (5 << 20)
    identity, tags = upload(s3, [(1, b"first try"), (1, full), (2, b"end"), (3, b"not named")])
    parts = [{"PartNumber": number, "ETag": tags[number]} for number in (1, 2)]
    s3.complete_multipart_upload(Bucket="box", Key="big", UploadId=identity, MultipartUpload={"Parts": parts})
    etag = s3.head_object(Bucket="box", Key="big")["ETag"]
    assert kept(lab) == ["CreateMultipartUpload", "UploadPart", "UploadPart", "CompleteMultipartUpload"]
    assert read(s3, "big") == full + b"end"
    assert s3.head_object(Bucket="box", Key="big")["ETag"] == etag


def test_a_completed_upload_that_was_overwritten_goes(lab: Lab, s3: Any) -> None:
    identity, tags = upload(s3, [(1, b"one part")])
    parts = [{"PartNumber": 1, "ETag": tags[1]}]
    s3.complete_multipart_upload(Bucket="box", Key="big", UploadId=identity, MultipartUpload={"Parts": parts})
    s3.put_object(Bucket="box", Key="big", Body=b"small")
    assert kept(lab) == ["PutObject"]


def test_an_upload_that_is_still_open_stays(lab: Lab, s3: Any) -> None:
    identity, tags = upload(s3, [(1, b"one part")])
    assert kept(lab) == ["CreateMultipartUpload", "UploadPart"]
    parts = [{"PartNumber": 1, "ETag": tags[1]}]
    s3.complete_multipart_upload(Bucket="box", Key="big", UploadId=identity, MultipartUpload={"Parts": parts})
    assert read(s3, "big") == b"one part"


def test_settings_of_a_bucket_that_are_set_again(lab: Lab, s3: Any) -> None:
    for value in ("one", "two"):
        s3.put_bucket_tagging(Bucket="box", Tagging={"TagSet": [{"Key": "k", "Value": value}]})
        statement = {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": f"arn:aws:s3:::box/{value}",
        }
        s3.put_bucket_policy(Bucket="box", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.delete_bucket_policy(Bucket="box")
    assert kept(lab) == ["PutBucketTagging", "DeleteBucketPolicy"]
    assert s3.get_bucket_tagging(Bucket="box")["TagSet"] == [{"Key": "k", "Value": "two"}]
