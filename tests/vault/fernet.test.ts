/** Fernet tokens open as their specification's vectors say, and as Python's `cryptography` 48 does. */
import { expect, test } from "vitest";
import { openFernet, parseFernetKey } from "../../mcp-gateway/src/vault/fernet.js";

const secret = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const key = parseFernetKey(secret);
if (key === undefined) throw new Error("it is the specification's key");
const token = "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
const madeAt = Date.parse("1985-10-26T01:20:00-07:00");
const at = (seconds: number) => ({ maxAgeMs: 60_000, now: () => madeAt + seconds * 1_000 });

test("the specification's token opens within its time, whatever the padding of its base64", () => {
  for (const one of [token, token.replaceAll("=", "")]) expect(openFernet(one, key)).toBe("hello");
  for (const seconds of [-60, 0, 1, 60]) expect(openFernet(token, key, at(seconds))).toBe("hello");
});

test.each<[string, string]>([
  ["another mac", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ=="],
  ["too short", "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA=="],
  ["no base64", "%%%%%%%%%%%%%AECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkRVzXTuGb4hR8AKtwcaX1YdykRtfsH-p1YsUD2Q=="],
  ["no whole blocks", "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0OD0FBQUFBQUFBQUFBQUFBQUFBWyCp9t6vnvBNIXDgYQtJU4BM0_ACWxcI39ZIYg7nbMI="],
  ["no padding", "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0OD0FBQUFBQUFBQUFBQUFBQUFOhDoKnVUrVrOgNMVRnGK981PNwyMNUzX3rSJA6R89Lg=="],
  ["another version", "gQAAAAAdwJ6wAAECAwQFBgcICQoLDA0OD0FBQUFBQUFBQUFBQUFBQUHQxFdvrZWSW7k1mQchbXN2v4Cqfz5wt1pNKiq6KMiT6A=="],
  ["nothing", ""],
])("a token with %s opens not", (_name, broken) => {
  expect(openFernet(broken, key)).toBeUndefined();
}); // biome-ignore format: a table

test("a token that is too old or from the future opens not, where age matters", () => {
  for (const seconds of [61, -61]) expect(openFernet(token, key, at(seconds))).toBeUndefined();
});

test("a change of any of its characters is noticed", () => {
  for (let index = 0; index < token.length - 3; index++) {
    const changed = token.slice(0, index) + (token[index] === "A" ? "B" : "A") + token.slice(index + 1);
    expect(openFernet(changed, key)).toBeUndefined();
  }
});

test.each(["", "short", secret.slice(1), `${secret.slice(0, 20)}*${secret.slice(21)}`])("%j is no key", (text) => {
  expect(parseFernetKey(text)).toBeUndefined();
});
