/** The same suite through the gateway: the fixture stands behind it as a third-party server on stdio, its names unprefixed. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway } from "../gateway/gateways.js";
import { buildChild } from "../host/build-child.js";
import { openSuite, type Suite } from "./suite.js";

let suite: Suite;
let built: Awaited<ReturnType<typeof buildChild>>;

beforeAll(async () => {
  suite = await openSuite();
  built = await buildChild(new URL("./fixture-process.ts", import.meta.url));
});

afterAll(async () => {
  await built?.[Symbol.asyncDispose]();
  await suite?.[Symbol.asyncDispose]();
});

// the fixture asks by pushing in the old era and by its answer in the new one: it is met in the set's own
test.each([
  ["2025-11-25", "legacy", 30],
  ["2026-07-28", "modern", 37],
])("every scored scenario of %s passes through the gateway", { timeout: 180_000 }, async (requirements, era, count) => {
  const fixture = { command: process.execPath, args: [built.file], prefix: "", era };
  await using gateway = await startGateway(() => ({ mcpServers: { fixture } }));
  const { required, missed, details } = await suite.run(`${gateway.url}/mcp`, requirements);
  expect(required, details).toHaveLength(count);
  expect(missed, details).toEqual([]);
});
