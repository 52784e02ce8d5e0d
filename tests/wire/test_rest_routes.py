"""Routes of REST services: which of them a path takes."""

from __future__ import annotations

import pytest

from replay_proxy.exchange import Headers
from replay_proxy.wire.recognition.rest_routes import find_route, split_path


@pytest.mark.parametrize(
    ("services", "method", "path", "query", "expected"),
    [
        (("lambda",), "GET", "/2015-03-31/functions", {}, "ListFunctions"),
        (("lambda",), "GET", "/2015-03-31/functions/", {}, "ListFunctions"),
        (("lambda",), "GET", "/2015-03-31/functions/f", {}, "GetFunction"),
        (
            ("lambda",),
            "GET",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aa%3Ab%3Afunction%3Af",
            {},
            "GetFunction",
        ),
        (("lambda",), "POST", "/2015-03-31/functions/f/invocations", {}, "Invoke"),
        (("lambda",), "POST", "/2015-03-31/functions/f/nothing", {}, None),
        (("lambda",), "BREW", "/2015-03-31/functions", {}, None),
        (("apigateway",), "POST", "/restapis", {}, "CreateRestApi"),
        (("apigateway",), "POST", "/restapis", {"mode": "import"}, "ImportRestApi"),
        (("apigatewaymanagementapi",), "POST", "/%40connections/abc%3D", {}, "PostToConnection"),
        (("iot-data",), "POST", "/topics/a%2Fb%2Fc", {}, "Publish"),
        (("iot-data",), "POST", "/topics/a/b", {}, None),
        (("workspaces-web",), "PUT", "/portals/arn:x/y/browserSettings", {}, "AssociateBrowserSettings"),
        (("workspaces-web",), "GET", "/portals/arn:x/y", {}, "GetPortal"),
        (("bedrock-agent", "bedrock-agent-runtime"), "POST", "/agents/a/", {}, "PrepareAgent"),
        (("bedrock-agent", "bedrock-agent-runtime"), "POST", "/agents/a", {}, "InvokeInlineAgent"),
        (("bedrock-agent",), "POST", "/agents/a", {}, "PrepareAgent"),
        (("sesv2",), "GET", "/v2/email/identities", {}, "ListEmailIdentities"),
        (("sesv2",), "POST", "/v2/email/list-identities", {}, "ListEmailIdentities"),
        (("no-such-service",), "GET", "/", {}, None),
    ],
)
def test_the_route_of_a_path(services, method, path, query, expected):
    route = find_route(services, method, path, query, Headers())
    assert (route.operation if route else None) == expected


def test_a_route_is_meant_even_where_a_required_parameter_is_missing():
    route = find_route(("xray",), "POST", "/TagResource", {}, Headers())
    assert route and route.operation == "TagResource"
    route = find_route(("chime-sdk-identity",), "GET", "/tags", {}, Headers())
    assert route and route.operation == "ListTagsForResource"


def test_segments():
    assert [split_path(path) for path in ("/", "/a", "/a/", "/a//b", "")] == [
        [],
        ["a"],
        ["a"],
        ["a", "", "b"],
        [],
    ]
