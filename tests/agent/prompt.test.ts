/** What a person's hands expect of a prompt: history and its search, other programs, charts, files, watching. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { eventually, openTerminal, temporaryFolder } from "./support.js";

let database: TestDatabase;
const folder = temporaryFolder();

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(
    "CREATE TABLE visits (day date, n int); INSERT INTO visits VALUES ('2025-01-01', 3), ('2025-01-02', 6)",
  );
});
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** An executable of one line. */
function script(name: string, line: string): string {
  const file = join(folder.path, name);
  writeFileSync(file, `#!/bin/sh\n${line}\n`);
  chmodSync(file, 0o755);
  return file;
}

const open = (environment: Record<string, string> = {}, size: { columns?: number; rows?: number } = {}) =>
  openTerminal([`shop=${database.url}`], {
    environment: { XDG_STATE_HOME: folder.path, TMPDIR: folder.path, ...environment },
    ...size,
  });

test("statements come back whole: by Up, by Ctrl-R, and in the next session; keys pressed early wait", async () => {
  {
    await using terminal = await open();
    await terminal.shows("shop=>");
    await terminal.enter("SELECT 'first' AS a");
    await terminal.shows("…->");
    await terminal.enter("-- a comment");
    await terminal.enter(", 'second' AS b;");
    await terminal.shows(/first │ second/);
    await terminal.enter("SELECT pg_sleep(1), 'slow' AS c;");
    await terminal.enter("SELECT 'early' AS d;");
    expect(await terminal.shows(/early\s*\n\(1 row/)).toMatch(/slow\s*\n\(1 row[^\n]*\nshop=> SELECT 'early' AS d;/);
    for (const _ of "123") await terminal.press("Up");
    await terminal.shows(/-- a comment\n, 'second' AS b;\s*$/);
    await terminal.press("Enter");
    await terminal.shows(/first │ second[\s\S]*first │ second/);
  }
  await using terminal = await open();
  await terminal.shows("shop=>");
  await terminal.type("half");
  await terminal.press("C-r");
  await terminal.type("slo");
  await terminal.shows("(search slo) SELECT pg_sleep(1), 'slow' AS c;");
  await terminal.type("zzz");
  await terminal.shows("(nothing with slozzz)");
  await terminal.press("Escape");
  await terminal.shows(/shop=> half\s*$/);
  await terminal.press("C-c");
  await terminal.press("C-c");
  await terminal.shows("\\q or Ctrl-D leaves.");
  await terminal.press("C-r");
  await terminal.type("sec");
  await terminal.press("Enter");
  await terminal.shows(/first │ second/);
});

test("the last result: a chart, a file whole or not at all, shown again every second until Ctrl-C", async () => {
  await using terminal = await open();
  await terminal.shows("shop=>");
  await terminal.enter("\\chart");
  await terminal.shows("There is no result yet.");
  await terminal.enter("SELECT day, n FROM visits ORDER BY day;");
  await terminal.shows("(2 rows");
  await terminal.enter("\\chart");
  await terminal.shows(/2025-01-01 3 █+▏?[▎▍▌▋▊▉]?\n2025-01-02 6 █+/);
  await terminal.enter("\\chart spark");
  await terminal.shows("n ▁█ 3 … 6");

  const file = join(folder.path, "rows.csv");
  await terminal.enter("SELECT generate_series(1, 2500) AS n;");
  await terminal.shows("and there are more");
  await terminal.enter(`\\export ${file}`);
  await terminal.shows("2500 rows are in");
  expect(readFileSync(file, "utf8").split("\r\n")).toHaveLength(2_502);
  await terminal.enter(`\\export ${join(folder.path, "rows")} json`);
  await terminal.shows(/2500 rows are in[\s\S]*2500 rows are in/);
  expect(JSON.parse(readFileSync(join(folder.path, "rows"), "utf8"))).toHaveLength(2_500);
  await terminal.enter("SELECT 1 / (1500 - n) AS q FROM generate_series(1, 3000) n;");
  await terminal.shows(/more shows the next ones[\s\S]*more shows the next ones/);
  await terminal.enter(`\\export ${join(folder.path, "broken.csv")}`);
  await terminal.shows("Division by zero.");
  expect(existsSync(join(folder.path, "broken.csv"))).toBe(false);
  await terminal.enter("\\export /nowhere/rows.csv");
  await terminal.shows("[output_unwritable]");
  expect(readdirSync(folder.path).filter((name) => name.endsWith(".partial"))).toEqual([]);
  await terminal.enter("SELECT n FROM visits;");
  await terminal.shows(/\(2 rows[^\n]*\nshop=> *\n*$/);

  await terminal.enter("\\watch 0.3");
  await database.run("UPDATE visits SET n = 77 WHERE n = 6");
  await terminal.shows(/ 77\s*\n\(2 rows/);
  await terminal.press("C-c");
  await terminal.enter("SELECT 'over' AS watch;");
  await terminal.shows(/over\s*\n\(1 row/);
  await database.run("UPDATE visits SET n = 6 WHERE n = 77");
});

test("other programs have the terminal and give it back: the editor, the pager", async () => {
  const seen = join(folder.path, "paged");
  const editor = script("editor", `sed -i "s/edit me/edited/" "$1"`);
  const pager = script("pager", `cat > ${seen}; echo "paged $(wc -l < ${seen})"`);
  await using terminal = await open({ EDITOR: editor, VISUAL: "", PAGER: pager }, { rows: 20 });
  await terminal.shows("shop=>");
  await terminal.enter("SELECT 'edit me' AS word;");
  await terminal.shows(/edit me\s*\n\(1 row/);
  await terminal.enter("\\e");
  await terminal.shows(/shop=> SELECT 'edited' AS word;\s*$/);
  await terminal.press("Enter");
  await terminal.shows(/edited\s*\n\(1 row/);
  await terminal.enter("SELECT generate_series(1, 30) AS n;");
  await terminal.shows("paged 33");
  await terminal.enter("\\pager off");
  await terminal.enter("\\format jsonl");
  await terminal.enter("SELECT generate_series(1, 30) AS n;");
  await terminal.shows('{"n":30}');
  await eventually(
    () => !readdirSync(folder.path).some((name) => name.startsWith("db-agent-edit-")),
    "no text is left",
  );
  expect(existsSync(seen)).toBe(true);
});
