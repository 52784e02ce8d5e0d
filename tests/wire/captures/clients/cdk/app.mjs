// A small stack with an asset, so that the deployment also uploads.
import * as cdk from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as sns from "aws-cdk-lib/aws-sns";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as subscriptions from "aws-cdk-lib/aws-sns-subscriptions";
import { mkdirSync, writeFileSync } from "node:fs";

mkdirSync("handler", { recursive: true });
writeFileSync("handler/index.js", "exports.handler = async () => ({});");

const app = new cdk.App();
const stack = new cdk.Stack(app, "Orders", { env: { account: "123456789012", region: "eu-west-1" } });
const queue = new sqs.Queue(stack, "Queue");
const topic = new sns.Topic(stack, "Topic");
topic.addSubscription(new subscriptions.SqsSubscription(queue));
new dynamodb.Table(stack, "Table", { partitionKey: { name: "id", type: dynamodb.AttributeType.STRING } });
new lambda.Function(stack, "Handler", {
  runtime: lambda.Runtime.NODEJS_22_X,
  handler: "index.handler",
  code: lambda.Code.fromAsset("handler"),
});
if (app.node.tryGetContext("more")) new sqs.Queue(stack, "More");
