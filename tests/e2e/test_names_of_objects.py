"""Names that clients chose hold identifiers that the emulator drew: keys made of the ids of networks and of versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy, left_out

pytestmark = pytest.mark.emulator


@pytest.mark.parametrize("emulator", ["moto", "ministack"])
def test_keys_with_identifiers_in_them_are_listed_and_read_as_before(
    start_proxy: Callable[..., Proxy], emulator: str
) -> None:
    if emulator != "moto" and (reason := left_out(0.3)):
        pytest.skip(f"the same on {emulator} {reason}")
    proxy = start_proxy("--emulator", emulator)
    ec2, s3 = client("ec2", proxy.url), client("s3", proxy.url)
    networks = sorted(ec2.create_vpc(CidrBlock=f"10.{n}.0.0/16")["Vpc"]["VpcId"] for n in range(4))
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    versions = sorted(s3.put_object(Bucket="data", Key="first", Body=b"%d" % n)["VersionId"] for n in range(2))
    written: dict[str, str] = {}
    for name in (*networks, *versions):
        key = f"of/{name}"
        written[key] = s3.put_object(Bucket="data", Key=key, Body=name.encode())["VersionId"]
    before = seen(proxy, networks, written)
    assert before["keys"] == sorted(["first", *written])
    for _ in range(3):
        proxy.kill_all()
        proxy = proxy.again()
        assert proxy.status()["last_restore"]["problems"] == []
        assert seen(proxy, networks, written) == before


def seen(proxy: Proxy, networks: list[str], written: dict[str, str]) -> dict[str, Any]:
    """What the bucket shows: by order, by beginnings, from a key on, in pages, and each object by its key and version."""
    s3 = client("s3", proxy.url)

    def keys(**narrowing: Any) -> list[str]:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="data", **narrowing)
        return [each["Key"] for page in pages for each in page.get("Contents", [])]

    def body(**which: str) -> bytes:
        content: bytes = s3.get_object(Bucket="data", **which)["Body"].read()
        return content

    first = f"of/{networks[0]}"
    assert keys(Prefix=first[:-4]) == [first]
    assert keys(StartAfter=first, Prefix="of/vpc-") == [f"of/{name}" for name in networks[1:]]
    assert keys(PaginationConfig={"PageSize": 2}) == keys()
    for key, version in written.items():
        assert body(Key=key) == body(Key=key, VersionId=version) == key.removeprefix("of/").encode()
    copied = s3.copy_object(Bucket="data", Key="copy", CopySource={"Bucket": "data", "Key": first})
    assert body(Key="copy", VersionId=copied["VersionId"]) == networks[0].encode()
    s3.delete_object(Bucket="data", Key="copy", VersionId=copied["VersionId"])
    return {"keys": keys(), "versions": [(each["Key"], each["VersionId"]) for each in versions_of(s3)]}


def versions_of(s3: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = s3.list_object_versions(Bucket="data", Prefix="of/")["Versions"]
    return found
