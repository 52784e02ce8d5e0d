"""Every operation on pods and state in LocalStack's published document, by the client that was generated from it.

The generated client holds each answer against the types of the document.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.clients import CREDENTIALS, client
from tests.support.processes import Proxy

PROGRAM = """
import json, sys
import boto3
from localstack.sdk.api.pods_api import PodsApi
from localstack.sdk.api.state_api import StateApi
from localstack.sdk.api_client import ApiClient
from localstack.sdk.configuration import Configuration
from localstack.sdk.models import CreateRemoteRequest, PodSaveRequest, RemoteConfig
url, folder = sys.argv[1:]
api = ApiClient(Configuration(host=url))
pods, state = PodsApi(api), StateApi(api)
def queues():
    found = boto3.client("sqs", endpoint_url=url).list_queues().get("QueueUrls", [])
    return [each.rpartition("/")[2] for each in found]
def completion(answer):
    last = json.loads(answer.raw_data.splitlines()[-1])
    assert last["event"] == "completion", last
    return last["status"]
nowhere = RemoteConfig(oneof_schema_1_validator={}, actual_instance={})
attributes = {"description": "a message", "services": ["sqs"]}
assert completion(pods.save_pod_with_http_info(name="shop", pod_save_request=PodSaveRequest(attributes=attributes))) == "ok"
(found,) = pods.list_pods(remote_config=nowhere, creator="me").cloudpods
assert (found.pod_name, found.max_version, found.last_change > 0) == ("shop", 1, True)
(version,) = pods.get_pod_versions(name="shop", remote_config=nowhere).versions
assert (version.version, version.description, version.services) == (1, "a message", ["sqs"])
assert version.storage_size > 0 and version.created_at > 0
file = pods.localstack_pods_state_get(pod_name="other", services="sqs")
assert "sqs" in json.dumps(json.loads(pods.localstack_pods_state_metamodel_get_with_http_info().raw_data))
assert pods.localstack_pods_environment_get().pro is False
for reset in (state.localstack_state_reset_post, lambda: state.localstack_state_service_reset_post(service="sqs")):
    reset()
    assert queues() == []
    options = dict(name="shop", merge="overwrite", version="1", ignore_version_mismatches="true", remote_config=nowhere)
    assert completion(pods.load_pod_with_http_info(**options)) == "ok"
    assert queues() == ["q"]
state.localstack_state_reset_post()
pods.localstack_pods_post(pod=bytes(file), merge="service-merge")
assert queues() == ["q"], "from a form"
state.localstack_state_service_save_post(service="sqs")
state.localstack_state_service_load_post(service="sqs")
for lines in (state.localstack_state_save_post_without_preload_content, state.localstack_state_load_post_without_preload_content):
    assert all(json.loads(line)["status"] == "ok" for line in lines().data.splitlines())
pods.create_remote(name="team", create_remote_request=CreateRemoteRequest(remote_url="s3://bucket/pods", protocols=["s3"]))
assert pods.get_remote(name="team").url == "s3://bucket/pods"
assert [each.name for each in pods.list_remotes().remotes] == ["team"]
pods.delete_remote(name="team")
assert pods.list_remotes().remotes == []
pods.delete_pod(name="shop", local="true", remote_config=nowhere)
assert pods.list_pods(remote_config=nowhere).cloudpods == []
print("done")
"""


def test_the_client_of_the_document_works(start_proxy: Callable[..., Proxy], tmp_path: Path) -> None:
    """Pods, versions, files, remotes, the state and its parts."""
    pytest.importorskip("localstack.sdk")

    proxy = start_proxy()
    client("sqs", proxy.url).create_queue(QueueName="q")
    command = [sys.executable, "-c", PROGRAM, proxy.url, str(tmp_path)]
    environment = {**os.environ, **CREDENTIALS}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "done", done.stdout + done.stderr
