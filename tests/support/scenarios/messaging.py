"""Queues, topics, buses, schedules, streams."""

from __future__ import annotations

import json

from tests.support.scenarios.world import World, step


@step("sqs", makes="queue")
def create_queue(w: World) -> None:
    url = w("sqs", "CreateQueue", QueueName=w.name, tags={w.other: w.name})["QueueUrl"]
    arn = w("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    w.keep("queue", (url, arn))


@step("sqs")
def create_fifo_queue(w: World) -> None:
    url = w("sqs", "CreateQueue", QueueName=f"{w.name}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    w("sqs", "SendMessage", QueueUrl=url, MessageBody=w.name, MessageGroupId="g", MessageDeduplicationId=w.other)


@step("sqs")
def redrive(w: World) -> None:
    url = w("sqs", "CreateQueue", QueueName=f"{w.name}d")["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": w.pick("queue")[1], "maxReceiveCount": "3"})
    w("sqs", "SetQueueAttributes", QueueUrl=url, Attributes={"RedrivePolicy": policy})


@step("sqs")
def send(w: World) -> None:
    w("sqs", "SendMessage", QueueUrl=w.pick("queue")[0], MessageBody=f"{w.name} {w.number}",
      MessageAttributes={"m": {"DataType": "String", "StringValue": w.other}})  # fmt: skip


@step("sqs")
def change_queue(w: World) -> None:
    w("sqs", "SetQueueAttributes", QueueUrl=w.pick("queue")[0], Attributes={"VisibilityTimeout": str(30 + w.number)})


@step("sqs", ends=True)
def delete_queue(w: World) -> None:
    queue = w.pick("queue")
    w("sqs", "DeleteQueue", QueueUrl=queue[0])
    w.gone("queue", queue)


@step("sns", makes="topic")
def create_topic(w: World) -> None:
    w.keep("topic", w("sns", "CreateTopic", Name=w.name, Tags=[{"Key": "k", "Value": w.other}])["TopicArn"])


@step("sns", makes="subscription")
def subscribe(w: World) -> None:
    made = w("sns", "Subscribe", TopicArn=w.pick("topic"), Protocol="sqs", Endpoint=w.pick("queue")[1])
    w.keep("subscription", made["SubscriptionArn"])


@step("sns")
def filter_subscription(w: World) -> None:
    w("sns", "SetSubscriptionAttributes", SubscriptionArn=w.pick("subscription"), AttributeName="FilterPolicy",
      AttributeValue=json.dumps({"store": [w.name]}))  # fmt: skip


@step("sns")
def name_topic(w: World) -> None:
    w("sns", "SetTopicAttributes", TopicArn=w.pick("topic"), AttributeName="DisplayName", AttributeValue=w.other)


@step("sns", ends=True)
def unsubscribe(w: World) -> None:
    arn = w.pick("subscription")
    w("sns", "Unsubscribe", SubscriptionArn=arn)
    w.gone("subscription", arn)


@step("sns", ends=True)
def delete_topic(w: World) -> None:
    arn = w.pick("topic")
    w("sns", "DeleteTopic", TopicArn=arn)
    w.gone("topic", arn)


@step("events", makes="bus")
def create_bus(w: World) -> None:
    w("events", "CreateEventBus", Name=w.name)
    w.keep("bus", w.name)


@step("events", makes="rule")
def put_rule(w: World) -> None:
    bus = w.pick("bus")
    w("events", "PutRule", Name=w.name, EventBusName=bus, EventPattern=json.dumps({"source": [w.other]}))
    w("events", "PutTargets", Rule=w.name, EventBusName=bus, Targets=[{"Id": w.other, "Arn": w.pick("queue")[1]}])
    w.keep("rule", (w.name, bus))


@step("events")
def scheduled_rule(w: World) -> None:
    w("events", "PutRule", Name=w.name, ScheduleExpression="rate(5 minutes)", State="DISABLED", Description=w.other)


@step("events")
def archive(w: World) -> None:
    bus = w("events", "DescribeEventBus", Name=w.pick("bus"))["Arn"]
    w("events", "CreateArchive", ArchiveName=w.name, EventSourceArn=bus, RetentionDays=3)


@step("events", ends=True)
def disable_rule(w: World) -> None:
    name, bus = w.pick("rule")
    w("events", "DisableRule", Name=name, EventBusName=bus)


@step("events", ends=True)
def delete_rule(w: World) -> None:
    name, bus = w.pick("rule")
    w("events", "RemoveTargets", Rule=name, EventBusName=bus, Ids=[w.other])
    w("events", "DeleteRule", Name=name, EventBusName=bus)


@step("scheduler", makes="schedule_group")
def create_group(w: World) -> None:
    w("scheduler", "CreateScheduleGroup", Name=w.name)
    w.keep("schedule_group", w.name)


@step("scheduler", makes="schedule")
def create_schedule(w: World) -> None:
    target = {"Arn": w.pick("queue")[1], "RoleArn": w.pick("role")[1]}
    w("scheduler", "CreateSchedule", Name=w.name, GroupName=w.pick("schedule_group"), Target=target,
      ScheduleExpression="rate(1 days)", FlexibleTimeWindow={"Mode": "OFF"})  # fmt: skip
    w.keep("schedule", (w.name, w.pick("schedule_group")))


@step("scheduler")
def update_schedule(w: World) -> None:
    name, group = w.pick("schedule")
    target = {"Arn": w.pick("queue")[1], "RoleArn": w.pick("role")[1]}
    w("scheduler", "UpdateSchedule", Name=name, GroupName=group, Target=target, Description=w.other,
      ScheduleExpression="rate(2 days)", FlexibleTimeWindow={"Mode": "OFF"})  # fmt: skip


@step("scheduler", ends=True)
def delete_schedule(w: World) -> None:
    name, group = w.pick("schedule")
    w("scheduler", "DeleteSchedule", Name=name, GroupName=group)
    w.gone("schedule", (name, group))


@step("kinesis", makes="stream")
def create_stream(w: World) -> None:
    w("kinesis", "CreateStream", StreamName=w.name, ShardCount=1)
    w.keep("stream", w.name)
    w.keep(
        "stream_arn", w("kinesis", "DescribeStreamSummary", StreamName=w.name)["StreamDescriptionSummary"]["StreamARN"]
    )


@step("kinesis")
def put_record(w: World) -> None:
    w("kinesis", "PutRecord", StreamName=w.pick("stream"), Data=w.name.encode(), PartitionKey=w.other)


@step("kinesis")
def register_consumer(w: World) -> None:
    w.pick("stream")
    w("kinesis", "RegisterStreamConsumer", StreamARN=w.pick("stream_arn"), ConsumerName=w.name)


@step("kinesis")
def tag_stream(w: World) -> None:
    w("kinesis", "AddTagsToStream", StreamName=w.pick("stream"), Tags={w.name: w.other})
    w("kinesis", "IncreaseStreamRetentionPeriod", StreamName=w.pick("stream"), RetentionPeriodHours=48)


@step("kinesis", ends=True)
def delete_stream(w: World) -> None:
    name = w.pick("stream")
    w("kinesis", "DeleteStream", StreamName=name)
    w.gone("stream", name)


@step("firehose", makes="delivery_stream")
def create_delivery_stream(w: World) -> None:
    target = {"RoleARN": w.pick("role")[1], "BucketARN": f"arn:aws:s3:::{w.pick('bucket')}"}
    w("firehose", "CreateDeliveryStream", DeliveryStreamName=w.name, DeliveryStreamType="DirectPut",
      ExtendedS3DestinationConfiguration=target)  # fmt: skip
    w.keep("delivery_stream", w.name)


@step("firehose")
def tag_delivery_stream(w: World) -> None:
    w(
        "firehose",
        "TagDeliveryStream",
        DeliveryStreamName=w.pick("delivery_stream"),
        Tags=[{"Key": w.name, "Value": "v"}],
    )


@step("sesv2")
def create_identity(w: World) -> None:
    w("sesv2", "CreateEmailIdentity", EmailIdentity=f"{w.name}@example.com")
    w("sesv2", "CreateConfigurationSet", ConfigurationSetName=w.name)
    w("sesv2", "CreateContactList", ContactListName=w.name)
    w("sesv2", "CreateContact", ContactListName=w.name, EmailAddress=f"{w.other}@example.com")


@step("ses")
def create_template(w: World) -> None:
    w("ses", "VerifyEmailIdentity", EmailAddress=f"{w.name}@example.com")
    w("ses", "CreateTemplate", Template={"TemplateName": w.name, "SubjectPart": w.other, "TextPart": "t"})
    w("ses", "UpdateTemplate", Template={"TemplateName": w.name, "SubjectPart": "s", "TextPart": w.other})


@step("mq")
def create_broker(w: World) -> None:
    made = w("mq", "CreateConfiguration", Name=w.name, EngineType="ACTIVEMQ", EngineVersion="5.17.6")
    broker = w("mq", "CreateBroker", BrokerName=w.name, DeploymentMode="SINGLE_INSTANCE", EngineType="ACTIVEMQ",
               EngineVersion="5.17.6", HostInstanceType="mq.t3.micro", PubliclyAccessible=False,
               Users=[{"Username": "u", "Password": "p" * 12}], AutoMinorVersionUpgrade=False,
               Configuration={"Id": made["Id"], "Revision": 1})  # fmt: skip
    w("mq", "CreateUser", BrokerId=broker["BrokerId"], Username=w.other, Password="q" * 12)


@step("kafka")
def create_kafka(w: World) -> None:
    nodes = {"ClientSubnets": [w.pick("subnet")], "InstanceType": "kafka.t3.small"}
    made = w("kafka", "CreateCluster", ClusterName=w.name, KafkaVersion="3.5.1", NumberOfBrokerNodes=2,
             BrokerNodeGroupInfo=nodes, Tags={"k": w.other})  # fmt: skip
    w("kafka", "TagResource", ResourceArn=made["ClusterArn"], Tags={"l": w.name})
