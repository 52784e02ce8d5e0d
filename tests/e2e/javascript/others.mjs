// S3 and DynamoDB over HTTP/2, by the handler that the SDK uses for Kinesis.   fill, read
import { createHash } from "node:crypto";
import { CreateTableCommand, DynamoDBClient, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { NodeHttp2Handler } from "@smithy/node-http-handler";

const Bucket = "archive", Key = "a b/ü.bin", TableName = "people";
const s3 = new S3Client({ forcePathStyle: true, requestHandler: new NodeHttp2Handler() });
const dynamodb = new DynamoDBClient({ requestHandler: new NodeHttp2Handler() });
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");
const body = Buffer.alloc(8 << 20, "0123456789");

async function fill() {
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: body, Metadata: { colour: "green" } }));
  await s3.send(new PutObjectCommand({ Bucket, Key: "empty", Body: "" }));
  await dynamodb.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await Promise.all(
    Array.from({ length: 50 }, (_, at) =>
      dynamodb.send(new PutItemCommand({ TableName, Item: { id: { S: `p${at}` } } })),
    ),
  );
  return {};
}

async function read() {
  const whole = await s3.send(new GetObjectCommand({ Bucket, Key }));
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key }));
  const empty = await s3.send(new GetObjectCommand({ Bucket, Key: "empty" }));
  const missing = await s3.send(new GetObjectCommand({ Bucket, Key: "missing" })).catch((error) => error.name);
  const { Items } = await dynamodb.send(new ScanCommand({ TableName }));
  return {
    digest: digest(await whole.Body.transformToByteArray()),
    size: head.ContentLength,
    metadata: head.Metadata,
    empty: await empty.Body.transformToString(),
    missing,
    items: Items.map((item) => item.id.S).sort(),
  };
}

const result = await { fill, read }[process.argv[2]]();
console.log(JSON.stringify({ protocol: s3.config.requestHandler.metadata.handlerProtocol, sent: digest(body), ...result }));
s3.destroy();
dynamodb.destroy();
