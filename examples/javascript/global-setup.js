import { start } from "./replay-proxy.js";

export default async function setup() {
  const proxy = await start({ recording: process.env.RECORDING, emulator: process.env.REPLAY_EMULATOR });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: proxy.url,
    AWS_REGION: "us-east-1",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  });
  return proxy.stop;
}
