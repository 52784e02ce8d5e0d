"""A pod that is loaded again, with `service-merge`: what both sides wrote with one call is not written once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replay_proxy.journal.read.reader import read
from replay_proxy.journal.storage.files import Files
from replay_proxy.pods.merge.merge_recordings import merge_recordings
from replay_proxy.pods.merge.report import MergeReport
from replay_proxy.pods.merge.strategies import MergeStrategy
from replay_proxy.replay.recorded_call import call_of
from tests.resources.recordings import Tape, no_blobs, queue, queue_url, table

Said = list[tuple[str, Any]]


def _loads(ours: Tape, pod: Tape, folder: Path) -> tuple[Said, MergeReport]:
    """Load a pod twice; return what the first merge sends and its report. The second sends the same, and changes nothing."""
    place, taken = Files(ours.write(folder / "ours")), read(pod.write(folder / "pod"))
    first = merge_recordings(place, taken, MergeStrategy.SERVICE, folder / "first")
    again = merge_recordings(Files(folder / "first"), taken, MergeStrategy.SERVICE, folder / "again")
    said = _said(folder / "first")
    assert _said(folder / "again") == said
    assert not again.changes_anything, again.as_json()
    return said, first


def _said(folder: Path) -> Said:
    found: Said = []
    for record in read(folder).records():
        call = call_of(record, no_blobs)
        assert call is not None
        found.append((call.operation, call.params))
    return found


def _object(tape: Tape, operation: str, key: str, **params: Any) -> None:
    body = {
        "CreateMultipartUpload": f"<R><UploadId>u-{key}</UploadId></R>",
        "CopyObject": "<CopyObjectResult><ETag>1</ETag></CopyObjectResult>",
    }.get(operation, "")
    given = {"Bucket": "things", "Key": key, **params}
    tape.call("s3", operation, given, protocol="rest-xml", body=body.encode())


def _versioned(tape: Tape) -> None:
    tape.call("s3", "CreateBucket", {"Bucket": "things"}, protocol="rest-xml", body=b"")
    status = {"Bucket": "things", "VersioningConfiguration": {"Status": "Enabled"}}
    tape.call("s3", "PutBucketVersioning", status, protocol="rest-xml", body=b"")


def _keys(said: Said) -> list[tuple[str, str]]:
    return [(name, params["Key"]) for name, params in said if "Key" in params and "Bucket" in params]


def test_versions_markers_and_uploads_are_there_once(tmp_path: Path) -> None:
    """Of both sides: objects with an end, and uploads without one. The report says of the first load that the bucket changed."""
    ours, pod = Tape(), Tape()
    for _each in range(30):
        queue(pod, "moments")
    for tape, side in ((ours, "ours"), (pod, "pod")):
        _versioned(tape)
        _object(tape, "PutObject", side, Body=b"1")
        _object(tape, "PutObject", side, Body=b"2")
        _object(tape, "DeleteObject", side)
        _object(tape, "CreateMultipartUpload", f"part-{side}")
        _object(tape, "UploadPart", f"part-{side}", UploadId=f"u-part-{side}", PartNumber=1, Body=b"p")
    said, report = _loads(ours, pod, tmp_path)
    of_one = [("PutObject", ""), ("PutObject", ""), ("DeleteObject", ""), ("CreateMultipartUpload", "part-")]
    assert _keys(said) == [
        (name, prefix + side) for side in ("pod", "ours") for name, prefix in (*of_one, ("UploadPart", "part-"))
    ]
    assert report.services["s3"].changed == [f"{ours.account}/-/AWS::S3::Bucket/things"]


def test_what_the_pod_has_ended_is_written_again_once(tmp_path: Path) -> None:
    """By the calls of its present life, the last whole write with its upload, and what changed it since; once for all loads."""
    ours, pod = Tape(), Tape()
    for tape in (ours, pod):
        _versioned(tape)
        _object(tape, "PutObject", "k", Body=b"first")
        _object(tape, "CreateMultipartUpload", "k")
        _object(tape, "UploadPart", "k", UploadId="u-k", PartNumber=1, Body=b"p")
        parts = {"Parts": [{"PartNumber": 1, "ETag": "1"}]}
        _object(tape, "CompleteMultipartUpload", "k", UploadId="u-k", MultipartUpload=parts)
        _object(tape, "PutObjectTagging", "k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
        _object(tape, "PutObject", "gone", Body=b"1")
        _object(tape, "DeleteObject", "gone")
    _object(pod, "DeleteObject", "k")
    said, _report = _loads(ours, pod, tmp_path)
    uploaded = ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "PutObjectTagging"]
    both = ["PutObject", *uploaded, "PutObject", "DeleteObject"]
    assert [name for name, _key in _keys(said)] == [*both, "DeleteObject", *uploaded]


def test_what_our_copy_reads_is_there_for_it_and_gone_again(tmp_path: Path) -> None:
    """An object that both sides have deleted, and ours has copied before."""
    ours, pod = Tape(), Tape()
    for tape in (ours, pod):
        _versioned(tape)
        _object(tape, "PutObject", "k", Body=b"first")
    queue(pod, "moments")
    _object(ours, "CopyObject", "copied", CopySource="things/k")
    for tape in (ours, pod):
        _object(tape, "DeleteObject", "k")
    said, _report = _loads(ours, pod, tmp_path)
    expected = [("PutObject", "k"), ("DeleteObject", "k")]
    assert _keys(said) == [*expected, ("PutObject", "k"), ("CopyObject", "copied"), ("DeleteObject", "k")]


def test_items_are_written_again_one_by_one_where_the_pod_ended_them(tmp_path: Path) -> None:
    """Of a batch of both sides: what the pod has deleted since. What both have deleted is not written again, for its stream."""
    ours, pod = Tape(), Tape()

    def deleted(tape: Tape, key: str) -> None:
        tape.call("dynamodb", "DeleteItem", {"TableName": "t", "Key": {"id": {"S": key}}}, {})

    for tape in (ours, pod):
        table(tape, "t")
        view = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        tape.call("dynamodb", "UpdateTable", {"TableName": "t", "StreamSpecification": view}, {})
        items = [{"Put": {"TableName": "t", "Item": {"id": {"S": key}}}} for key in ("a", "b", "c")]
        tape.call("dynamodb", "TransactWriteItems", {"TransactItems": items}, {})
        deleted(tape, "c")
    deleted(pod, "a")
    said, _report = _loads(ours, pod, tmp_path)
    written = [
        [each["Put"]["Item"]["id"]["S"] for each in params["TransactItems"]]
        for name, params in said
        if name == "TransactWriteItems"
    ]
    assert written == [["a", "b", "c"], ["a"]]
    assert [params["Key"]["id"]["S"] for name, params in said if name == "DeleteItem"] == ["c", "a"]


def test_of_two_fifo_messages_of_one_deduplication_id_the_pods_is_sent_and_that_is_said(tmp_path: Path) -> None:
    """One call and a batch, an id of the client and one of the content; in a queue that tells them by group, others stay."""
    ours, pod = Tape(), Tape()
    for _each in range(30):
        queue(pod, "moments")
    for tape, side in ((ours, "ours"), (pod, "pod")):
        queue(tape, "f.fifo", FifoQueue="true", ContentBasedDeduplication="true")
        queue(
            tape, "g.fifo", FifoQueue="true", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId"
        )
        for name, group in (("f.fifo", "g"), ("g.fifo", side)):
            message = {"QueueUrl": queue_url(name), "MessageGroupId": group}
            sent = {**message, "MessageBody": side, "MessageDeduplicationId": "d"}
            tape.call("sqs", "SendMessage", sent, {"MessageId": f"{side}-{name}-1"})
            entries = [
                {"Id": str(at), "MessageBody": body, "MessageGroupId": group}
                for at, body in enumerate(("same", side, "more"))
            ]
            ids = [{"Id": each["Id"], "MessageId": f"{side}-{name}-b{each['Id']}"} for each in entries]
            batch = {"QueueUrl": queue_url(name), "Entries": entries}
            tape.call("sqs", "SendMessageBatch", batch, {"Successful": ids, "Failed": []})
    said, report = _loads(ours, pod, tmp_path)
    bodies: dict[str, list[str]] = {"f.fifo": [], "g.fifo": []}
    for name, params in said:
        if name.startswith("SendMessage"):
            entries = params.get("Entries") or [params]
            bodies[params["QueueUrl"].rpartition("/")[2]] += [each["MessageBody"] for each in entries]
    assert bodies["f.fifo"] == ["pod", "same", "pod", "more", "ours"]
    assert bodies["g.fifo"] == ["pod", "same", "pod", "more", "ours", "same", "ours", "more"]
    found = [(each.resource.rpartition("/")[2], each.member) for each in report.conflicts]
    assert found == [("f.fifo", "messages: d"), ("f.fifo", "messages: one of the same content")]


def _status(tape: Tape, status: str) -> None:
    params = {"Bucket": "things", "VersioningConfiguration": {"Status": status}}
    tape.call("s3", "PutBucketVersioning", params, protocol="rest-xml", body=b"")


def _in_buckets(said: Said) -> list[str]:
    return [
        params["VersioningConfiguration"]["Status"] if name == "PutBucketVersioning" else f"{name} {params['Key']}"
        for name, params in said
        if "Bucket" in params and name != "CreateBucket"
    ]


def test_of_one_object_of_a_versioned_bucket_the_versions_of_both_stay_and_the_pods_is_the_latest(
    tmp_path: Path,
) -> None:
    """Also of a batch of deletions the part that is about it. What the pod has deleted and ours has is ours afterwards."""
    ours, pod = Tape(), Tape()
    for _each in range(30):
        queue(pod, "moments")
    for tape, side in ((ours, "ours"), (pod, "pod")):
        _versioned(tape)
        _object(tape, "PutObject", "both", Body=side.encode() + b"1")
        _object(tape, "PutObject", "both", Body=side.encode() + b"2")
        _object(tape, "PutObject", "gone", Body=side.encode())
        _object(tape, "PutObject", "kept", Body=side.encode())
        _object(tape, "PutObject", side, Body=b"1")
        gone = [{"Key": key} for key in ("gone", side, *(["kept"] if tape is pod else []))]
        params = {"Bucket": "things", "Delete": {"Objects": gone}}
        tape.call("s3", "DeleteObjects", params, protocol="rest-xml", body=b"<DeleteResult/>")
    said, report = _loads(ours, pod, tmp_path)
    sides = [
        (key, body.decode() or [each["Key"] for each in params["Delete"]["Objects"]])
        for name, params in said
        if "Delete" in params or name == "PutObject"
        for key, body in [(params.get("Key", "deleted"), bytes(params.get("Body") or b""))]
    ]
    assert sides == [
        *[("both", "ours1"), ("both", "ours2"), ("gone", "ours"), ("deleted", ["gone"])],
        *[("both", "pod1"), ("both", "pod2"), ("gone", "pod"), ("kept", "pod"), ("pod", "1")],
        ("deleted", ["gone", "pod", "kept"]),
        *[("kept", "ours"), ("ours", "1"), ("deleted", ["ours"])],
    ]
    assert [each.member for each in report.conflicts] == ["objects: both"]


def test_a_write_without_versions_is_none_in_the_merged_bucket_either(tmp_path: Path) -> None:
    """Ours had its versioning suspended in the end, the pod's began without any; each write is made as it was."""
    ours, pod = Tape(), Tape()
    for _each in range(30):
        queue(pod, "moments")
    _versioned(ours)
    _object(ours, "PutObject", "both", Body=b"ours1")
    _status(ours, "Suspended")
    _object(ours, "PutObject", "both", Body=b"ours2")
    _object(ours, "PutObject", "of-ours", Body=b"x")
    pod.call("s3", "CreateBucket", {"Bucket": "things"}, protocol="rest-xml", body=b"")
    _object(pod, "PutObject", "both", Body=b"pod1")
    _status(pod, "Enabled")
    _object(pod, "PutObject", "both", Body=b"pod2")
    said, _report = _loads(ours, pod, tmp_path)
    assert _in_buckets(said) == [
        *["Enabled", "PutObject both", "Suspended", "PutObject both"],
        *["PutObject both", "Enabled", "PutObject both"],
        *["Suspended", "PutObject of-ours", "Enabled"],
    ]


