"""Code, pipelines, pipes."""

from __future__ import annotations

from tests.support.scenarios.world import World, step


@step("codecommit")
def create_code_repository(w: World) -> None:
    w("codecommit", "CreateRepository", repositoryName=w.name, repositoryDescription=w.other)


@step("codepipeline")
def create_pipeline(w: World) -> None:
    used = (("Source", "S3"), ("Build", "CodeBuild"))
    kinds = [{"category": each, "owner": "AWS", "provider": by, "version": "1"} for each, by in used]
    where = {"S3Bucket": w.pick("bucket"), "S3ObjectKey": "k"}
    get = {"name": "A", "outputArtifacts": [{"name": "O"}], "configuration": where, "actionTypeId": kinds[0]}
    make = {"name": w.other, "inputArtifacts": [{"name": "O"}], "actionTypeId": kinds[1]}
    source, build = {"name": "S", "actions": [get]}, {"name": "B", "actions": [make]}
    store = {"type": "S3", "location": w.pick("bucket")}
    w("codepipeline", "CreatePipeline", pipeline={"name": w.name, "roleArn": w.pick("role")[1], "stages": [source, build],
      "artifactStore": store, "version": 1})  # fmt: skip


@step("codedeploy")
def create_deployment(w: World) -> None:
    w("codedeploy", "CreateApplication", applicationName=w.name, computePlatform="Server")
    w(
        "codedeploy",
        "CreateDeploymentGroup",
        applicationName=w.name,
        deploymentGroupName=w.other,
        serviceRoleArn=w.pick("role")[1],
    )


@step("pipes")
def create_pipe(w: World) -> None:
    w("pipes", "CreatePipe", Name=w.name, Source=w.pick("queue")[1], Target=w.pick("topic"), RoleArn=w.pick("role")[1],
      DesiredState="STOPPED")  # fmt: skip


@step("sagemaker")
def create_model(w: World) -> None:
    w("sagemaker", "CreateModel", ModelName=w.name, ExecutionRoleArn=w.pick("role")[1], PrimaryContainer={"Image": "i"})
    w(
        "sagemaker",
        "CreateNotebookInstance",
        NotebookInstanceName=w.other,
        InstanceType="ml.t2.medium",
        RoleArn=w.pick("role")[1],
    )
