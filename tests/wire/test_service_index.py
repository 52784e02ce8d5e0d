"""The service index: generated, checked in, and extended where botocore is newer."""

from __future__ import annotations

import json
import subprocess
import sys

import botocore
import pytest

from replay_proxy.wire.models import service_index_build
from replay_proxy.wire.models.service_index import generated_from, plain_id, service_index
from tests.wire.installed import metadata

# A service that no botocore has: its model lies where a user's own models do.
NEW_SERVICE = {
    "metadata": {
        "apiVersion": "2030-01-01",
        "endpointPrefix": "teleport",
        "protocol": "rest-json",
        "protocols": ["rest-json"],
        "serviceFullName": "Teleport",
        "serviceId": "Teleport",
        "signatureVersion": "v4",
        "signingName": "teleport",
    },
    "operations": {
        "Beam": {
            "name": "Beam",
            "http": {"method": "POST", "requestUri": "/beams/{id}"},
            "input": {"shape": "In"},
        }
    },
    "shapes": {
        "In": {
            "type": "structure",
            "required": ["id"],
            "members": {"id": {"shape": "Id", "location": "uri", "locationName": "id"}},
        },
        "Id": {"type": "string"},
    },
}
RECOGNISE_IT = """
from replay_proxy.exchange import Headers, Request
from replay_proxy.wire.recognition.recognise import recognise
headers = Headers([("Authorization", "AWS4-HMAC-SHA256 Credential=a/20300101/mars-1/teleport/aws4_request, x")])
print(recognise(Request("POST", "/beams/up", headers)))
print(recognise(Request("POST", "/elsewhere", headers)))
"""


def test_the_index_is_what_the_installed_botocore_gives():
    if botocore.__version__ != generated_from():
        pytest.skip(
            f"the index is of botocore {generated_from()}, installed is {botocore.__version__}: run "
            "scripts/build-service-index to bring it up to date"
        )
    built = service_index_build.build()["services"]
    for name, entry in built.items():
        service = service_index().services[name]
        assert {key: _plain(getattr(service, key)) for key in entry} == entry
    assert built.keys() == service_index().services.keys()


def test_the_index_covers_every_installed_service_of_its_age():
    # Holds for any botocore: what the index has and botocore still ships can be named by signature.
    index = service_index()
    installed = {name: told for name, told in metadata().items() if name in index.services}
    assert len(installed) > 400
    for name, told in installed.items():
        assert name in index.by_signing_name[told.get("signingName") or told["endpointPrefix"]]
        if told.get("targetPrefix"):
            assert name in index.by_target_prefix[told["targetPrefix"]]


def test_a_service_that_is_newer_than_the_index_is_taken_up(tmp_path):
    folder = tmp_path / "teleport" / "2030-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text(json.dumps(NEW_SERVICE))
    broken = tmp_path / "broken" / "2030-01-01"
    broken.mkdir(parents=True)
    (broken / "service-2.json").write_text("{")
    done = subprocess.run(
        [sys.executable, "-c", RECOGNISE_IT],
        env={"AWS_DATA_PATH": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    beam, elsewhere = done.stdout.splitlines()
    assert "service='teleport', operation='Beam', protocol='rest-json', account='', region='mars-1'" in beam
    assert elsewhere == "None"


def test_starting_reads_no_model():
    code = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, given: opened.append(str(given[0])) if event == 'open' else None)\n"
        "import replay_proxy.wire.recognition.recognise\n"
        "from replay_proxy.wire.models.service_index import service_index\n"
        "service_index()\n"
        "print(*(each for each in opened if 'service-2' in each or 'endpoint-rule-set' in each))\n"
        "from replay_proxy.wire.models.models import service_model\n"
        "service_model('sqs').operation_names\n"
        "print(*(each for each in opened if 'service-2' in each))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    by_start, later = done.stdout.splitlines()
    assert by_start == ""
    assert "sqs" in later, "a model that is read is seen"


@pytest.mark.parametrize(
    ("template", "labels"),
    [
        ("https://sqs.{Region}.{PartitionResult#dnsSuffix}", "sqs"),
        ("https://api.ecr-fips.{Region}.{PartitionResult#dnsSuffix}", "api.ecr"),
        ("https://{AccountId}.search-ddb.{Region}.{PartitionResult#dnsSuffix}", "search-ddb"),
        ("https://iam.global.api.aws", "iam"),
        ("https://organizations.us-gov-west-1.amazonaws.com", "organizations"),
        ("https://fips.batch.{Region}.{PartitionResult#dnsSuffix}", "batch"),
        ("{Endpoint}", ""),
    ],
)
def test_the_hosts_in_endpoint_rules(template, labels):
    assert service_index_build.host_labels(template) == labels


def test_service_ids_as_sdks_spell_them():
    assert {plain_id(spelling) for spelling in ("API Gateway", "api_gateway", "apigateway", "api-gateway")} == {
        "apigateway"
    }


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
