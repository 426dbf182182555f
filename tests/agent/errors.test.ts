/** Errors: each code has its line in the README, and no text of one holds a secret. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { AgentError, nearest, toErrorReport, withoutSecrets } from "../../agent/src/errors.js";

const folder = fileURLToPath(new URL("../../agent", import.meta.url));

test("every code the agent raises is explained in its README", () => {
  const sources = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const text = sources.map((name) => readFileSync(join(folder, "src", name), "utf8")).join("\n");
  const codes = new Set([...text.matchAll(/new (?:AgentError|ToolError)\(\s*"([a-z_]+)"/g)].map(([, code]) => code));
  const readme = readFileSync(join(folder, "README.md"), "utf8");
  const passedOn = new Set(["timeout", "parameter_invalid", "source_unknown"]); // codes of the servers that the agent uses in their sense
  expect(codes.size).toBeGreaterThan(12);
  expect([...codes].filter((code) => !passedOn.has(code ?? "") && !readme.includes(`\`${code}\``))).toEqual([]);
});

describe("secrets leave a text", () => {
  test.each([
    ["postgres://me:pa ss@host/db is wrong", "pa ss"],
    ["connect to mysql://root:p%40ss@10.0.0.1:3306/x?ssl=1 failed", "p%40ss"],
    ["url: postgres://:only-password@h/d", "only-password"],
    ["password=hunter2 host=x", "hunter2"],
    ['{"password": "hunter2"}', "hunter2"],
    ["token: abcdef", "abcdef"],
  ])("%s", (text, secret) => {
    expect(withoutSecrets(text)).not.toContain(secret);
  });
  test.each(["postgres://me@host/db", "SELECT a::text FROM t", "time 12:30@x"])("%s stays", (text) => {
    expect(withoutSecrets(text)).toBe(text);
  });
});

test("an unexpected failure is reported as internal, without the secrets in its message", () => {
  const report = toErrorReport(new TypeError("Invalid URL: postgres://me:hunter2@host/db"));
  expect(report).toMatchObject({ code: "internal", retryable: false });
  expect(JSON.stringify(report)).not.toContain("hunter2");
  expect(toErrorReport(new DOMException("x", "AbortError"))).toMatchObject({ code: "cancelled" });
  expect(toErrorReport(new AgentError("usage", "m", { hint: "h" }))).toEqual({
    code: "usage",
    message: "m",
    hint: "h",
    retryable: false,
  });
});

test.each([
  ["statments", ["statements", "status"], "statements"],
  ["SALES", ["sales", "hr"], "sales"],
  ["zzz", ["sales", "hr"], undefined],
  ["x", [], undefined],
])("nearest to %s of %j is %s", (word, candidates, found) => {
  expect(nearest(word, candidates)).toBe(found);
});
