// What teams make with CDK: an API in front of a function, a table with a stream, a queue, a topic, a bucket, a schedule.
import * as cdk from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import * as actions from "aws-cdk-lib/aws-cloudwatch-actions";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as events from "aws-cdk-lib/aws-events";
import * as targets from "aws-cdk-lib/aws-events-targets";
import * as kms from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as sources from "aws-cdk-lib/aws-lambda-event-sources";
import * as logs from "aws-cdk-lib/aws-logs";
import * as s3 from "aws-cdk-lib/aws-s3";
import * as notifications from "aws-cdk-lib/aws-s3-notifications";
import * as secrets from "aws-cdk-lib/aws-secretsmanager";
import * as sns from "aws-cdk-lib/aws-sns";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as ssm from "aws-cdk-lib/aws-ssm";
import * as stepfunctions from "aws-cdk-lib/aws-stepfunctions";
import * as tasks from "aws-cdk-lib/aws-stepfunctions-tasks";
import * as subscriptions from "aws-cdk-lib/aws-sns-subscriptions";

const app = new cdk.App({ analyticsReporting: false, outdir: "cdk.out" });
const owner = app.node.tryGetContext("owner") ?? "nobody";
const env = { account: "000000000000", region: "us-east-1" };

// What another stack imports.
const base = new cdk.Stack(app, "Base", { env });
const key = new kms.Key(base, "Key", { description: "of the shop", removalPolicy: cdk.RemovalPolicy.DESTROY });
key.addAlias("alias/shop");
const dead = new sqs.Queue(base, "Dead");
const jobs = new sqs.Queue(base, "Jobs", { deadLetterQueue: { queue: dead, maxReceiveCount: 3 } });
const news = new sns.Topic(base, "News", { displayName: "News" });
news.addSubscription(new subscriptions.SqsSubscription(jobs, { rawMessageDelivery: true }));
const files = new s3.Bucket(base, "Files", { versioned: true, removalPolicy: cdk.RemovalPolicy.DESTROY });
const setting = new ssm.StringParameter(base, "Setting", { parameterName: "/shop/owner", stringValue: owner });
const secret = new secrets.Secret(base, "Secret", {
  secretName: "shop",
  secretStringValue: cdk.SecretValue.unsafePlainText("battery staple"),
});

const network = new cdk.Stack(app, "Network", { env });
const vpc = new ec2.CfnVPC(network, "Vpc", { cidrBlock: "10.50.0.0/16" });
const subnet = new ec2.CfnSubnet(network, "Subnet", { vpcId: vpc.ref, cidrBlock: "10.50.1.0/24", availabilityZone: "us-east-1a" });
const gateway = new ec2.CfnInternetGateway(network, "Gateway");
new ec2.CfnVPCGatewayAttachment(network, "Attachment", { vpcId: vpc.ref, internetGatewayId: gateway.ref });
new ec2.CfnSecurityGroup(network, "Inside", { vpcId: vpc.ref, groupDescription: "inside" });
const table1 = new ec2.CfnRouteTable(network, "Routes", { vpcId: vpc.ref });
new ec2.CfnSubnetRouteTableAssociation(network, "Association", { subnetId: subnet.ref, routeTableId: table1.ref });
new cdk.CfnOutput(network, "VpcId", { value: vpc.ref });

const alarms = new cdk.Stack(app, "Alarms", { env });
const group = new logs.LogGroup(alarms, "Logs", { retention: logs.RetentionDays.ONE_WEEK, removalPolicy: cdk.RemovalPolicy.DESTROY });
group.addMetricFilter("Errors", { filterPattern: logs.FilterPattern.literal("ERROR"), metricName: "errors", metricNamespace: "shop" });
const alarm = new cloudwatch.Alarm(alarms, "TooMany", {
  metric: jobs.metricApproximateNumberOfMessagesVisible(),
  threshold: 10,
  evaluationPeriods: 1,
});
alarm.addAlarmAction(new actions.SnsAction(news));
const rule = new events.Rule(alarms, "Hourly", { schedule: events.Schedule.rate(cdk.Duration.hours(1)), description: `of ${owner}` });
rule.addTarget(new targets.SqsQueue(new sqs.Queue(alarms, "Ticks")));
const flow = new stepfunctions.StateMachine(alarms, "Flow", {
  definitionBody: stepfunctions.DefinitionBody.fromChainable(
    new tasks.SqsSendMessage(alarms, "Send", { queue: jobs, messageBody: stepfunctions.TaskInput.fromText("go") }),
  ),
});
new cdk.CfnOutput(alarms, "FlowArn", { value: flow.stateMachineArn });

const shop = new cdk.Stack(app, "Shop", { env });
const orders = new dynamodb.Table(shop, "Orders", {
  partitionKey: { name: "id", type: dynamodb.AttributeType.STRING },
  billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
  stream: dynamodb.StreamViewType.NEW_IMAGE,
  removalPolicy: cdk.RemovalPolicy.DESTROY,
});
const worker = new lambda.Function(shop, "Worker", {
  runtime: lambda.Runtime.PYTHON_3_12,
  handler: "index.handler",
  code: lambda.Code.fromInline("def handler(event, context):\n    return {'statusCode': 200}\n"),
  environment: { ORDERS: orders.tableName, JOBS: jobs.queueUrl, OWNER: owner },
});
orders.grantReadWriteData(worker);
jobs.grantSendMessages(worker);
secret.grantRead(worker);
setting.grantRead(worker);
worker.addEventSource(new sources.DynamoEventSource(orders, { startingPosition: lambda.StartingPosition.LATEST }));
worker.addEventSource(new sources.SqsEventSource(jobs));
const live = new lambda.Alias(shop, "Live", { aliasName: "live", version: worker.currentVersion });
const api = new apigateway.RestApi(shop, "Api", { cloudWatchRole: false });
api.root.addResource("orders").addMethod("GET", new apigateway.LambdaIntegration(live));
new cdk.CfnOutput(shop, "ApiId", { value: api.restApiId });
new cdk.CfnOutput(shop, "WorkerName", { value: worker.functionName });

app.synth();
