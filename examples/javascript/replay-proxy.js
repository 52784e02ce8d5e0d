// A proxy with an emulator for a test suite, whose state is brought back before each test, by its HTTP endpoints alone.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const START_TIMEOUT_MS = 120_000;
const CHANGES = ["recorded", "transient", "switched_off", "unrecognised", "renewals"];

// Starts a proxy on a copy of the recording, so that the recording itself is never written to. Without one the emulator
// is empty. Returns { url, stop }.
export async function start({ recording, emulator = "moto" } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "replay-proxy-"));
  const dataDir = join(folder, "recording");
  if (recording !== undefined) {
    if (!existsSync(join(recording, "recorded_api_calls.json"))) throw new Error(`there is no recording ${recording}`);
    cpSync(recording, dataDir, { recursive: true, filter: (path) => !/session\.json|\.lock$/.test(path) });
  }
  const url = `http://127.0.0.1:${await freePort()}`;
  const words = ["serve", "--emulator", emulator, "--listen", url.slice("http://".length), "--data-dir", dataDir];
  // MANUAL: what tests do is not saved, so it is not part of the state that is brought back.
  const child = spawn("replay-proxy", [...words, "--save-strategy", "MANUAL"], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said = (said + text).slice(-4000)));
  let failure;
  child.on("error", (error) => (failure = error));
  const stop = async () => {
    const ended = child.exitCode === null ? new Promise((done) => child.once("exit", done)) : undefined;
    child.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await sleep(50)) {
    if (failure !== undefined || child.exitCode !== null || Date.now() > deadline) {
      if (failure === undefined) await stop();
      throw new Error(`replay-proxy did not become ready: ${failure ?? said}`);
    }
    const answer = await fetch(`${url}/_replay/ready`).catch(() => undefined);
    if (answer?.ok) return { url, stop };
  }
}

let unchanged;

// Brings the state back to that of the recording, where a request may have changed it. To be called before each test.
export async function bringBack(url) {
  if (unchanged !== undefined && (await changes(url)) === unchanged) return;
  const answer = await fetch(`${url}/_localstack/state/load?reset=own`, { method: "POST" });
  const lines = (await answer.text()).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  const bad = lines.find((line) => line.status !== undefined && line.status !== "ok");
  if (!answer.ok || bad !== undefined) throw new Error(`the state could not be restored: ${JSON.stringify(bad ?? lines)}`);
  unchanged = await changes(url);
}

async function changes(url) {
  const { requests } = await (await fetch(`${url}/_replay/status`)).json();
  return CHANGES.map((name) => requests[name]).join();
}

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer().once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });
}
