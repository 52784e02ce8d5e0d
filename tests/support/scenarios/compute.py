"""Functions, containers, machines, batches, scaling."""

from __future__ import annotations

import io
import json
import zipfile

from tests.support.scenarios.world import World, step


def package(text: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("l.py", (2020, 1, 1, 0, 0, 0)), f"def h(event, context): return {text!r}")
    return packed.getvalue()


@step("lambda", makes="function")
def create_function(w: World) -> None:
    made = w("lambda", "CreateFunction", FunctionName=w.name, Runtime="python3.12", Role=w.pick("role")[1], Handler="l.h",
             Code={"ZipFile": package(w.other)}, Environment={"Variables": {"QUEUE": w.other}})  # fmt: skip
    w.keep("function", (w.name, made["FunctionArn"]))


@step("lambda")
def publish(w: World) -> None:
    function = w.pick("function")[0]
    w("lambda", "UpdateFunctionCode", FunctionName=function, ZipFile=package(f"{w.number}"))
    version = w("lambda", "PublishVersion", FunctionName=function)["Version"]
    w("lambda", "CreateAlias", FunctionName=function, Name=w.other, FunctionVersion=version)


@step("lambda")
def map_source(w: World) -> None:
    w("lambda", "CreateEventSourceMapping", EventSourceArn=w.pick("queue")[1], FunctionName=w.pick("function")[0],
      Enabled=False, BatchSize=1 + w.number)  # fmt: skip


@step("lambda")
def permit(w: World) -> None:
    w("lambda", "AddPermission", FunctionName=w.pick("function")[0], StatementId=f"s{w.number}",
      Action="lambda:InvokeFunction", Principal="sns.amazonaws.com", SourceArn=w.pick("topic"))  # fmt: skip
    w("lambda", "UpdateFunctionConfiguration", FunctionName=w.pick("function")[1], Timeout=5 + w.number)


@step("lambda")
def layer(w: World) -> None:
    w("lambda", "PublishLayerVersion", LayerName=w.name, Content={"ZipFile": package(w.other)})
    w("lambda", "CreateFunctionUrlConfig", FunctionName=w.pick("function")[0], AuthType="NONE")


@step("lambda", ends=True)
def delete_function(w: World) -> None:
    function = w.pick("function")
    w("lambda", "DeleteFunction", FunctionName=function[0])
    w.gone("function", function)


@step("ecs", makes="cluster")
def create_cluster(w: World) -> None:
    w("ecs", "CreateCluster", clusterName=w.name, tags=[{"key": "k", "value": w.other}])
    w.keep("cluster", w.name)


@step("ecs", makes="task_definition")
def register_task(w: World) -> None:
    made = w("ecs", "RegisterTaskDefinition", family=w.name,
             containerDefinitions=[{"name": w.other, "image": "i", "memory": 64 + w.number}])  # fmt: skip
    w.keep("task_definition", made["taskDefinition"]["taskDefinitionArn"])


@step("ecs", makes="service")
def create_service(w: World) -> None:
    w("ecs", "CreateService", cluster=w.pick("cluster"), serviceName=w.name, taskDefinition=w.pick("task_definition"),
      desiredCount=0)  # fmt: skip
    w.keep("service", (w.pick("cluster"), w.name))


@step("ecs")
def account_setting(w: World) -> None:
    w("ecs", "PutAccountSetting", name="containerInsights", value=["enabled", "disabled"][w.number % 2])


@step("ecs")
def update_service(w: World) -> None:
    cluster, service = w.pick("service")
    w("ecs", "UpdateService", cluster=cluster, service=service, taskDefinition=w.pick("task_definition"))


@step("ecs", ends=True)
def deregister(w: World) -> None:
    w("ecs", "DeregisterTaskDefinition", taskDefinition=w.pick("task_definition"))


@step("ecs", ends=True)
def delete_cluster(w: World) -> None:
    cluster = w.pick("cluster")
    w("ecs", "DeleteCluster", cluster=cluster)
    w.gone("cluster", cluster)


@step("application-autoscaling")
def scale(w: World) -> None:
    cluster, service = w.pick("service")
    scaled = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount",
              "ResourceId": f"service/{cluster}/{service}"}  # fmt: skip
    w("application-autoscaling", "RegisterScalableTarget", MinCapacity=0, MaxCapacity=2 + w.number, **scaled)
    w("application-autoscaling", "PutScalingPolicy", PolicyName=w.name, PolicyType="TargetTrackingScaling",
      TargetTrackingScalingPolicyConfiguration={"TargetValue": 1.0}, **scaled)  # fmt: skip


@step("autoscaling", makes="scaling_group")
def create_scaling_group(w: World) -> None:
    w(
        "autoscaling",
        "CreateLaunchConfiguration",
        LaunchConfigurationName=w.name,
        ImageId="ami-12c6146b",
        InstanceType="t2.micro",
    )
    w("autoscaling", "CreateAutoScalingGroup", AutoScalingGroupName=w.name, LaunchConfigurationName=w.name, MinSize=0,
      MaxSize=0, DesiredCapacity=0, AvailabilityZones=["us-east-1a"])  # fmt: skip
    w.keep("scaling_group", w.name)


