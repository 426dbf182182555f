/** Results that are hard to write, from real databases to every format: many columns, and text of all kinds. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openTerminal, runAgent, withoutPassword } from "./support.js";

const engines = { PostgreSQL: createPostgresDatabase, MariaDB: createMysqlDatabase } as const;

const texts = {
  arabic: "السلام عليكم",
  hebrew: "שלום (עולם)",
  override: "abc\u202edcb\u202c",
  emoji: "👩‍👩‍👧‍👦 👍🏽 🇩🇪 ❤️",
  cjk: "李小龍 ｶﾀｶﾅ ＡＢ",
  combining: "e\u0301 a\u0308\u0323 \u200b",
  controls: "a\tb\nc\r\nd\u001b[31mred\u0007\u0008",
  markup: "<b>|\\|`*_\"';--",
} as const;
const names = Object.keys(texts);

describe.each(Object.entries(engines))("%s", (engine, create) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await create();
  });
  afterAll(() => database?.[Symbol.asyncDispose]());
  function query(sql: string, ...args: string[]) {
    const { url, environment } = withoutPassword(database.url);
    return runAgent(["query", "-", url, "-q", ...args], { environment, input: sql });
  }

  /** As many as PostgreSQL has in a result, and as one reply of a server holds. */
  const width = 1_600;
  const wide = `SELECT ${Array.from({ length: width }, (_, n) => `${n} AS c${n}`).join(", ")}`;

  test.each(["table", "vertical", "csv", "json", "jsonl", "markdown"])(
    "sixteen hundred columns, as %s",
    async (format) => {
      const { code, stdout, stderr } = await query(wide, "-o", format, "--max-rows", "5");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const last = width - 1;
      if (format === "json" || format === "jsonl") {
        const parsed: unknown = JSON.parse(stdout);
        expect([parsed].flat()).toEqual([Object.fromEntries(Array.from({ length: width }, (_, n) => [`c${n}`, n]))]);
      } else if (format === "csv") {
        const [head, row] = stdout.split("\r\n").map((line) => line.split(","));
        expect([head?.length, row?.length, head?.at(-1), row?.at(-1)]).toEqual([
          width,
          width,
          `c${last}`,
          String(last),
        ]);
      } else {
        expect(stdout).toContain(`c${last}`);
        expect(stdout.match(/\b\d+\b/g)?.length).toBeGreaterThanOrEqual(width);
      }
    },
  );

  test("sixteen hundred columns on a terminal of twenty", async () => {
    await database.run(`CREATE VIEW wide AS ${wide}`);
    const { url, environment } = withoutPassword(database.url);
    await using terminal = await openTerminal(["query", "SELECT * FROM wide", url, "-q"], { columns: 20, environment });
    const screen = await terminal.shows("exit=0");
    expect(screen).toContain(`c${width - 1}`);
    for (const line of screen.split("\n")) expect([...line].length, line).toBeLessThanOrEqual(20);
  });

  const hex = (text: string): string => Buffer.from(text).toString("hex");
  const literal = (text: string): string =>
    engine === "PostgreSQL" ? `convert_from('\\x${hex(text)}', 'UTF8')` : `CONVERT(x'${hex(text)}' USING utf8mb4)`;
  const hard = `SELECT ${Object.entries(texts)
    .map(([name, text]) => `${literal(text)} AS ${name}`)
    .join(", ")}`;

  test("text of all kinds is exact in formats for programs", async () => {
    const json = await query(hard, "-o", "json");
    expect(JSON.parse(json.stdout)).toEqual([texts]);
    const jsonl = await query(hard, "-o", "jsonl");
    expect(JSON.parse(jsonl.stdout)).toEqual(texts);
    const csv = await query(hard, "-o", "csv");
    expect(csv.stdout).toBe(`${names.join(",")}\r\n${Object.values(texts).map(toCsv).join(",")}\r\n`);
  });

  test.each(["table", "vertical", "markdown"])(
    "text of all kinds neither moves the cursor nor turns the line, as %s",
    async (format) => {
      const { code, stdout } = await query(hard, "-o", format);
      expect(code).toBe(0);
      for (const text of [texts.arabic, texts.hebrew, texts.emoji, texts.cjk]) expect(stdout).toContain(text);
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      expect(stdout).toMatch(/\\u001b\\?\[31mred/);
      expect(stdout).toContain("\\u202e");
    },
  );
});

test("a row that no reply can hold is refused, with its size and what to do", async () => {
  await using database = await createMysqlDatabase();
  const input = `SELECT ${Array.from({ length: 4_096 }, (_, n) => `${n} AS c${n}`).join(", ")}`;
  const { url, environment } = withoutPassword(database.url);
  const { code, stdout, stderr } = await runAgent(["query", "-", url, "-q"], { environment, input });
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/One row of 4096 columns does not fit 65536 bytes[\s\S]*Select fewer columns/);
});

const toCsv = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
