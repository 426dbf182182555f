/** `db-agent notes`: files only their owner reads, changed line by line or in an editor, and approved questions. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 120_000 });
const folder = temporaryFolder();
const environment = { DB_AGENT_KNOWLEDGE: folder.path };
afterAll(() => folder[Symbol.dispose]());
const notes = (args: readonly string[], changed = {}, input = "") =>
  runAgent(["notes", ...args], { environment: { ...environment, ...changed }, input });

test("notes are added, shown, removed by their words and edited; only their owner reads them", async () => {
  expect((await notes(["shop"])).stderr).toContain("There are no notes of shop");
  await notes(["shop", "add", "Revenue counts paid orders"]);
  await notes(["shop", "add", "-"], {}, "Amounts are in EUR\n");
  expect((await notes(["shop"])).stdout).toBe("- Revenue counts paid orders\n- Amounts are in EUR\n");
  expect(statSync(join(folder.path, "shop", "notes.md")).mode & 0o777).toBe(0o600);
  const several = await notes(["shop", "remove", "a"]);
  expect({ code: several.code, stderr: several.stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining("2 lines have these words"),
  });
  expect((await notes(["shop", "remove", "nowhere"])).stderr).toContain("[note_unknown]");
  await notes(["shop", "remove", "eur"]);
  await notes(["shop", "edit"], { EDITOR: "sed -i s/paid/settled/" });
  expect(readFileSync(join(folder.path, "shop", "notes.md"), "utf8")).toBe("- Revenue counts settled orders\n");
  expect((await notes([])).stdout).toBe("shop\n");
});

test("long notes are edited whole, though models see the beginning only", async () => {
  const lines = Array.from({ length: 400 }, (_, index) => `- line ${index} of what is known of this database\n`).join(
    "",
  );
  mkdirSync(join(folder.path, "long"));
  writeFileSync(join(folder.path, "long", "notes.md"), lines);
  await notes(["long", "edit"], { EDITOR: "sed -i s/^-/*/" });
  expect(readFileSync(join(folder.path, "long", "notes.md"), "utf8")).toBe(lines.replaceAll(/^-/gm, "*"));
  expect((await notes(["long"])).stderr).toContain("Models see the first 12000 characters");
});

test("approved questions are kept once each, listed and forgotten by number", async () => {
  await notes(["hr", "keep", "How many?", "SELECT 1"]);
  await notes(["hr", "keep", "Who?", "SELECT 2"]);
  await notes(["hr", "keep", "How many?", "SELECT 3"]);
  const listed = async () => JSON.parse((await notes(["hr", "examples", "-o", "json"])).stdout);
  expect(await listed()).toEqual([
    { question: "Who?", sql: "SELECT 2" },
    { question: "How many?", sql: "SELECT 3" },
  ]);
  expect((await notes(["hr", "forget", "3"])).code).toBe(1);
  await notes(["hr", "forget", "1"]);
  expect(await listed()).toEqual([{ question: "How many?", sql: "SELECT 3" }]);
});

test("a name is no path, a file's escapes are shown, and what is missing is said", async () => {
  mkdirSync(join(folder.path, "odd"));
  writeFileSync(join(folder.path, "odd", "notes.md"), "clear\u001b[2J\n");
  expect((await notes(["odd"])).stdout).toBe("clear\\u001b[2J\n");
  await notes(["../../outside", "add", "x"]);
  expect((await notes([])).stdout).toContain("______outside\n");
  expect(await notes(["odd", "keep", "only a question"])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("keep needs the statement"),
  });
});
