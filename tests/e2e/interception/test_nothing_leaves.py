"""No request for a host of AWS reaches anything but the engine, however it names the host, and whatever the settings are.

The settings are the two extremes: nothing passes, and everything does that may, hosts that are not decrypted included. Each
attempt to connect to anything is noted, and none is made (`tests/support/interception_lab.py`).
"""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from tests.support.interception import ROOT, interceptor_python, missing_interception
from tests.support.processes import left_out

pytestmark = pytest.mark.skipif(missing_interception() is not None, reason=str(missing_interception()))

AWS = (
    "sqs.eu-west-1.amazonaws.com", "iam.amazonaws.com", "eu-west-1.queue.amazonaws.com", "queue.amazonaws.com",
    "sqs-fips.us-east-1.amazonaws.com", "s3.dualstack.eu-west-1.amazonaws.com", "bucket.with.dots.s3.amazonaws.com",
    "ap-123456789012.s3-accesspoint.us-west-2.amazonaws.com", "123456789012.s3-control.us-east-1.amazonaws.com",
    "bucket.s3-accelerate.amazonaws.com", "a1b2c3.execute-api.eu-west-1.amazonaws.com",
    "abcdef.lambda-url.eu-west-1.on.aws", "sqs.cn-north-1.amazonaws.com.cn", "lambda.us-gov-west-1.amazonaws.com",
    "sqs.us-iso-east-1.c2s.ic.gov", "sqs.us-isob-east-1.sc2s.sgov.gov", "kms.eu-isoe-west-1.cloud.adc-e.uk",
    "kms.us-isof-south-1.csp.hci.ic.gov", "sts.eusc-de-east-1.amazonaws.eu", "kms.us-east-1.api.aws",
    "lambda.cn-north-1.api.amazonwebservices.com.cn", "oidc.eu-west-1.amazonaws.com",
    "portal.sso.eu-west-1.amazonaws.com", "us-east-1.signin.aws.amazon.com", "eu-west-1.signin.aws",
    "shop.auth.eu-west-1.amazoncognito.com", "d111111abcdef8.cloudfront.net", "SQS.EU-WEST-1.AMAZONAWS.COM.",
)  # fmt: skip
REFUSED = (
    "console.aws.amazon.com", "d-1234567890.awsapps.com", "signin.console.aws", "amazonaws.com",
    "instance-data.ec2.internal", "ip-10-0-0-1.eu-west-1.compute.internal",
    "169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "::ffff:169.254.169.254", "fd00:ec2::254",
    "169.254.170.2", "169.254.170.23",
)  # fmt: skip
ELSEWHERE = "203.0.113.7"


def cases(host: str) -> list[dict[str, Any]]:
    """Every way to name `host`, alone and together with another one."""
    named = f"[{host}]" if ":" in host else host
    name = host if not host[0].isdigit() and ":" not in host else ""
    ways: list[dict[str, Any]] = [
        {"by": "connect", "to": (host, 443), "sni": name, "host": named, "target": "/x"},
        {"by": "socks", "to": (host, 443), "sni": name, "host": named, "target": "/x"},
        {"by": "connect", "to": (host, 80), "tls": False, "host": named, "target": "/x"},
        {"by": "socks", "to": (host, 80), "tls": False, "host": named, "target": "/x"},
        {"by": "plain", "to": (host, 80), "host": named, "target": f"http://{named}/x"},
        {"by": "plain", "to": (host, 80), "host": "example.com", "target": f"http://{named}/x"},
        {"by": "plain", "to": (host, 80), "host": named, "target": "http://example.com/x"},
        {"by": "connect", "to": (host, 443), "sni": "example.com", "host": "example.com", "target": "/x"},
        {"by": "connect", "to": (host, 443), "sni": name, "host": named, "target": "/x", "h2": True},
        {"by": "socks", "to": (ELSEWHERE, 80), "tls": False, "host": named, "target": "/x"},
    ]
    if name:
        ways += [
            {"by": "connect", "to": (ELSEWHERE, 443), "sni": name, "host": named, "target": "/x"},
            {"by": "socks", "to": (ELSEWHERE, 443), "sni": name, "host": "example.com", "target": "/x"},
            {"by": "connect", "to": (ELSEWHERE, 443), "sni": "", "host": named, "target": "/x"},
        ]
    return ways


def lab(asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [interceptor_python(), "-m", "tests.support.interception_lab", json.dumps(asked)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout.splitlines()[-1]))


OTHERS: list[dict[str, Any]] = [
    {"by": "connect", "to": ("127.0.0.2", 80), "tls": False, "host": "shop.example", "target": "/x"},
    {"by": "plain", "to": ("127.0.0.2", 80), "host": "127.0.0.2", "target": "http://127.0.0.2/x"},
    {"by": "socks", "to": ("127.0.0.2", 443), "sni": "shop.example", "host": "shop.example", "target": "/x"},
]


@pytest.mark.parametrize("hosts", ["one", "all"])
def test_what_names_a_host_of_aws_goes_to_the_engine_or_nowhere(hosts: str) -> None:
    if hosts == "all" and (reason := left_out(2)):
        pytest.skip(f"each host in each way {reason}; tests/proxy/test_intercept_routes.py has each in one")
    aws, refused = (AWS, REFUSED) if hosts == "all" else (AWS[:1], REFUSED[6:7])
    asked = [case for host in (*aws, *refused) for case in cases(host)]
    results = lab([*asked, *OTHERS])
    assert len(results) == 2 * (len(asked) + len(OTHERS))
    known = {each.lower().removesuffix(".") for each in AWS}
    for result in results:
        case, answer = result["case"], result["answer"]
        host = str(case["host"]).lower().strip("[]")
        names = {
            name.removesuffix(".") for name in (str(case["to"][0]).lower(), str(case.get("sni") or "").lower(), host)
        }
        if case["to"][0] == "127.0.0.2":
            reached = [f"127.0.0.2:{case['to'][1]}"] if result["others"] == "pass" else []
            assert result["wanted"] == reached, result
            assert reached or answer.startswith("403 this host is not AWS's"), result
            continue
        assert result["wanted"] == [], result
        assert answer.startswith("200 engine" if names & known else "403 "), result
