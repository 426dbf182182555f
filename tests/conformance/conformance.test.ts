/** The protocol's own conformance suite, both requirement sets, against the real HTTP entry. */
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createLog, type Served, serve } from "../../mcp-core/src/host/index.js";
import { createConformanceFixture } from "./fixture.js";
import { openSuite, type Suite } from "./suite.js";

let suite: Suite;
let served: Served;

beforeAll(async () => {
  suite = await openSuite();
  served = await serve({
    name: "conformance",
    version: "1.0.0",
    factory: createConformanceFixture(() => served?.notify),
    transport: "http",
    http: { host: "127.0.0.1", port: 0, drainMs: 200 },
    log: createLog({ name: "conformance", level: "silent", stream: new PassThrough() }),
    signal: new AbortController().signal,
  });
});

afterAll(async () => {
  await served?.[Symbol.asyncDispose]();
  await suite?.[Symbol.asyncDispose]();
});

test.each([
  ["2025-11-25", 30],
  ["2026-07-28", 37],
])("every scored scenario of %s passes", { timeout: 180_000 }, async (requirements, count) => {
  const { code, required, missed, details } = await suite.run(`${served.url}/mcp`, requirements);
  expect(required, details).toHaveLength(count);
  expect(missed, details).toEqual([]);
  expect(code, details).toBe(0);
});
