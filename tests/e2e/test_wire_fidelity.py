"""Replayed requests reach an emulator as clients' do: with the length, the address and the signature that it looks at."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable

import pytest

from tests.support.clients import client
from tests.support.processes import Proxy

pytestmark = pytest.mark.emulator

TEMPLATE = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "made"}}}})
GROUP = "http://acs.amazonaws.com/groups/global/AllUsers"


def restarted(proxy: Proxy) -> Proxy:
    proxy.kill_all()
    return proxy.again()


def test_what_a_request_without_a_body_says_of_it(start_proxy: Callable[..., Proxy]) -> None:
    # moto refuses a PUT with 411 that says nothing of its body.
    proxy = start_proxy("--emulator", "moto")
    s3 = client("s3", proxy.url)
    s3.create_bucket(Bucket="site")
    s3.put_bucket_acl(Bucket="site", ACL="public-read")
    s3.put_object(Bucket="site", Key="empty", Body=b"")
    s3.put_object_acl(Bucket="site", Key="empty", ACL="public-read")
    again = restarted(proxy)
    s3 = client("s3", again.url)
    for grants in (s3.get_bucket_acl(Bucket="site")["Grants"], s3.get_object_acl(Bucket="site", Key="empty")["Grants"]):
        assert [each["Permission"] for each in grants if each["Grantee"].get("URI") == GROUP] == ["READ"]
    assert again.status()["last_restore"]["failed"] == 0


def test_an_address_in_a_request_keeps_the_host_that_the_client_wrote(start_proxy: Callable[..., Proxy]) -> None:
    # moto takes `localhost` for the host of a path-style address, and any other for a bucket's.
    proxy = start_proxy("--emulator", "moto")
    url = proxy.url.replace("127.0.0.1", "localhost")
    s3 = client("s3", url)
    s3.create_bucket(Bucket="templates")
    s3.put_object(Bucket="templates", Key="t.json", Body=TEMPLATE)
    template = s3.generate_presigned_url("get_object", Params={"Bucket": "templates", "Key": "t.json"})
    client("cloudformation", url).create_stack(StackName="stack", TemplateURL=template)
    again = restarted(proxy)
    assert [each.split("/")[-1] for each in client("sqs", again.url).list_queues()["QueueUrls"]] == ["made"]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_uploads_by_presigned_urls_are_back_where_signatures_are_verified(
    start_proxy: Callable[..., Proxy], version: str
) -> None:
    proxy = start_proxy("--emulator", "ministack")
    client("s3", proxy.url).create_bucket(Bucket="uploads")
    signer = client("s3", proxy.url, signature_version=version)
    for kind in ("", "text/plain"):
        words = {"Bucket": "uploads", "Key": f"of-{kind or 'nothing'}"} | ({"ContentType": kind} if kind else {})
        url = signer.generate_presigned_url("put_object", Params=words, ExpiresIn=60)
        request = urllib.request.Request(url, b"body", method="PUT", headers={"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
    again = restarted(proxy)
    listed = client("s3", again.url).list_objects_v2(Bucket="uploads")["Contents"]
    assert [(each["Key"], each["Size"]) for each in listed] == [("of-nothing", 4), ("of-text/plain", 4)]


def test_a_refused_signature_names_the_option(start_proxy: Callable[..., Proxy]) -> None:
    proxy = start_proxy("--emulator", "ministack")
    client("s3", proxy.url).create_bucket(Bucket="uploads")
    signer = client("s3", proxy.url, signature_version="s3v4")
    url = signer.generate_presigned_url("put_object", Params={"Bucket": "uploads", "Key": "k"}, ExpiresIn=60)
    with urllib.request.urlopen(urllib.request.Request(url, b"body", method="PUT"), timeout=30) as answer:
        assert answer.status == 200
    proxy.kill_all()
    proxy.options = (*proxy.options, "--secret-key", "another")
    again = proxy.again()
    report = again.status()["last_restore"]
    (problem,) = report["problems"]
    assert "--secret-key" in problem["reason"]
