"""Networks, balancers, names, distributions, rules for the web."""

from __future__ import annotations

from typing import Any

from tests.support.scenarios.world import World, step


def tagged(kind: str, w: World) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": w.name}, {"Key": w.other, "Value": "v"}]}]


@step("ec2", makes="vpc")
def create_vpc(w: World) -> None:
    made = w("ec2", "CreateVpc", CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", w))
    w.keep("vpc", made["Vpc"]["VpcId"])


@step("ec2", makes="subnet")
def create_subnet(w: World) -> None:
    made = w("ec2", "CreateSubnet", VpcId=w.pick("vpc"), CidrBlock=f"10.0.{w.number}.0/24",
             TagSpecifications=tagged("subnet", w))  # fmt: skip
    w.keep("subnet", made["Subnet"]["SubnetId"])


@step("ec2", makes="security_group")
def create_security_group(w: World) -> None:
    made = w("ec2", "CreateSecurityGroup", GroupName=w.name, Description=w.other, VpcId=w.pick("vpc"))
    w.keep("security_group", made["GroupId"])


@step("ec2")
def authorize(w: World) -> None:
    group = w.pick("security_group")
    allowed = {"IpProtocol": "tcp", "FromPort": 80 + w.number, "ToPort": 90, "UserIdGroupPairs": [{"GroupId": group}]}
    w("ec2", "AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[allowed])


@step("ec2", makes="gateway")
def create_gateway(w: World) -> None:
    gateway = w("ec2", "CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    w("ec2", "AttachInternetGateway", InternetGatewayId=gateway, VpcId=w.pick("vpc"))
    w.keep("gateway", gateway)


@step("ec2")
def create_route(w: World) -> None:
    table = w("ec2", "CreateRouteTable", VpcId=w.pick("vpc"))["RouteTable"]["RouteTableId"]
    w("ec2", "AssociateRouteTable", RouteTableId=table, SubnetId=w.pick("subnet"))
    w("ec2", "CreateRoute", RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=w.pick("gateway"))


@step("ec2")
def create_key_pair(w: World) -> None:
    w("ec2", "CreateKeyPair", KeyName=w.name)


@step("ec2", makes="volume")
def create_volume(w: World) -> None:
    made = w("ec2", "CreateVolume", AvailabilityZone="us-east-1a", Size=1, TagSpecifications=tagged("volume", w))
    w.keep("volume", made["VolumeId"])
    w("ec2", "CreateSnapshot", VolumeId=made["VolumeId"], Description=w.other)


@step("ec2")
def allocate(w: World) -> None:
    w("ec2", "AllocateAddress", Domain="vpc")
    w("ec2", "CreateNetworkInterface", SubnetId=w.pick("subnet"), Groups=[w.pick("security_group")], Description=w.name)


@step("ec2", makes="launch_template")
def create_launch_template(w: World) -> None:
    w("ec2", "CreateLaunchTemplate", LaunchTemplateName=w.name, LaunchTemplateData={"InstanceType": "t3.micro"})
    w("ec2", "CreateLaunchTemplateVersion", LaunchTemplateName=w.name, LaunchTemplateData={"InstanceType": "t3.large"})
    w.keep("launch_template", w.name)


@step("ec2")
def create_endpoint(w: World) -> None:
    w("ec2", "CreateVpcEndpoint", VpcId=w.pick("vpc"), ServiceName="com.amazonaws.us-east-1.s3")
    w("ec2", "CreateDhcpOptions", DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}])


@step("ec2")
def modify(w: World) -> None:
    w("ec2", "ModifyVpcAttribute", VpcId=w.pick("vpc"), EnableDnsHostnames={"Value": True})
    w("ec2", "CreateTags", Resources=[w.pick("subnet")], Tags=[{"Key": w.name, "Value": w.other}])


@step("ec2", ends=True)
def delete_subnet(w: World) -> None:
    subnet = w.pick("subnet")
    w("ec2", "DeleteSubnet", SubnetId=subnet)
    w.gone("subnet", subnet)


@step("ec2", ends=True)
def delete_group(w: World) -> None:
    group = w.pick("security_group")
    w("ec2", "DeleteSecurityGroup", GroupId=group)
    w.gone("security_group", group)


@step("elbv2", makes="balancer")
def create_balancer(w: World) -> None:
    subnets = []
    for each, zone in enumerate(("us-east-1a", "us-east-1b")):
        block = f"10.0.{200 + w.number * 2 + each}.0/24"
        made = w("ec2", "CreateSubnet", VpcId=w.pick("vpc"), CidrBlock=block, AvailabilityZone=zone)
        subnets.append(made["Subnet"]["SubnetId"])
    made = w("elbv2", "CreateLoadBalancer", Name=w.name, Subnets=subnets, Scheme="internal")
    w.keep("balancer", made["LoadBalancers"][0]["LoadBalancerArn"])


@step("elbv2", makes="target_group")
def create_target_group(w: World) -> None:
    made = w("elbv2", "CreateTargetGroup", Name=w.name, Protocol="HTTP", Port=80, VpcId=w.pick("vpc"))
    w.keep("target_group", made["TargetGroups"][0]["TargetGroupArn"])


@step("elbv2", makes="listener")
def create_listener(w: World) -> None:
    forward = [{"Type": "forward", "TargetGroupArn": w.pick("target_group")}]
    made = w("elbv2", "CreateListener", LoadBalancerArn=w.pick("balancer"), Protocol="HTTP", Port=80 + w.number,
             DefaultActions=forward)  # fmt: skip
    w.keep("listener", made["Listeners"][0]["ListenerArn"])


@step("elbv2")
def create_listener_rule(w: World) -> None:
    w("elbv2", "CreateRule", ListenerArn=w.pick("listener"), Priority=1 + w.number,
      Conditions=[{"Field": "path-pattern", "Values": [f"/{w.number}*"]}],
      Actions=[{"Type": "forward", "TargetGroupArn": w.pick("target_group")}])  # fmt: skip
    w("elbv2", "AddTags", ResourceArns=[w.pick("balancer")], Tags=[{"Key": w.name, "Value": w.other}])


@step("elbv2", ends=True)
def delete_listener(w: World) -> None:
    arn = w.pick("listener")
    w("elbv2", "DeleteListener", ListenerArn=arn)
    w.gone("listener", arn)


@step("route53", makes="zone")
def create_zone(w: World) -> None:
    made = w("route53", "CreateHostedZone", Name=f"{w.name}.com", CallerReference=f"{w.other}{w.number}")
    w.keep("zone", (made["HostedZone"]["Id"], f"{w.name}.com"))


@step("route53")
def change_records(w: World) -> None:
    zone, domain = w.pick("zone")
    record = {
        "Name": f"{w.name}.{domain}",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": f"10.0.0.{w.number}"}],
    }
    w("route53", "ChangeResourceRecordSets", HostedZoneId=zone,
      ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]})  # fmt: skip


