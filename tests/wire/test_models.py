"""The models: botocore's, loaded another way."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from botocore.loaders import Loader

from replay_proxy.wire.models import models
from replay_proxy.wire.models.models import (
    UnknownModelError,
    load_description,
    model_defects,
    operation_model,
    protocol_model,
    service_model,
    service_names,
)


def without_prose(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: without_prose(item)
            for key, item in value.items()
            if not (key == "documentation" and isinstance(item, str))
        }
    return [without_prose(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "service", ["sqs", "dynamodb", "rds", "eks", "secretsmanager", "lambda", "cloudfront", "route53"]
)
def test_a_model_is_what_botocore_loads_less_its_prose(service: str) -> None:
    theirs = without_prose(Loader().load_service_model(service, "service-2"))
    assert without_prose(load_description(service)) == theirs


def test_all_services_that_botocore_lists_are_listed() -> None:
    assert list(service_names()) == Loader().list_available_services("service-2")


def test_a_cached_model_is_the_same_object() -> None:
    assert service_model("sqs") is service_model("sqs")
    assert operation_model("sqs", "CreateQueue") is operation_model("sqs", "CreateQueue")


@pytest.mark.parametrize(
    ("service", "operation"),
    [("nosuch", "X"), ("sqs", "NoSuch"), ("../sqs", "CreateQueue"), ("", "X"), ("sqs", ""), (".", "X"), ("s3/..", "X")],
)
def test_unknown_names_are_a_lookup_error_that_says_which(service: str, operation: str) -> None:
    for find in (operation_model, lambda s, o: protocol_model(s, o, "query")):
        with pytest.raises(LookupError) as caught:
            find(service, operation)
        assert isinstance(caught.value, UnknownModelError)
        assert repr(service) in str(caught.value)


def test_a_users_own_model_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "own-service" / "2031-01-01"
    folder.mkdir(parents=True)
    description = {
        "metadata": {"apiVersion": "2031-01-01", "protocol": "json", "targetPrefix": "Own", "jsonVersion": "1.1"},
        "operations": {"Do": {"name": "Do", "http": {"method": "POST", "requestUri": "/"}}},
        "shapes": {},
    }
    (folder / "service-2.json").write_bytes(orjson.dumps(description))
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    assert load_description("own-service")["operations"]["Do"]["name"] == "Do"


def test_a_protocol_that_the_model_forgot_has_its_names_in_a_variant() -> None:
    plain = operation_model("sqs", "CreateQueue").input_shape.members["tags"]
    query = protocol_model("sqs", "CreateQueue", "query").input_shape.members["tags"]
    assert (plain.serialization.get("name"), query.serialization["name"]) == (None, "Tag")
    assert protocol_model("sns", "Publish", "query") is operation_model("sns", "Publish")


def test_every_correction_has_a_reason_and_something_to_correct() -> None:
    corrections = list(model_defects()["corrections"].items())
    for services in model_defects()["variants"].values():
        corrections += list(services.items())
    for service, entries in corrections:
        theirs = Loader().load_service_model(service, "service-2")
        for entry in entries:
            assert len(entry["reason"]) > 40
            for name, shape in entry["merge"].get("shapes", {}).items():
                for member in shape.get("members", {}) if name in theirs["shapes"] else ():
                    assert member in theirs["shapes"][name]["members"], (service, name, member)


def test_walking_over_many_services_keeps_few_of_them() -> None:
    for service in service_names()[: models.SERVICES_CACHED_MAX + 20]:
        service_model(service)
    assert service_model.cache_info().currsize <= models.SERVICES_CACHED_MAX


def test_a_model_holds_no_documentation() -> None:
    gc.collect()
    assert '"documentation":"' not in orjson.dumps(load_description("iam")["operations"]).decode()
    assert sys.getsizeof(orjson.dumps(load_description("sqs"))) < 60_000
