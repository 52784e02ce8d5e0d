// Kinesis with the JavaScript SDK as it comes: over HTTP/2.
//   fill        a stream with records
//   read        what is in it
//   subscribe   the same by SubscribeToShard, an answer that goes on while records come
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  SubscribeToShardCommand,
} from "@aws-sdk/client-kinesis";

const StreamName = "clicks";
const client = new KinesisClient({});
const protocol = client.config.requestHandler.metadata.handlerProtocol;

async function summary() {
  for (;;) {
    const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName }));
    if (StreamDescriptionSummary.StreamStatus === "ACTIVE") return StreamDescriptionSummary;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function put(from, count) {
  const Records = Array.from({ length: count }, (_, at) => ({
    Data: Buffer.from(`record ${from + at}`),
    PartitionKey: `key-${from + at}`,
  }));
  return client.send(new PutRecordsCommand({ StreamName, Records }));
}

const plain = (record) => ({
  data: Buffer.from(record.Data).toString(),
  key: record.PartitionKey,
  number: record.SequenceNumber,
});

async function fill() {
  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 2 }));
  await summary();
  // Many at once, on one connection.
  await Promise.all(Array.from({ length: 20 }, (_, at) => put(at * 5, 5)));
  return {};
}

async function read() {
  const { StreamARN } = await summary();
  const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
  const records = [];
  for (const { ShardId } of Shards) {
    let { ShardIterator } = await client.send(
      new GetShardIteratorCommand({ StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" }),
    );
    for (let empty = 0; empty < 2 && ShardIterator; ) {
      const { Records, NextShardIterator } = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 30 }));
      records.push(...Records.map(plain));
      empty = Records.length ? 0 : empty + 1;
      ShardIterator = NextShardIterator;
    }
  }
  records.sort((a, b) => (a.data < b.data ? -1 : 1));
  return { arn: StreamARN, shards: Shards.map((shard) => shard.ShardId), records };
}

async function subscribe() {
  const { StreamARN } = await summary();
  const { Consumer } = await client.send(new RegisterStreamConsumerCommand({ StreamARN, ConsumerName: "reader" }));
  const { Shards } = await client.send(new ListShardsCommand({ StreamName }));
  const { EventStream } = await client.send(
    new SubscribeToShardCommand({
      ConsumerARN: Consumer.ConsumerARN,
      ShardId: Shards[0].ShardId,
      StartingPosition: { Type: "LATEST" },
    }),
  );
  // What is put now comes while the answer goes on, and all of it before the answer ends.
  const seen = [];
  const later = setTimeout(() => put(1000, 40), 500);
  for await (const event of EventStream) {
    seen.push(...(event.SubscribeToShardEvent?.Records ?? []).map((record) => plain(record).data));
    if (seen.length) break;
  }
  clearTimeout(later);
  return { seen };
}

const result = await { fill, read, subscribe }[process.argv[2]]();
console.log(JSON.stringify({ protocol, ...result }));
client.destroy();
// A subscription that was left would keep the process alive for as long as it lasts.
process.exit(0);