@step("route53")
def health_check(w: World) -> None:
    w("route53", "CreateHealthCheck", CallerReference=w.name,
      HealthCheckConfig={"Type": "HTTP", "FullyQualifiedDomainName": f"{w.other}.com", "Port": 80})  # fmt: skip


@step("route53", ends=True)
def delete_zone(w: World) -> None:
    zone = w.pick("zone")
    w("route53", "DeleteHostedZone", Id=zone[0])
    w.gone("zone", zone)


@step("cloudfront", makes="distribution")
def create_distribution(w: World) -> None:
    w.keep(
        "distribution", w("cloudfront", "CreateDistribution", DistributionConfig=_distribution(w))["Distribution"]["Id"]
    )


@step("cloudfront")
def update_distribution(w: World) -> None:
    shown = w("cloudfront", "GetDistributionConfig", Id=w.pick("distribution"))
    changed = {**shown["DistributionConfig"], "Comment": f"{w.other} {w.number}"}
    w("cloudfront", "UpdateDistribution", Id=w.pick("distribution"), IfMatch=shown["ETag"], DistributionConfig=changed)


@step("cloudfront")
def access_control(w: World) -> None:
    configuration = {"Name": w.name, "SigningProtocol": "sigv4", "SigningBehavior": "always",
                     "OriginAccessControlOriginType": "s3"}  # fmt: skip
    w("cloudfront", "CreateOriginAccessControl", OriginAccessControlConfig=configuration)


