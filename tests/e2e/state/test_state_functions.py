"""Functions come back with their versions, aliases and layers; APIs with their deployments and stages."""

from __future__ import annotations

import io
import json
import urllib.error
import urllib.request
import zipfile
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stories import Story, until

pytestmark = pytest.mark.emulator

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def package(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("code.py", (2020, 1, 1, 0, 0, 0)), text)
    return out.getvalue()


def active(functions: Any, name: str) -> None:
    until(lambda: functions.get_function_configuration(FunctionName=name).get("State", "Active") == "Active")
    until(
        lambda: (
            functions.get_function_configuration(FunctionName=name).get("LastUpdateStatus", "Successful")
            == "Successful"
        )
    )


def test_versions_aliases_and_layers_of_a_function(story: Story) -> None:
    functions, role = story.client("lambda"), story.client("iam").create_role
    arn = role(RoleName="worker", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    layers = [
        functions.publish_layer_version(LayerName="common", Content={"ZipFile": package(f"# {n}")})["LayerVersionArn"]
        for n in (1, 2)
    ]
    functions.create_function(
        FunctionName="work",
        Runtime="python3.12",
        Role=arn,
        Handler="code.handle",
        Code={"ZipFile": package("def handle(event, context): return 1")},
        Environment={"Variables": {"A": "1"}},
        Layers=[layers[0]],
        Tags={"a": "1"},
    )
    active(functions, "work")
    for number in (2, 3):
        functions.publish_version(FunctionName="work", Description=f"version {number - 1}")
        functions.update_function_code(
            FunctionName="work", ZipFile=package(f"def handle(event, context): return {number}")
        )
        active(functions, "work")
        functions.update_function_configuration(
            FunctionName="work", MemorySize=128 * number, Environment={"Variables": {"A": str(number)}}
        )
        active(functions, "work")
    functions.publish_version(FunctionName="work")
    functions.create_alias(FunctionName="work", Name="live", FunctionVersion="1")
    functions.update_alias(
        FunctionName="work",
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"3": 0.25}},
    )
    functions.create_alias(FunctionName="work", Name="gone", FunctionVersion="1")
    functions.delete_alias(FunctionName="work", Name="gone")
    functions.put_function_concurrency(FunctionName="work", ReservedConcurrentExecutions=5)
    functions.add_permission(
        FunctionName="work", StatementId="s", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    with suppress(ClientError):
        functions.create_function_url_config(FunctionName="work", AuthType="NONE")

    def read() -> Any:
        versions = [
            (
                each["Version"],
                each["CodeSha256"],
                each["MemorySize"],
                each["Environment"]["Variables"],
                each["Description"],
            )
            for each in functions.list_versions_by_function(FunctionName="work")["Versions"]
        ]
        aliases = [
            (each["Name"], each["AliasArn"], each["FunctionVersion"], each.get("RoutingConfig"))
            for each in functions.list_aliases(FunctionName="work")["Aliases"]
        ]
        try:
            address = functions.get_function_url_config(FunctionName="work")["FunctionUrl"]
        except ClientError:
            address = None
        function = functions.get_function(FunctionName="work")
        return {
            "versions": sorted(versions),
            "aliases": aliases,
            "layers": [each["Arn"] for each in function["Configuration"]["Layers"]],
            "all layers": [
                each["LayerVersionArn"] for each in functions.list_layer_versions(LayerName="common")["LayerVersions"]
            ],
            "tags": function.get("Tags"),
            "concurrency": functions.get_function_concurrency(FunctionName="work").get("ReservedConcurrentExecutions"),
            "policy": json.loads(functions.get_policy(FunctionName="work")["Policy"])["Statement"],
            "url": address,
        }

    facts = story.survives(read)
    assert [version for version, *_ in facts["versions"]] == ["$LATEST", "1", "2", "3"]
    assert [alias[0] for alias in facts["aliases"]] == ["live"]
    assert functions.publish_version(FunctionName="work")["Version"] in ("3", "4")  # "3": nothing has changed since


def test_deployments_and_stages_of_a_rest_api(story: Story) -> None:
    gateway = story.client("apigateway")
    api = gateway.create_rest_api(name="front")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    resource = gateway.create_resource(restApiId=api, parentId=root, pathPart="hello")["id"]
    gateway.put_method(restApiId=api, resourceId=resource, httpMethod="GET", authorizationType="NONE")
    gateway.put_integration(
        restApiId=api,
        resourceId=resource,
        httpMethod="GET",
        type="MOCK",
        requestTemplates={"application/json": '{"statusCode": 200}'},
    )
    gateway.put_method_response(restApiId=api, resourceId=resource, httpMethod="GET", statusCode="200")
    gateway.put_integration_response(
        restApiId=api,
        resourceId=resource,
        httpMethod="GET",
        statusCode="200",
        responseTemplates={"application/json": '{"hello": "world"}'},
    )
    first = gateway.create_deployment(restApiId=api, stageName="dev", description="first")["id"]
    second = gateway.create_deployment(restApiId=api, description="second")["id"]
    gateway.create_stage(restApiId=api, stageName="prod", deploymentId=second, variables={"v": "1"})
    gateway.update_stage(
        restApiId=api,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": "/deploymentId", "value": first}],
    )
    key = gateway.create_api_key(name="key", enabled=True)["id"]
    plan = gateway.create_usage_plan(name="plan", apiStages=[{"apiId": api, "stage": "prod"}])["id"]
    gateway.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")

    def invoked() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(
                f"{story.proxy.url}/restapis/{api}/dev/_user_request_/hello", timeout=20
            ) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, b""

    def read() -> Any:
        return {
            "deployments": sorted(
                (each["id"], each.get("description")) for each in gateway.get_deployments(restApiId=api)["items"]
            ),
            "stages": sorted(
                (each["stageName"], each["deploymentId"], str(each.get("variables")))
                for each in gateway.get_stages(restApiId=api)["item"]
            ),
            "keys": [each["id"] for each in gateway.get_usage_plan_keys(usagePlanId=plan)["items"]],
            "plan": gateway.get_usage_plan(usagePlanId=plan)["apiStages"],
            "method": gateway.get_integration(restApiId=api, resourceId=resource, httpMethod="GET")["type"],
            "invoked": invoked(),
        }

    facts = story.survives(read)
    assert facts["deployments"] == sorted([(first, "first"), (second, "second")])
    assert ("prod", first, str({"v": "1"})) in facts["stages"]
    assert facts["keys"] == [key]


def test_deployments_and_stages_of_an_http_api(story: Story) -> None:
    gateway = story.client("apigatewayv2")
    api = gateway.create_api(Name="front", ProtocolType="HTTP")
    name = api["ApiId"]
    integration = gateway.create_integration(
        ApiId=name,
        IntegrationType="HTTP_PROXY",
        IntegrationUri="http://127.0.0.1:9/",
        IntegrationMethod="GET",
        PayloadFormatVersion="1.0",
    )["IntegrationId"]
    route = gateway.create_route(ApiId=name, RouteKey="GET /x", Target=f"integrations/{integration}")["RouteId"]
    try:
        deployment = gateway.create_deployment(ApiId=name)["DeploymentId"]
        gateway.create_stage(ApiId=name, StageName="prod", DeploymentId=deployment)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("InternalFailure", "501", "404", "NotFound"):
            raise
        gateway.create_stage(ApiId=name, StageName="prod")

    def read() -> Any:
        found = gateway.get_routes(ApiId=name)["Items"]
        return {
            "api": gateway.get_api(ApiId=name)["ApiEndpoint"],
            "routes": [(each["RouteId"], each["RouteKey"], each["Target"]) for each in found],
            "integrations": [each["IntegrationId"] for each in gateway.get_integrations(ApiId=name)["Items"]],
            "stages": [
                (each["StageName"], each.get("DeploymentId")) for each in gateway.get_stages(ApiId=name)["Items"]
            ],
        }

    facts = story.survives(read)
    assert facts["routes"] == [(route, "GET /x", f"integrations/{integration}")]
