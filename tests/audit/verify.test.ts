/** A damaged trail is found out, and the first line that is not what was written is named. */
import { createHash } from "node:crypto";
import { appendFile, copyFile, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { verifyAudit } from "../../mcp-core/src/host/audit/verify.js";
import { changeLines, filesIn, openFolder, writeTrail } from "./folders.js";

const first = "test-server.001.00000001.jsonl";
const head = "test-server.001.head";
const key = "a key of more than sixteen characters";

/** A line that says something else, with a hash of its own that fits. */
function rehash(line: string, change: (text: string) => string): string {
  const text = change(`${line.slice(0, line.lastIndexOf(',"hash"'))}}`);
  return `${text.slice(0, -1)},"hash":"${createHash("sha256").update(text).digest("hex")}"}`;
}

test("a whole trail is whole, with and without a key", async () => {
  for (const given of [undefined, key]) {
    await using folder = await openFolder();
    await writeTrail(folder.path, 20, { key: given });
    const [report, ...others] = await verifyAudit(folder.path, { key: given });
    expect(others).toEqual([]);
    expect(report).toMatchObject({ chain: "test-server.001", files: 1, records: 22, breach: undefined });
  }
});

// line 1 is the header, line n + 1 the call n, line 22 the end
const damages: [string, (lines: string[]) => string[], { kind: string; line: number }][] = [
  ["an edited line", (l) => l.with(5, (l[5] ?? "").replace('"call":5', '"call":6')), { kind: "edited", line: 6 }],
  ["an edited last line", (l) => l.with(-1, (l.at(-1) ?? "").replace("close", "clone")), { kind: "edited", line: 22 }],
  ["an edited header", (l) => l.with(0, (l[0] ?? "").replace("1.0.0", "1.0.1")), { kind: "edited", line: 1 }],
  [
    "a line edited together with its hash",
    (l) =>
      l.with(
        5,
        rehash(l[5] ?? "", (text) => text.replace('"call":5', '"call":6')),
      ),
    { kind: "edited", line: 6 },
  ],
  [
    "the last line edited together with its hash",
    (l) =>
      l.with(
        -1,
        rehash(l.at(-1) ?? "", (text) => text.replace("close", "clone")),
      ),
    { kind: "edited", line: 22 },
  ],
  ["a deleted line", (l) => l.toSpliced(7, 1), { kind: "deleted", line: 8 }],
  ["three deleted lines", (l) => l.toSpliced(7, 3), { kind: "deleted", line: 8 }],
  ["a deleted header", (l) => l.slice(1), { kind: "edited", line: 1 }],
  [
    "two lines in each other's place",
    (l) => l.with(9, l[10] ?? "").with(10, l[9] ?? ""),
    { kind: "reordered", line: 10 },
  ],
  ["a line moved to the end", (l) => [...l.toSpliced(9, 1), l[9] ?? ""], { kind: "reordered", line: 10 }],
  ["a line twice", (l) => l.toSpliced(9, 0, l[9] ?? ""), { kind: "reordered", line: 11 }],
  ["a line cut off the end", (l) => l.slice(0, -1), { kind: "truncated", line: 22 }],
  ["five lines cut off the end", (l) => l.slice(0, -5), { kind: "truncated", line: 18 }],
  ["a line of nonsense", (l) => l.toSpliced(4, 0, "{}"), { kind: "edited", line: 5 }],
  ["an empty line", (l) => l.toSpliced(4, 0, ""), { kind: "edited", line: 5 }],
  ["a key twice in a line", (l) => l.with(5, (l[5] ?? "").replace("{", '{"call":7,')), { kind: "edited", line: 6 }],
];

test.each(damages)("%s is named", async (_what, change, breach) => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 20);
  await changeLines(join(folder.path, first), change);
  const [report] = await verifyAudit(folder.path);
  expect(report?.breach).toMatchObject({ file: first, ...breach });
});

test("a chain written anew from a line on does not fit its anchor", async () => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 20);
  await changeLines(join(folder.path, first), (lines) => {
    let previous = "";
    return lines.map((line, index) => {
      const written = rehash(line, (text) => {
        const changed = index === 5 ? text.replace('"call":5', '"call":6') : text;
        return previous === "" ? changed : changed.replace(/"previous":"[0-9a-f]*"/, `"previous":"${previous}"`);
      });
      previous = /"hash":"([0-9a-f]*)"\}$/.exec(written)?.[1] ?? "";
      return written;
    });
  });
  expect((await verifyAudit(folder.path))[0]?.breach).toMatchObject({ kind: "edited", line: 22 });
});

