// The JavaScript SDK through a proxy, without any endpoint: S3 with the bucket in the host, and DynamoDB.   fill, read
import { CreateTableCommand, DescribeTableCommand, DynamoDBClient, PutItemCommand, ScanCommand } from "@aws-sdk/client-dynamodb";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { HttpsProxyAgent } from "https-proxy-agent";

const requestHandler = new NodeHttpHandler({ httpsAgent: new HttpsProxyAgent(process.env.HTTPS_PROXY, { keepAlive: true }) });
const s3 = new S3Client({ requestHandler }), dynamodb = new DynamoDBClient({ requestHandler });
const Bucket = "archive", TableName = "people", Key = "a b/ü.txt";

if (process.argv[2] === "fill") {
  await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: Buffer.alloc(3 << 20, "0123456789") }));
  await dynamodb.send(
    new CreateTableCommand({
      TableName,
      AttributeDefinitions: [{ AttributeName: "id", AttributeType: "S" }],
      KeySchema: [{ AttributeName: "id", KeyType: "HASH" }],
      BillingMode: "PAY_PER_REQUEST",
    }),
  );
  await Promise.all(
    Array.from({ length: 20 }, (_, at) => dynamodb.send(new PutItemCommand({ TableName, Item: { id: { S: `p${at}` } } }))),
  );
}
const object = await s3.send(new GetObjectCommand({ Bucket, Key }));
const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
const { Items } = await dynamodb.send(new ScanCommand({ TableName }));
console.log(
  JSON.stringify({
    size: (await object.Body.transformToByteArray()).length,
    table: Table.TableArn,
    people: Items.map((item) => item.id.S).sort(),
  }),
);
