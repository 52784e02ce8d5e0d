// Each test changes the state, and each finds that of the recording.
import { CreateQueueCommand, ListQueuesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { expect, test } from "vitest";

const sqs = new SQSClient();
const names = async () => ((await sqs.send(new ListQueuesCommand())).QueueUrls ?? []).map((url) => url.split("/").at(-1));
const recorded = (process.env.RECORDED_QUEUES ?? "").split(",").filter(Boolean);

test.each(["first", "second", "third"])("%s", async (name) => {
  expect(await names()).toEqual(recorded);
  await sqs.send(new CreateQueueCommand({ QueueName: name }));
  expect((await names()).toSorted()).toEqual([...recorded, name].toSorted());
});
