/** Schemas for tools: converted once, never failing a list, still enforced in full. */
import * as v from "valibot";
import { expect, test } from "vitest";
import { toMcpSchema } from "../../mcp-core/src/host/index.js";

const schema = v.object({
  sql: v.pipe(v.string(), v.trim(), v.minLength(1)),
  limit: v.optional(v.pipe(v.number(), v.integer())),
  when: v.optional(v.date()),
  big: v.optional(v.bigint()),
  odd: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => text.length % 2 === 1, "must be odd"),
    ),
  ),
});
const target = { target: "draft-2020-12" as const };

test("what JSON Schema cannot say is left out of it", () => {
  const json = toMcpSchema(schema)["~standard"].jsonSchema.input(target);
  expect(json).toMatchObject({
    type: "object",
    properties: { sql: { type: "string" }, limit: { type: "integer" }, odd: { type: "string" } },
    required: ["sql"],
  });
  expect(json).not.toHaveProperty("$schema");
});

test("the same schema gives the same object and the same conversion", () => {
  const [first, second] = [toMcpSchema(schema), toMcpSchema(schema)];
  expect(first).toBe(second);
  expect(first["~standard"].jsonSchema.input(target)).toBe(second["~standard"].jsonSchema.input(target));
});

test.each([
  [{ sql: " x " }, true],
  [{ sql: "  " }, false],
  [{ sql: "x", odd: "ab" }, false],
  [{}, false],
])("%j is validated by the whole schema: %s", async (value, valid) => {
  const result = await toMcpSchema(schema)["~standard"].validate(value);
  expect(result.issues === undefined).toBe(valid);
  if (valid) expect(result).toMatchObject({ value: { sql: "x" } });
});
