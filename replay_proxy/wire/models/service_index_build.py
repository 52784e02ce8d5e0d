"""Building the service index from botocore: used by `scripts/build-service-index` and its test, never by the proxy.

The metadata of a model names one endpoint prefix. The endpoint rules beside it know more hosts
(`{AccountId}.ddb`, `search-dynamodb`, `queue`): every URL template in them is reduced to the labels before
region and domain.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import orjson

from replay_proxy.wire.models import models
from replay_proxy.wire.models.service_index import describe_model

_BOTOCORE_DATA = Path(botocore.__file__).parent / "data"
_LABEL = re.compile(r"[a-z][a-z0-9-]*")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_DOMAIN = re.compile(r"amazonaws.*|aws|api|on|cloud|c2s.*|sc2s.*|csp.*")
_NOT_A_SERVICE = frozenset({"fips", "dualstack", "global", "us-gov", "cn", "localhost"})
_HOSTS_BY_RULE = frozenset(
    {"s3", "s3control"}
)  # `endpoint_hosts.py` knows them: buckets and accounts stand before the service


def build() -> dict[str, Any]:
    """Return the whole index as plain data."""
    services = {}
    for name in models.service_names():
        if not (_BOTOCORE_DATA / name).is_dir():
            continue  # a model of the user's own (AWS_DATA_PATH, ~/.aws/models) does not belong into the index
        description = models.load_description(name)
        services[name] = describe_model(name, description, _rule_hosts(name, description["metadata"]["apiVersion"]))
    return {"botocore": botocore.__version__, "services": services}


def as_text(index: dict[str, Any]) -> str:
    """Return the index as text, one service a line, so that a change reads as a difference."""
    lines = [
        f"    {json.dumps(name)}: {json.dumps(entry, sort_keys=True)}"
        for name, entry in sorted(index["services"].items())
    ]
    body = ",\n".join(lines)
    return f'{{\n  "botocore": {json.dumps(index["botocore"])},\n  "services": {{\n{body}\n  }}\n}}\n'


def host_labels(template: str) -> str:
    """Return the labels of the service in a URL template; empty where there is none.

    `https://{AccountId}.search-ddb.{Region}.{Suffix}` -> `search-ddb`
    """
    authority = template.partition("://")[2].partition("/")[0]
    kept: list[str] = []
    for label in re.sub(r"\{[^}]*\}", "{}", authority).split("."):
        plain = label.removesuffix("-fips")
        if kept and (label == "{}" or _DOMAIN.fullmatch(plain) or _REGION.fullmatch(plain)):
            break
        if plain not in _NOT_A_SERVICE and _LABEL.fullmatch(plain):
            kept.append(plain)
    return ".".join(kept)


def _rule_hosts(service: str, api_version: str) -> set[str]:
    packed = _BOTOCORE_DATA / service / api_version / "endpoint-rule-set-1.json.gz"
    if service in _HOSTS_BY_RULE or not packed.is_file():
        return set()
    rules = orjson.loads(gzip.decompress(packed.read_bytes()))
    return {labels for url in _urls(rules) if (labels := host_labels(url))}


def _urls(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("url"), str):
            yield node["url"]
        for value in node.values():
            yield from _urls(value)
    elif isinstance(node, list):
        for value in node:
            yield from _urls(value)
