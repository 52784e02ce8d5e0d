"""APIs."""

from __future__ import annotations

from tests.support.scenarios.world import World, step


@step("apigateway", makes="rest_api")
def create_rest_api(w: World) -> None:
    rest = w("apigateway", "CreateRestApi", name=w.name, description=w.other)["id"]
    root = w("apigateway", "GetResources", restApiId=rest)["items"][0]["id"]
    w.keep("rest_api", (rest, root))


@step("apigateway", makes="resource")
def create_resource(w: World) -> None:
    rest, root = w.pick("rest_api")
    resource = w("apigateway", "CreateResource", restApiId=rest, parentId=root, pathPart=w.name)["id"]
    w("apigateway", "PutMethod", restApiId=rest, resourceId=resource, httpMethod="GET", authorizationType="NONE")
    w("apigateway", "PutIntegration", restApiId=rest, resourceId=resource, httpMethod="GET", type="MOCK")
    w.keep("resource", (rest, resource))


@step("apigateway")
def deploy(w: World) -> None:
    w.pick("resource")
    rest, _root = w.pick("rest_api")
    made = w("apigateway", "CreateDeployment", restApiId=rest, stageName=w.other)
    w("apigateway", "CreateStage", restApiId=rest, stageName=f"{w.name}2", deploymentId=made["id"])


@step("apigateway")
def create_usage(w: World) -> None:
    key = w("apigateway", "CreateApiKey", name=w.name, enabled=True)["id"]
    plan = w("apigateway", "CreateUsagePlan", name=w.other)["id"]
    w("apigateway", "CreateUsagePlanKey", usagePlanId=plan, keyId=key, keyType="API_KEY")


@step("apigateway")
def authorize_rest(w: World) -> None:
    rest, _root = w.pick("rest_api")
    w("apigateway", "CreateModel", restApiId=rest, name="M" + w.name, contentType="application/json", schema="{}")
    w("apigateway", "CreateAuthorizer", restApiId=rest, name=w.name, type="TOKEN", identitySource="method.request.header.A",
      authorizerUri="arn:aws:apigateway:us-east-1:lambda:path/x")  # fmt: skip
    change = {"op": "replace", "path": "/description", "value": f"{w.other}{w.number}"}
    w("apigateway", "UpdateRestApi", restApiId=rest, patchOperations=[change])


@step("apigateway", ends=True)
def delete_rest_api(w: World) -> None:
    rest = w.pick("rest_api")
    w("apigateway", "DeleteRestApi", restApiId=rest[0])
    w.gone("rest_api", rest)


@step("apigatewayv2", makes="http_api")
def create_http_api(w: World) -> None:
    w.keep("http_api", w("apigatewayv2", "CreateApi", Name=w.name, ProtocolType="HTTP", Tags={"k": w.other})["ApiId"])


@step("apigatewayv2")
def create_http_route(w: World) -> None:
    api = w.pick("http_api")
    integration = w("apigatewayv2", "CreateIntegration", ApiId=api, IntegrationType="HTTP_PROXY", IntegrationMethod="GET",
                    IntegrationUri="http://example.com", PayloadFormatVersion="1.0")["IntegrationId"]  # fmt: skip
    w("apigatewayv2", "CreateRoute", ApiId=api, RouteKey=f"GET /{w.number}", Target=f"integrations/{integration}")


@step("apigatewayv2")
def create_http_stage(w: World) -> None:
    w("apigatewayv2", "CreateStage", ApiId=w.pick("http_api"), StageName=w.name, StageVariables={"k": w.other})
    w("apigatewayv2", "UpdateApi", ApiId=w.pick("http_api"), Description=f"{w.other}{w.number}")


@step("apigatewayv2", ends=True)
def delete_http_api(w: World) -> None:
    api = w.pick("http_api")
    w("apigatewayv2", "DeleteApi", ApiId=api)
    w.gone("http_api", api)


@step("appsync")
def create_graph(w: World) -> None:
    api = w("appsync", "CreateGraphqlApi", name=w.name, authenticationType="API_KEY")["graphqlApi"]["apiId"]
    w("appsync", "CreateApiKey", apiId=api, description=w.other)
    w("appsync", "CreateDataSource", apiId=api, name=w.name, type="NONE")


@step("iot")
def create_thing(w: World) -> None:
    w("iot", "CreateThingType", thingTypeName=w.name)
    w("iot", "CreateThing", thingName=w.name, thingTypeName=w.name, attributePayload={"attributes": {"a": w.other}})
    w("iot", "CreateThingGroup", thingGroupName=w.other)
    w("iot", "AddThingToThingGroup", thingName=w.name, thingGroupName=w.other)


@step("iot")
def create_iot_policy(w: World) -> None:
    w("iot", "CreatePolicy", policyName=w.name, policyDocument='{"Version": "2012-10-17", "Statement": []}')
    w("iot", "CreatePolicyVersion", policyName=w.name, policyDocument='{"Version": "2012-10-17"}', setAsDefault=True)
