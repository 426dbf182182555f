/** The sealed checkpointer: LangGraph's own validation suite on every store, and what must not be readable in one. */
import { randomBytes, randomUUID } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { emptyCheckpoint } from "@langchain/langgraph-checkpoint";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from "vitest";
import { SealedCheckpointer } from "../../agent/src/checkpoint.js";
import { openStore, type SessionStore } from "../../agent/src/store/open-store.js";
import { open, readKeys, seal } from "../../agent/src/store/seal.js";
import { redisUrl } from "../support/services.js";
import { temporaryFolder } from "./support.js";

Object.assign(globalThis, { describe, it, test, expect, beforeAll, afterAll, beforeEach, afterEach }); // the suite's own way
const { validate } = await import("@langchain/langgraph-checkpoint-validation");

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());
const newKey = (id: string): string => `${id}:${randomBytes(32).toString("base64")}`;
const keys = readKeys({ MCP_KEYS: newKey("k1") });
const stores: Readonly<Record<string, () => string>> = {
  memory: () => "memory",
  file: () => `file:${join(folder.path, randomUUID())}`,
  Redis: redisUrl,
};

for (const [name, word] of Object.entries(stores)) {
  let opened: SessionStore;
  validate({
    checkpointerName: `sealed checkpointer over ${name}`,
    async createCheckpointer() {
      opened = await openStore(word(), {});
      return new SealedCheckpointer(opened, keys);
    },
    async destroyCheckpointer(checkpointer) {
      for (const { thread } of await checkpointer.threads()) await checkpointer.deleteThread(thread);
      await opened[Symbol.asyncDispose]();
    },
  });
}

describe("a sealed text", () => {
  const place = { thread: "t", field: "f" };
  test("opens with any key of the ring, at its own place, and nowhere else", () => {
    const [older, newer] = [newKey("older"), newKey("newer")];
    const sealed = seal("the text", place, readKeys({ MCP_KEYS: older }));
    expect(sealed).not.toContain("text");
    expect(open(sealed, place, readKeys({ MCP_KEYS: `${newer},${older}` }))).toBe("the text");
    for (const elsewhere of [
      { ...place, thread: "u" },
      { ...place, field: "g" },
    ]) {
      expect(() => open(sealed, elsewhere, readKeys({ MCP_KEYS: older }))).toThrow(/does not open/);
    }
    expect(() => open(sealed, place, readKeys({ MCP_KEYS: newer }))).toThrow(/does not open/);
    const at = sealed.length - 3;
    const changed = `${sealed.slice(0, at)}${sealed[at] === "A" ? "B" : "A"}${sealed.slice(at + 1)}`;
    expect(() => open(changed, place, readKeys({ MCP_KEYS: older }))).toThrow(/does not open/);
  });

  test("opens with the same passphrase in another process, and with no other", () => {
    const sealed = seal("x", place, readKeys({ MCP_PASSPHRASE: "correct horse battery" }));
    expect(open(sealed, place, readKeys({ MCP_PASSPHRASE: "correct horse battery" }))).toBe("x");
    expect(() => open(sealed, place, readKeys({ MCP_PASSPHRASE: "wrong horse battery" }))).toThrow(/does not open/);
    expect(readKeys({}).isLasting).toBe(false);
  });

  test.each([["k1"], ["k1:AAAA"], ["k1:secretsecret,k2:"], [`${newKey("a")},${newKey("a")}`], [":AAAA"]])(
    "a key that is none is refused without being shown: %#",
    (list) => {
      expect(() => readKeys({ MCP_KEYS: list })).toThrow(expect.objectContaining({ code: "config_invalid" }));
      expect(() => readKeys({ MCP_KEYS: list })).not.toThrow(/secretsecret|AAAA/);
    },
  );
});

test("a folder is its owner's alone, and shows neither reference ids nor states", async () => {
  const path = join(folder.path, "owned");
  await using store = await openStore(`file:${path}`, {});
  const saver = new SealedCheckpointer(store, keys);
  const checkpoint = { ...emptyCheckpoint(), channel_values: { text: "canary-value" } };
  const config = { configurable: { thread_id: "canary-thread", checkpoint_ns: "" } };
  await saver.put(config, checkpoint, { source: "update", step: 0, parents: {} }, { text: 1 });
  expect((await saver.getTuple(config))?.checkpoint.channel_values).toEqual({ text: "canary-value" });
  const files = readdirSync(path, { recursive: true, encoding: "utf8" }).map((name) => join(path, name));
  expect(files.map((file) => statSync(file).mode & 0o077)).toEqual(files.map(() => 0));
  const contents = files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file, "utf8"));
  expect(contents.length).toBe(2);
  expect(contents.join()).not.toMatch(/canary/);
});

test("Redis away is said within seconds, without the password of its URL", async () => {
  const failure = await openStore("redis://:hush@127.0.0.1:1", {}).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "store_unreachable", retryable: true });
  expect(String(failure)).not.toContain("hush");
});