def test_without_versions_on_either_side_an_object_is_the_pods(tmp_path: Path) -> None:
    ours, pod = Tape(), Tape()
    for _each in range(30):
        queue(pod, "moments")
    for tape, side in ((ours, b"ours"), (pod, b"pod")):
        tape.call("s3", "CreateBucket", {"Bucket": "things"}, protocol="rest-xml", body=b"")
        _object(tape, "PutObject", "both", Body=side)
    said, _report = _loads(ours, pod, tmp_path)
    assert _in_buckets(said) == ["PutObject both"]


def test_what_a_look_has_seen_of_an_item_that_an_expression_made_is_no_change(tmp_path: Path) -> None:
    """A compaction has left what was seen alone. What a call has written since is a change."""
    for place, notes in (("seen", {"seen_by": "dynamodb:Scan"}), ("written", {})):
        ours, pod = Tape(), Tape()
        for tape in (ours, pod):
            table(tape, "t")
        counted = {"UpdateExpression": "ADD n :x", "ExpressionAttributeValues": {":x": {"N": "1"}}}
        pod.call("dynamodb", "UpdateItem", {"TableName": "t", "Key": {"id": {"S": "a"}}, **counted}, {})
        ours.call(
            "dynamodb", "PutItem", {"TableName": "t", "Item": {"id": {"S": "a"}, "n": {"N": "1"}}}, {}, notes=notes
        )
        _said, report = _loads(ours, pod, tmp_path / place)
        changed = place == "written"
        assert report.changes_anything is changed
        assert [each.member for each in report.conflicts] == (['items: {"S":"a"}'] if changed else [])
