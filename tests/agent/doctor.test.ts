/** `db-agent doctor` on machines in order and out of it: what it finds, what it says to do, and no secret in it. */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { openTerminal, runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });

const folder = temporaryFolder();
let database: TestDatabase;
let stub: ModelStub;
beforeAll(async () => {
  [database, stub] = await Promise.all([createPostgresDatabase(), startModelStub()]);
});
afterAll(async () => {
  await stub?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly message: string;
  readonly remedy?: string;
}

async function examine(args: readonly string[], environment: Record<string, string> = {}) {
  const home = join(folder.path, randomBytes(4).toString("hex"));
  const { code, stdout, stderr } = await runAgent(["doctor", ...args, "-o", "json"], {
    environment: {
      HOME: home,
      XDG_STATE_HOME: join(home, "state"),
      XDG_CONFIG_HOME: join(home, "config"),
      EDITOR: "cat",
      PAGER: "cat",
      ...environment,
    },
  });
  const { ok, findings }: { ok: boolean; findings: readonly Finding[] } = JSON.parse(stdout);
  const of = (check: string) => findings.find((finding) => finding.check === check);
  return { code, stdout, stderr, ok, findings, of };
}

test("a machine in order: everything is looked at, the model is asked one word", async () => {
  stub.answer({ text: "OK" });
  const { code, ok, findings, of, stdout } = await examine(
    [`shop=${database.url}`, "--store", `file:${join(folder.path, "kept")}`],
    {
      DB_AGENT_MODEL: "stub",
      DB_AGENT_MODEL_URL: stub.url,
      DB_AGENT_MODEL_KEY: "sk-canary-doctor",
      MCP_KEYS: `k1:${randomBytes(32).toString("base64")}`,
    },
  );
  expect({ code, ok, failed: findings.filter(({ status }) => status === "failed") }).toEqual({
    code: 0,
    ok: true,
    failed: [],
  });
  expect(of("node")?.message).toBe(`Node ${process.versions.node}`);
  expect(of("gateway program")).toMatchObject({ status: "ok", message: expect.stringContaining("mcp-gateway 0.1.0") });
  expect(of("gateway")).toMatchObject({ status: "ok" });
  expect(of("database shop")).toMatchObject({
    status: "ok",
    message: expect.stringMatching(/^PostgreSQL .*read-only/),
  });
  expect(findings).toContainEqual(expect.objectContaining({ check: "database shop", status: "warning" })); // a superuser
  expect(of("store")).toMatchObject({ status: "ok", message: "0 sessions open with these keys" });
  expect(of("model")).toMatchObject({ status: "ok", message: expect.stringContaining("stub answers in") });
  expect(of("history")).toMatchObject({ status: "ok" });
  expect(stub.requests).toHaveLength(1);
  expect(stdout).not.toContain("canary");
});

test("--offline asks no model, and without a database the rest is looked at", async () => {
  const sent = stub.requests.length;
  const { code, of } = await examine(["--offline"], { DB_AGENT_MODEL: "stub", DB_AGENT_MODEL_URL: stub.url });
  expect(code).toBe(0);
  expect(of("model")).toMatchObject({ status: "skipped", message: expect.stringContaining("--offline") });
  expect(of("gateway")).toMatchObject({ status: "skipped", remedy: expect.stringContaining("DATABASE_URL") });
  expect(stub.requests).toHaveLength(sent);
});

describe("what is out of order", () => {
  test.each([
    ["a database that is down", ["x=postgres://u:canary-pw@127.0.0.1:1/x"], {}, "database", "connection_failed"],
    ["a gateway nobody hears", ["--gateway", "http://127.0.0.1:9"], {}, "gateway", "gateway_unreachable"],
    ["a configuration that is none", ["--config", "broken.json"], {}, "gateway", "gateway_failed"],
    ["a Redis that is away", ["--store", "redis://:canary-pw@127.0.0.1:9"], {}, "store", "store_unreachable"],
    ["keys that are none", ["--store", "file"], { MCP_KEYS: "k1:canary-pw" }, "store", "config_invalid"],
    [
      "a secret file that is missing",
      [],
      { MCP_GATEWAY_TOKEN_FILE: "/nowhere" },
      "MCP_GATEWAY_TOKEN_FILE",
      "cannot be read",
    ],
    [
      "a model nobody hears",
      [],
      { DB_AGENT_MODEL: "m", DB_AGENT_MODEL_URL: "http://127.0.0.1:9/v1" },
      "model",
      "model_unreachable",
    ],
    [
      "a model with a wrong price",
      [],
      { DB_AGENT_MODEL: "m", DB_AGENT_MODEL_URL: "http://127.0.0.1:9/v1", DB_AGENT_MODEL_PRICE: "x" },
      "model",
      "config_invalid",
    ],
  ])("%s is told, with what to do", async (_, args, environment, check, message) => {
    writeFileSync(join(folder.path, "broken.json"), "{");
    const given = args.map((arg) => (arg === "broken.json" ? join(folder.path, arg) : arg));
    const { code, ok, findings, stdout, stderr } = await examine(given, environment);
    const found = findings.find((one) => one.check.startsWith(check) && one.status === "failed");
    expect(found).toMatchObject({ message: expect.stringContaining(message), remedy: expect.stringMatching(/./) });
    expect({ code, ok }).toEqual({ code: 1, ok: false });
    expect(stdout + stderr).not.toContain("canary-pw");
  });

  test("files that others may read, and keys that end with the process, are warned of", async () => {
    const state = join(folder.path, "open-state");
    mkdirSync(join(state, "db-agent"), { recursive: true });
    writeFileSync(join(state, "db-agent", "history"), "SELECT 1\n");
    chmodSync(join(state, "db-agent", "history"), 0o644);
    const { code, of } = await examine(["--offline", "--store", "file"], { XDG_STATE_HOME: state });
    expect(of("history")).toMatchObject({ status: "warning", remedy: expect.stringContaining("chmod") });
    expect(of("store")).toMatchObject({ status: "warning", remedy: expect.stringContaining("MCP_KEYS") });
    expect(code).toBe(0);
  });
});

test("on a terminal it says what the terminal can do", async () => {
  await using terminal = await openTerminal(["doctor", "--offline"], { environment: { HOME: folder.path } });
  await terminal.shows(/terminal: 100 × 50, \S+, \d+ bits of colour/);
  await terminal.shows(/\d+ in order, \d+ to look at, 0 that do not work/);
  await terminal.shows("exit=0");
});
