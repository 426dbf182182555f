/** What is sealed opens at its own place with its own key, and nowhere else; the ring says what is wrong with a key. */
import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLog } from "../../mcp-core/src/host/log.js";
import { createKeyRing } from "../../mcp-gateway/src/vault/key-ring.js";
import { createVault, type Vault } from "../../mcp-gateway/src/vault/vault.js";

const key = (kid: string, fill: number): string => `${kid}:${Buffer.alloc(32, fill).toString("base64")}`;

function open(keys: string, passphrase?: string): Vault & { log(): string } {
  const stream = new PassThrough();
  let log = "";
  stream.on("data", (chunk: Buffer) => {
    log += chunk;
  });
  const vault = createVault(createKeyRing({ keys, passphrase }), { log: createLog({ name: "test", stream }) });
  return Object.assign(vault, { log: () => log });
}

const place = { record: "r", field: "f", reference: "secret" };
const refusal = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error;
  }
};

test("any text opens again at its place, never twice as the same bytes, and shows nothing of itself", () => {
  const vault = open(key("k1", 1));
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const sealed = vault.seal(text, place);
      expect(vault.open(sealed, place)).toEqual({ text: Buffer.from(text).toString(), isCurrent: true });
      expect(vault.seal(text, place)).not.toBe(sealed);
      if (text.length > 8) expect(sealed).not.toContain(Buffer.from(text).toString("base64url").slice(0, 8));
    }),
  );
});

test.each<[string, object]>([
  ["another record", { record: "x" }],
  ["another field", { field: "x" }],
  ["another reference", { reference: "x" }],
  ["no reference", { reference: undefined }],
])("it does not open for %s", (_name, other) => {
  const vault = open(key("k1", 1));
  const sealed = vault.seal("canary", place);
  expect(refusal(() => vault.open(sealed, { ...place, ...other }))).toMatchObject({ code: "record_damaged" });
});

test("a change of any of its characters is noticed, and the text is in no error and no log", () => {
  const vault = open(key("k1", 1));
  const sealed = vault.seal("canary", place);
  for (let index = 0; index < sealed.length; index++) {
    const other = sealed[index] === "A" ? "B" : "A";
    const changed = sealed.slice(0, index) + other + sealed.slice(index + 1);
    const error = refusal(() => vault.open(changed, place));
    expect(error).toMatchObject({ code: expect.stringMatching(/^(record_damaged|key_unknown)$/) });
    expect(`${JSON.stringify(error)}${error}`).not.toContain("canary");
  }
  for (const broken of [
    "",
    ".",
    "v1",
    "v1.k1",
    "v1.k1.",
    "v1.k1.AAAA",
    `${sealed}.x`,
    `${sealed}A`,
    `${sealed}=`,
    `${sealed} `,
    sealed.slice(0, -4),
  ])
    expect(refusal(() => vault.open(broken, place))).toMatchObject({ code: "record_damaged" });
  expect(vault.log()).not.toContain("canary");
});

describe("a ring", () => {
  test("seals with its first key, opens with all, and says what should be sealed again", () => {
    const [older, both, newer] = [open(key("k1", 1)), open(`${key("k2", 2)},${key("k1", 1)}`), open(key("k2", 2))];
    const old = older.seal("x", place);
    expect(both.open(old, place)).toEqual({ text: "x", isCurrent: false });
    const renewed = both.seal("x", place);
    expect(newer.open(renewed, place)).toEqual({ text: "x", isCurrent: true });
    expect(refusal(() => newer.open(old, place))).toMatchObject({ code: "key_unknown" });
    expect(newer.log()).toContain('"kid":"k1"');
    expect(both.namesOf("a", "b")).toEqual([newer.namesOf("a", "b")[0], older.namesOf("a", "b")[0]]);
    expect(both.namesOf("a", "b")[0]).not.toBe(both.namesOf("ab")[0]);
  });

  test("of another key with the same name opens nothing", () => {
    const sealed = open(key("k1", 1)).seal("x", place);
    expect(refusal(() => open(key("k1", 2)).open(sealed, place))).toMatchObject({ code: "record_damaged" });
  });

  test("of a passphrase is the same in every process, stands behind listed keys, and is known by another name for another one", () => {
    const sealed = open("", "correct horse battery").seal("x", place);
    expect(open(key("k1", 1), "correct horse battery").open(sealed, place)).toEqual({ text: "x", isCurrent: false });
    expect(refusal(() => open("", "correct horse batterx").open(sealed, place))).toMatchObject({ code: "key_unknown" });
  });

  test("of nothing is random and does not last", () => {
    const [one, other] = [open(""), open("")];
    expect([one.isLasting, open(key("k1", 1)).isLasting]).toEqual([false, true]);
    expect(refusal(() => other.open(one.seal("x", place), place))).toMatchObject({ code: "key_unknown" });
  });

  const secret = randomBytes(31).toString("base64");
  test.each<[string, { keys?: string; passphrase?: string }, RegExp]>([
    ["too short", { keys: `${key("k1", 1)},k2:${secret}` }, /key k2 .*31 bytes/],
    ["not base64", { keys: `k1:${secret.slice(0, 20)}*${secret}` }, /key k1 .*base64/],
    ["without a name", { keys: `${key("k1", 1)},${secret}` }, /Key 2 /],
    ["with a bad name", { keys: `k 1:${secret}` }, /Key 1 /],
    ["twice", { keys: `${key("k1", 1)},${key("k1", 2)}` }, /two keys named k1/],
    ["a short passphrase", { passphrase: "short-canary".slice(0, 11) }, /12 characters/],
  ])("%s: the key is named, never shown", (_name, settings, expected) => {
    const error = refusal(() => createKeyRing(settings));
    expect(error).toMatchObject({ code: "config_invalid", message: expect.stringMatching(expected) });
    expect(`${error}${JSON.stringify(error)}`).not.toContain(secret.slice(0, 12));
  });
});
