import { beforeEach } from "vitest";

import { bringBack } from "./replay-proxy.js";

beforeEach(() => bringBack(process.env.AWS_ENDPOINT_URL), 60_000);