@step("autoscaling")
def scaling_policy(w: World) -> None:
    group = w.pick("scaling_group")
    w("autoscaling", "PutScalingPolicy", AutoScalingGroupName=group, PolicyName=w.name, PolicyType="SimpleScaling",
      AdjustmentType="ChangeInCapacity", ScalingAdjustment=1)  # fmt: skip
    w("autoscaling", "UpdateAutoScalingGroup", AutoScalingGroupName=group, MaxSize=w.number)


@step("autoscaling", ends=True)
def delete_scaling_group(w: World) -> None:
    group = w.pick("scaling_group")
    w("autoscaling", "DeleteAutoScalingGroup", AutoScalingGroupName=group)
    w.gone("scaling_group", group)


MACHINE = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})


@step("stepfunctions", makes="machine")
def create_machine(w: World) -> None:
    made = w("stepfunctions", "CreateStateMachine", name=w.name, definition=MACHINE, roleArn=w.pick("role")[1])
    w.keep("machine", made["stateMachineArn"])


@step("stepfunctions")
def change_machine(w: World) -> None:
    definition = json.dumps({"StartAt": "B", "States": {"B": {"Type": "Pass", "Comment": w.other, "End": True}}})
    w("stepfunctions", "UpdateStateMachine", stateMachineArn=w.pick("machine"), definition=definition)
    w("stepfunctions", "TagResource", resourceArn=w.pick("machine"), tags=[{"key": w.name, "value": w.other}])


@step("stepfunctions")
def create_activity(w: World) -> None:
    w("stepfunctions", "CreateActivity", name=w.name)


@step("stepfunctions", ends=True)
def delete_machine(w: World) -> None:
    arn = w.pick("machine")
    w("stepfunctions", "DeleteStateMachine", stateMachineArn=arn)
    w.gone("machine", arn)


@step("eks", makes="eks_cluster")
def create_eks_cluster(w: World) -> None:
    w(
        "eks",
        "CreateCluster",
        name=w.name,
        roleArn=w.pick("role")[1],
        resourcesVpcConfig={"subnetIds": [w.pick("subnet")]},
    )
    w.keep("eks_cluster", w.name)


@step("eks")
def create_node_group(w: World) -> None:
    w("eks", "CreateNodegroup", clusterName=w.pick("eks_cluster"), nodegroupName=w.name, subnets=[w.pick("subnet")],
      nodeRole=w.pick("role")[1])  # fmt: skip
    w("eks", "CreateFargateProfile", clusterName=w.pick("eks_cluster"), fargateProfileName=w.other,
      podExecutionRoleArn=w.pick("role")[1], selectors=[{"namespace": w.name}])  # fmt: skip


@step("batch", makes="compute_environment")
def create_environment(w: World) -> None:
    made = w("batch", "CreateComputeEnvironment", computeEnvironmentName=w.name, type="UNMANAGED", state="ENABLED",
             serviceRole=w.pick("role")[1])  # fmt: skip
    w.keep("compute_environment", made["computeEnvironmentArn"])


@step("batch")
def create_job_queue(w: World) -> None:
    w("batch", "CreateJobQueue", jobQueueName=w.name, state="ENABLED", priority=1 + w.number,
      computeEnvironmentOrder=[{"order": 1, "computeEnvironment": w.pick("compute_environment")}])  # fmt: skip
    w("batch", "RegisterJobDefinition", jobDefinitionName=w.name, type="container",
      containerProperties={"image": w.other, "vcpus": 1, "memory": 8})  # fmt: skip


@step("codebuild")
def create_project(w: World) -> None:
    w("codebuild", "CreateProject", name=w.name, source={"type": "S3", "location": "bucket/path/file.zip"},
      artifacts={"type": "NO_ARTIFACTS"}, serviceRole=w.pick("role")[1],
      environment={"type": "LINUX_CONTAINER", "image": w.other, "computeType": "BUILD_GENERAL1_SMALL"})  # fmt: skip


@step("emr")
def run_job_flow(w: World) -> None:
    made = w("emr", "RunJobFlow", Name=w.name, Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1,
             "MasterInstanceType": "m5.xlarge"}, JobFlowRole=w.pick("role")[0], ServiceRole=w.pick("role")[0])  # fmt: skip
    w("emr", "AddTags", ResourceId=made["JobFlowId"], Tags=[{"Key": w.name, "Value": w.other}])


@step("cloudformation")
def create_stack(w: World) -> None:
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue"}, "T": {"Type": "AWS::SNS::Topic"}},
                "Outputs": {"Url": {"Value": {"Ref": "Q"}}}}  # fmt: skip
    w(
        "cloudformation",
        "CreateStack",
        StackName=w.name,
        TemplateBody=json.dumps(template),
        Tags=[{"Key": "k", "Value": w.other}],
    )
