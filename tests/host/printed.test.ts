/** What libraries print goes to the log, not to stdout, and no longer than it should. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/index.js";
import { logPrinted } from "../../mcp-core/src/host/printed.js";

test("every method becomes a line of the log, secrets hidden, until it is disposed", () => {
  const stream = new PassThrough({ encoding: "utf8" });
  const original = { ...console };
  const methods = ["debug", "dir", "error", "info", "log", "table", "trace", "warn"] as const;
  {
    using _printed = logPrinted(createLog({ name: "t", stream }));
    for (const method of methods) console[method]("%s of %d", "postgres://ada:canary@h/d", 2, { deep: { er: true } });
  }
  for (const method of methods) expect(console[method]).toBe(original[method]);
  const lines = String(stream.read()).trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    methods.map(() =>
      expect.objectContaining({ level: "warn", event: "printed", text: expect.stringMatching(/of 2 \{/) }),
    ),
  );
  expect(lines.join()).not.toContain("canary");
});
