"""Uploads of large objects in parts, which go on where an earlier one ended: also one of another process that was killed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import ClientError

from replay_proxy.pods.remotes.file_part import FilePart
from replay_proxy.pods.remotes.remote import PART_BYTES

PARTS_MAX: Final = 9_000
"""S3 takes 10,000."""


def upload(client: Any, bucket: str, key: str, source: Path, size: int, sent: Callable[[int], None]) -> None:
    """Upload the `size` bytes of the file `source` in parts. The object appears when the last one is there.

    Raises:
        botocore's ClientError and BotoCoreError; OSError.
    """
    part_size = max(PART_BYTES, -(-size // PARTS_MAX))
    place = {"Bucket": bucket, "Key": key}
    upload_id = _begun(client, place)
    there = _parts(client, place, upload_id) if upload_id else {}
    if upload_id is None:
        upload_id = client.create_multipart_upload(**place, ContentType="application/octet-stream")["UploadId"]
    parts: list[dict[str, Any]] = []
    for number, offset in enumerate(range(0, size, part_size), start=1):
        length = min(part_size, size - offset)
        with FilePart(source, offset, length) as part:
            md5 = hashlib.md5(usedforsecurity=False)
            while chunk := part.read(1 << 20):
                md5.update(chunk)
            part.seek(0)
            etag = f'"{md5.hexdigest()}"'
            if there.get(number) != (md5.hexdigest(), length):
                etag = client.upload_part(
                    **place,
                    UploadId=upload_id,
                    PartNumber=number,
                    Body=part,
                    ContentLength=length,
                    ContentMD5=base64.b64encode(md5.digest()).decode(),
                )["ETag"]  # no MD5 where the storage encrypts by keys of its own
            sent(length)
            parts.append({"PartNumber": number, "ETag": etag})
    client.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts})


def _begun(client: Any, place: dict[str, str]) -> str | None:
    """Return an upload of this object that was begun and not completed; None where there is none, or this is not told."""
    try:
        answer = client.list_multipart_uploads(Bucket=place["Bucket"], Prefix=place["Key"])
    except ClientError:
        return None
    found = [each for each in answer.get("Uploads", []) if each.get("Key") == place["Key"]]
    return str(found[-1]["UploadId"]) if found else None


def _parts(client: Any, place: dict[str, str], upload_id: str) -> dict[int, tuple[str, int]]:
    """Return the parts that are there: MD5 and length by number."""
    try:
        pages = client.get_paginator("list_parts").paginate(**place, UploadId=upload_id)
        return {
            each["PartNumber"]: (each["ETag"].strip('"').lower(), each["Size"])
            for page in pages
            for each in page.get("Parts", [])
        }
    except ClientError:
        return {}