test("a file that is missing, renamed or replaced is named", async () => {
  const damage: [(folder: string, files: string[]) => Promise<void>, { kind: string; file: string }][] = [
    [(folder, [one = ""]) => rm(join(folder, one)), { kind: "deleted", file: "test-server.001.00000001.jsonl" }],
    [(folder, [, two = ""]) => rm(join(folder, two)), { kind: "deleted", file: "test-server.001.00000002.jsonl" }],
    [
      (folder, files) => rm(join(folder, files.at(-1) ?? "")),
      { kind: "truncated", file: "test-server.001.00000003.jsonl" },
    ],
    [
      (folder, [, two = "", three = ""]) => copyFile(join(folder, two), join(folder, three)),
      { kind: "reordered", file: "test-server.001.00000003.jsonl" },
    ],
    [
      (folder, files) => rename(join(folder, files.at(-1) ?? ""), join(folder, "test-server.001.00000009.jsonl")),
      { kind: "deleted", file: "test-server.001.00000004.jsonl" },
    ],
    [(folder) => rm(join(folder, head)), { kind: "unproved", file: head }],
  ];
  for (const [act, breach] of damage) {
    await using folder = await openFolder();
    await writeTrail(folder.path, 50, { maxFileBytes: 4_096 });
    const files = await filesIn(folder.path);
    expect(files.length).toBe(4);
    await act(folder.path, files);
    expect((await verifyAudit(folder.path))[0]?.breach).toMatchObject(breach);
  }
});

test("older files may be put elsewhere, where one says so", async () => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 50, { maxFileBytes: 4_096 });
  const [one = ""] = await filesIn(folder.path);
  await rm(join(folder.path, one));
  expect((await verifyAudit(folder.path, { isPartial: true }))[0]?.breach).toBeUndefined();
});

test("with a key, an anchor that was moved back, stripped or made with another key is no proof", async () => {
  const damage: [(folder: string) => Promise<void>, string][] = [
    [
      async (folder) => {
        const lines = (await readFile(join(folder, first), "utf8")).split("\n").slice(0, 10);
        const { sequence, hash } = JSON.parse(lines.at(-1) ?? "");
        await writeFile(join(folder, first), `${lines.join("\n")}\n`);
        await writeFile(join(folder, head), JSON.stringify({ sequence, hash, isClosed: false }));
      },
      "unproved",
    ],
    [
      async (folder) => {
        const { sequence, hash, hmac } = JSON.parse(await readFile(join(folder, head), "utf8"));
        await writeFile(join(folder, head), JSON.stringify({ sequence, hash, isClosed: false, hmac }));
      },
      "unproved",
    ],
  ];
  for (const [act, kind] of damage) {
    await using folder = await openFolder();
    await writeTrail(folder.path, 20, { key });
    await act(folder.path);
    expect((await verifyAudit(folder.path, { key }))[0]?.breach?.kind).toBe(kind);
  }
  await using folder = await openFolder();
  await writeTrail(folder.path, 20, { key });
  expect((await verifyAudit(folder.path, { key: "another key of sixteen" }))[0]?.breach?.kind).toBe("unproved");
  const [unchecked] = await verifyAudit(folder.path);
  expect(unchecked?.breach).toBeUndefined();
  expect(unchecked?.notes.join()).toContain("not checked");
});

test("records added after the writer's end are named", async () => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 3);
  const path = join(folder.path, first);
  const last = JSON.parse((await readFile(path, "utf8")).trim().split("\n").at(-1) ?? "");
  const text = JSON.stringify({ sequence: last.sequence + 1, event: "call", previous: last.hash });
  await appendFile(path, `${text.slice(0, -1)},"hash":"${createHash("sha256").update(text).digest("hex")}"}\n`);
  expect((await verifyAudit(folder.path))[0]?.breach).toMatchObject({ kind: "added", line: 6 });
});

test("a torn line is told from a damaged one", async () => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 3);
  const path = join(folder.path, first);
  await appendFile(path, '{"sequence":6,"ti');
  const [torn] = await verifyAudit(folder.path);
  expect(torn?.breach).toBeUndefined();
  expect(torn?.notes.join()).toContain(`${first}:6 is torn`);
  await truncate(path, (await readFile(path)).length - 40);
  expect((await verifyAudit(folder.path))[0]?.breach).toMatchObject({ kind: "truncated", line: 5 });
});