@step("cloudfront")
def invalidate(w: World) -> None:
    w("cloudfront", "CreateInvalidation", DistributionId=w.pick("distribution"),
      InvalidationBatch={"Paths": {"Quantity": 1, "Items": [f"/{w.number}"]}, "CallerReference": w.name})  # fmt: skip


def _distribution(w: World) -> dict[str, Any]:
    return {
        "CallerReference": f"{w.name}{w.number}",
        "Comment": w.other,
        "Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [
                {"Id": w.name, "DomainName": "b.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
            ],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": w.name,
            "ViewerProtocolPolicy": "allow-all",
            "MinTTL": 0,
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        },
    }


@step("wafv2", makes="ip_set")
def create_ip_set(w: World) -> None:
    made = w("wafv2", "CreateIPSet", Name=w.name, Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=["10.0.0.0/8"])
    w.keep("ip_set", (w.name, made["Summary"]["Id"], made["Summary"]["ARN"]))


@step("wafv2", makes="web_acl")
def create_web_acl(w: World) -> None:
    made = w("wafv2", "CreateWebACL", **_acl(w), Scope="REGIONAL")["Summary"]
    w.keep("web_acl", (w.name, made["Id"], made["ARN"]))


@step("wafv2")
def update_ip_set(w: World) -> None:
    name, ident, _arn = w.pick("ip_set")
    token = w("wafv2", "GetIPSet", Name=name, Id=ident, Scope="REGIONAL")["LockToken"]
    for each in range(2):
        token = w("wafv2", "UpdateIPSet", Name=name, Id=ident, Scope="REGIONAL", LockToken=token,
                  Addresses=[f"10.{w.number}.{each}.0/24"])["NextLockToken"]  # fmt: skip


@step("wafv2")
def update_web_acl(w: World) -> None:
    name, ident, _arn = w.pick("web_acl")
    token = w("wafv2", "GetWebACL", Name=name, Id=ident, Scope="REGIONAL")["LockToken"]
    w(
        "wafv2",
        "UpdateWebACL",
        **{**_acl(w), "Name": name},
        Id=ident,
        Scope="REGIONAL",
        LockToken=token,
        Description="d1",
    )


@step("wafv2")
def associate(w: World) -> None:
    w("wafv2", "AssociateWebACL", WebACLArn=w.pick("web_acl")[2], ResourceArn=w.pick("balancer"))


@step("wafv2", ends=True)
def delete_ip_set(w: World) -> None:
    name, ident, arn = w.pick("ip_set")
    token = w("wafv2", "GetIPSet", Name=name, Id=ident, Scope="REGIONAL")["LockToken"]
    w("wafv2", "DeleteIPSet", Name=name, Id=ident, Scope="REGIONAL", LockToken=token)
    w.gone("ip_set", (name, ident, arn))


def _acl(w: World) -> dict[str, Any]:
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "m"}
    return {"Name": w.name, "DefaultAction": {"Allow": {}}, "VisibilityConfig": visible, "Rules": []}


@step("servicediscovery", makes="namespace")
def create_namespace(w: World) -> None:
    operation = w("servicediscovery", "CreateHttpNamespace", Name=w.name, Description=w.other)["OperationId"]
    targets = w("servicediscovery", "GetOperation", OperationId=operation)["Operation"]["Targets"]
    w.keep("namespace", targets["NAMESPACE"])


@step("servicediscovery", makes="discovered_service")
def create_discovered_service(w: World) -> None:
    made = w("servicediscovery", "CreateService", Name=w.name, NamespaceId=w.pick("namespace"))
    w.keep("discovered_service", made["Service"]["Id"])


@step("servicediscovery")
def register_instance(w: World) -> None:
    w("servicediscovery", "RegisterInstance", ServiceId=w.pick("discovered_service"), InstanceId=w.name,
      Attributes={"AWS_INSTANCE_IPV4": f"10.0.0.{w.number}"})  # fmt: skip


@step("servicediscovery", ends=True)
def deregister_instance(w: World) -> None:
    w("servicediscovery", "DeregisterInstance", ServiceId=w.pick("discovered_service"), InstanceId=w.name)
