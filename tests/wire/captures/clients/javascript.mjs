// What people do with the JavaScript SDK v3. Errors of the emulator do not matter here.
import http from "node:http";
import { APIGatewayClient, CreateRestApiCommand, GetRestApisCommand } from "@aws-sdk/client-api-gateway";
import { CloudWatchClient, PutMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { CognitoIdentityProviderClient, SignUpCommand } from "@aws-sdk/client-cognito-identity-provider";
import { DynamoDBClient, ListTablesCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { DescribeVpcsCommand, EC2Client } from "@aws-sdk/client-ec2";
import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { KinesisClient, ListShardsCommand, PutRecordCommand } from "@aws-sdk/client-kinesis";
import { InvokeCommand, LambdaClient, ListFunctionsCommand } from "@aws-sdk/client-lambda";
import * as s3 from "@aws-sdk/client-s3";
import { GetPublicAccessBlockCommand, S3ControlClient } from "@aws-sdk/client-s3-control";
import { CreateEmailIdentityCommand, SESv2Client } from "@aws-sdk/client-sesv2";
import { CreateTopicCommand, PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { CreateQueueCommand, ReceiveMessageCommand, SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

// Names of virtual hosts need not resolve: every connection goes to this machine.
const agent = new http.Agent({
  lookup: (host, options, done) =>
    options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4),
});

function client(Client, more = {}) {
  const made = new Client({ maxAttempts: 1, requestHandler: { httpAgent: agent }, ...more });
  made.middlewareStack.add(
    (next, context) => (args) => {
      args.request.headers["x-capture-expect"] = `${context.clientName}:${context.commandName}`;
      return next(args);
    },
    { step: "finalizeRequest", priority: "low", name: "expect" },
  );
  return made;
}

async function send(client, command) {
  try {
    return await client.send(command);
  } catch {
    return {};
  }
}

for (const more of [{ forcePathStyle: true }, {}, { endpoint: "http://s3.localhost.localstack.cloud:PORT" }]) {
  if (more.endpoint) more.endpoint = more.endpoint.replace("PORT", new URL(process.env.AWS_ENDPOINT_URL).port);
  const c = client(s3.S3Client, more);
  const bucket = { Bucket: "photos" };
  const object = { ...bucket, Key: "/folder//a b.txt" };
  await send(c, new s3.CreateBucketCommand(bucket));
  await send(c, new s3.ListBucketsCommand({}));
  await send(c, new s3.HeadBucketCommand(bucket));
  await send(c, new s3.PutBucketVersioningCommand({ ...bucket, VersioningConfiguration: { Status: "Enabled" } }));
  await send(c, new s3.PutObjectCommand({ ...object, Body: "hello" }));
  await send(c, new s3.GetObjectCommand(object));
  await send(c, new s3.CopyObjectCommand({ ...bucket, Key: "copy", CopySource: "photos/a" }));
  await send(c, new s3.ListObjectsV2Command(bucket));
  await send(c, new s3.ListObjectVersionsCommand(bucket));
  await send(c, new s3.CreateMultipartUploadCommand(object));
  await send(c, new s3.UploadPartCommand({ ...object, UploadId: "x", PartNumber: 1, Body: "hello" }));
  await send(c, new s3.CompleteMultipartUploadCommand({ ...object, UploadId: "x", MultipartUpload: { Parts: [] } }));
  await send(c, new s3.DeleteObjectsCommand({ ...bucket, Delete: { Objects: [{ Key: "copy" }] } }));
  await send(c, new s3.DeleteObjectCommand(object));
  await send(c, new s3.GetBucketLifecycleConfigurationCommand(bucket));
}
{
  const plain = new s3.S3Client({ forcePathStyle: true });
  const object = { Bucket: "photos", Key: "linked file.txt" };
  const headers = { "x-capture-expect": "S3Client:PutObjectCommand" };
  await fetch(await getSignedUrl(plain, new s3.PutObjectCommand(object)), { method: "PUT", body: "hello", headers });
  headers["x-capture-expect"] = "S3Client:GetObjectCommand";
  await fetch(await getSignedUrl(plain, new s3.GetObjectCommand(object)), { headers });
  const post = await createPresignedPost(plain, object);
  const form = new FormData();
  for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
  form.append("file", new Blob(["hello"]));
  headers["x-capture-expect"] = "S3Client:PostObject";
  await fetch(post.url, { method: "POST", body: form, headers });
}

await send(client(S3ControlClient), new GetPublicAccessBlockCommand({ AccountId: "123456789012" }));
const sqs = client(SQSClient);
const { QueueUrl = "x" } = await send(sqs, new CreateQueueCommand({ QueueName: "orders" }));
await send(sqs, new SendMessageCommand({ QueueUrl, MessageBody: "hello" }));
await send(sqs, new ReceiveMessageCommand({ QueueUrl }));
const sns = client(SNSClient);
const { TopicArn } = await send(sns, new CreateTopicCommand({ Name: "news" }));
await send(sns, new PublishCommand({ TopicArn, Message: "hello" }));
const dynamodb = client(DynamoDBClient);
await send(dynamodb, new ListTablesCommand({}));
await send(dynamodb, new PutItemCommand({ TableName: "t", Item: { id: { S: "1" } } }));
const lambda = client(LambdaClient);
await send(lambda, new ListFunctionsCommand({}));
await send(lambda, new InvokeCommand({ FunctionName: "f", Payload: "{}" }));
await send(client(APIGatewayClient), new CreateRestApiCommand({ name: "a" }));
await send(client(APIGatewayClient), new GetRestApisCommand({}));
await send(client(CloudWatchClient), new PutMetricDataCommand({ Namespace: "n", MetricData: [{ MetricName: "m", Value: 1 }] }));
await send(client(KinesisClient, { requestHandler: undefined }), new ListShardsCommand({ StreamName: "s" }));
await send(client(KinesisClient), new PutRecordCommand({ StreamName: "s", Data: Buffer.from("d"), PartitionKey: "p" }));
await send(client(EC2Client), new DescribeVpcsCommand({}));
await send(client(IAMClient), new CreateRoleCommand({ RoleName: "a", AssumeRolePolicyDocument: "{}" }));
await send(client(SESv2Client), new CreateEmailIdentityCommand({ EmailIdentity: "a@example.org" }));
await send(client(SSMClient), new PutParameterCommand({ Name: "/a/b", Value: "c", Type: "String" }));
await send(client(STSClient), new GetCallerIdentityCommand({}));
await send(client(STSClient), new AssumeRoleWithWebIdentityCommand({
  RoleArn: "arn:aws:iam::123456789012:role/a", RoleSessionName: "abc", WebIdentityToken: "abcd",
}));
await send(client(CognitoIdentityProviderClient), new SignUpCommand({ ClientId: "a", Username: "me", Password: "secret-1" }));
process.exit(0);
