"""Parameters, logs, alarms, configurations."""

from __future__ import annotations

import time

from tests.support.scenarios.world import World, step


@step("ssm", makes="parameter")
def put_parameter(w: World) -> None:
    w("ssm", "PutParameter", Name=w.name, Value=w.other, Type=["String", "SecureString", "StringList"][w.number % 3])
    w.keep("parameter", w.name)


@step("ssm")
def overwrite_parameter(w: World) -> None:
    w("ssm", "PutParameter", Name=w.pick("parameter"), Value=f"{w.other}{w.number}", Overwrite=True)
    w("ssm", "LabelParameterVersion", Name=w.pick("parameter"), Labels=["l"])


@step("ssm")
def path_of_parameters(w: World) -> None:
    w("ssm", "PutParameter", Name=f"/{w.name}/{w.other}", Value="v", Type="String")
    w(
        "ssm",
        "AddTagsToResource",
        ResourceType="Parameter",
        ResourceId=f"/{w.name}/{w.other}",
        Tags=[{"Key": w.name, "Value": "v"}],
    )


@step("ssm")
def create_document(w: World) -> None:
    w(
        "ssm",
        "CreateDocument",
        Name=f"doc-{w.name}",
        Content='{"schemaVersion": "2.2", "mainSteps": []}',
        DocumentType="Command",
    )
    w("ssm", "CreateMaintenanceWindow", Name=w.name if len(w.name) > 2 else f"{w.name}-w", Schedule="rate(1 day)", Duration=2,
      Cutoff=1, AllowUnassociatedTargets=True)  # fmt: skip


@step("ssm", ends=True)
def delete_parameter(w: World) -> None:
    name = w.pick("parameter")
    w("ssm", "DeleteParameter", Name=name)
    w.gone("parameter", name)


@step("logs", makes="log_group")
def create_log_group(w: World) -> None:
    w("logs", "CreateLogGroup", logGroupName=w.name, tags={"k": w.other})
    w.keep("log_group", w.name)


@step("logs", makes="log_stream")
def create_log_stream(w: World) -> None:
    w("logs", "CreateLogStream", logGroupName=w.pick("log_group"), logStreamName=w.name)
    w.keep("log_stream", (w.pick("log_group"), w.name))


@step("logs")
def put_events(w: World) -> None:
    group, stream = w.pick("log_stream")
    event = {"timestamp": int(time.time() * 1000), "message": f"{w.other} {w.number}"}
    w("logs", "PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=[event])


@step("logs")
def filter_logs(w: World) -> None:
    w("logs", "PutRetentionPolicy", logGroupName=w.pick("log_group"), retentionInDays=7)
    w("logs", "PutMetricFilter", logGroupName=w.pick("log_group"), filterName=w.name, filterPattern="x",
      metricTransformations=[{"metricName": w.other, "metricNamespace": w.name, "metricValue": "1"}])  # fmt: skip
    w("logs", "PutSubscriptionFilter", logGroupName=w.pick("log_group"), filterName=w.name, filterPattern="",
      destinationArn=w.pick("function")[1])  # fmt: skip


@step("logs", ends=True)
def delete_log_group(w: World) -> None:
    group = w.pick("log_group")
    w("logs", "DeleteLogGroup", logGroupName=group)
    w.gone("log_group", group)


@step("cloudwatch")
def put_alarm(w: World) -> None:
    w("cloudwatch", "PutMetricAlarm", AlarmName=w.name, MetricName=w.other, Namespace=w.name, Period=60, Threshold=1.0,
      ComparisonOperator="GreaterThanThreshold", EvaluationPeriods=1 + w.number, Statistic="Sum",
      AlarmActions=[w.pick("topic")])  # fmt: skip


@step("cloudwatch")
def put_dashboard(w: World) -> None:
    w("cloudwatch", "PutDashboard", DashboardName=w.name, DashboardBody='{"widgets": []}')
    w("cloudwatch", "PutMetricData", Namespace=w.name, MetricData=[{"MetricName": w.other, "Value": 1.0}])


@step("cloudwatch", ends=True)
def delete_alarm(w: World) -> None:
    w("cloudwatch", "DeleteAlarms", AlarmNames=[w.name])


@step("appconfig", makes="application")
def create_application(w: World) -> None:
    w.keep("application", w("appconfig", "CreateApplication", Name=w.name, Description=w.other)["Id"])


@step("appconfig", makes="profile")
def create_profile(w: World) -> None:
    application = w.pick("application")
    made = w("appconfig", "CreateConfigurationProfile", ApplicationId=application, Name=w.name, LocationUri="hosted")
    w.keep("profile", (application, made["Id"]))


@step("appconfig")
def create_hosted(w: World) -> None:
    application, profile = w.pick("profile")
    w("appconfig", "CreateHostedConfigurationVersion", ApplicationId=application, ConfigurationProfileId=profile,
      Content=w.other.encode(), ContentType="text/plain")  # fmt: skip


@step("appconfig")
def change_application(w: World) -> None:
    w("appconfig", "UpdateApplication", ApplicationId=w.pick("application"), Description=f"{w.other}{w.number}")


@step("appconfig", ends=True)
def delete_application(w: World) -> None:
    ident = w.pick("application")
    w("appconfig", "DeleteApplication", ApplicationId=ident)
    w.gone("application", ident)


@step("resource-groups")
def create_resource_group(w: World) -> None:
    query = {
        "Type": "TAG_FILTERS_1_0",
        "Query": '{"ResourceTypeFilters": ["AWS::AllSupported"], "TagFilters": [{"Key": "k"}]}',
    }
    w("resource-groups", "CreateGroup", Name=w.name, Description=w.other, ResourceQuery=query)


@step("config")
def put_recorder(w: World) -> None:
    w("config", "PutConfigurationRecorder", ConfigurationRecorder={"name": w.name, "roleARN": w.pick("role")[1],
      "recordingGroup": {"allSupported": True}})  # fmt: skip
    w("config", "PutDeliveryChannel", DeliveryChannel={"name": w.other, "s3BucketName": w.pick("bucket")})


@step("cloudtrail")
def create_trail(w: World) -> None:
    w("cloudtrail", "CreateTrail", Name=w.name, S3BucketName=w.pick("bucket"))
    w("cloudtrail", "StartLogging", Name=w.name)


@step("xray")
def create_sampling(w: World) -> None:
    w("xray", "CreateGroup", GroupName=w.name, FilterExpression="fault = true")


@step("synthetics")
def create_canary(w: World) -> None:
    w("synthetics", "CreateCanary", Name=w.name, Code={"Handler": "h"}, ArtifactS3Location=f"s3://{w.pick('bucket')}",
      ExecutionRoleArn=w.pick("role")[1], Schedule={"Expression": "rate(1 hour)"},
      RuntimeVersion="syn-nodejs-puppeteer-9.1")  # fmt: skip
