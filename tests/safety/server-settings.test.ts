/**
 * However a server, a role or a database is set up to read SQL — modes, escapes, character sets in which a backslash or
 * quote is half a letter — a statement means what it means to us: run correctly or refused. On servers of their own.
 */
import type { Instance } from "@database-interface/mcp-core/sample";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database, Parameter } from "../../mcp-core/src/sql/database.js";
import { answerOf, openSource as openMysql } from "../mysql/open.js";
import { codeOf, collect, openSource as openPostgres } from "../postgres/open.js";
import { runOn, startMariadb } from "../support/mariadb-instances.js";
import { startPostgres } from "../support/postgres-standby.js";

/** A statement and its first cell, or the code of its refusal. */
type Probe = readonly [sql: string, params: readonly Parameter[], cell: string | { readonly code: string }];

/** Second bytes of these are backslashes or quotes in Shift JIS, Big5, GBK or Johab. */
const tricky = "ソ表能構功許縗\u5C5C誠";
const hidden = "'; DELETE FROM canary; -- ";

type Read = (
  source: Database,
  sql: string,
  params: readonly Parameter[],
) => Promise<{ readonly rows: readonly (readonly unknown[])[] }>;

async function probeAll(source: Database, read: Read, probes: readonly Probe[]): Promise<void> {
  for (const [sql, params, expected] of probes) {
    const reading = read(source, sql, params);
    if (typeof expected === "string") expect((await reading).rows[0]?.[0], sql).toBe(expected);
    else expect({ code: await codeOf(reading) }, sql).toEqual(expected);
  }
}

describe("MariaDB", () => {
  let server: Instance;
  beforeAll(async () => {
    server = await startMariadb();
    await runOn(server, "CREATE TABLE test.canary (v INT)");
    await runOn(server, "INSERT INTO test.canary VALUES (7)");
    // No SUPER: init_connect is for this one.
    await runOn(server, "CREATE USER plain@'%' IDENTIFIED BY 'plain'");
    await runOn(server, "GRANT SELECT ON *.* TO plain@'%'");
    for (const charset of ["gbk", "big5", "sjis", "cp932", "ucs2", "latin1"]) {
      await runOn(server, `CREATE DATABASE in_${charset} CHARACTER SET ${charset}`);
      await runOn(server, `CREATE TABLE in_${charset}.canary (v INT, t VARCHAR(50))`);
      await runOn(server, `INSERT INTO in_${charset}.canary VALUES (7, 'a''b\\\\')`);
    }
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const probes: readonly Probe[] = [
    [String.raw`SELECT 'a\'; DELETE FROM canary; -- '`, [], `a${hidden}`],
    [String.raw`SELECT "a\"; DELETE FROM canary; -- "`, [], `a"${hidden.slice(1)}`],
    [String.raw`SELECT 'a\\'`, [], "a\\"],
    [String.raw`SELECT 'a\\'; DELETE FROM canary; -- '`, [], { code: "multiple_statements" }],
    [String.raw`SELECT 'a\'`, [], { code: "syntax_error" }],
    [`SELECT "v" FROM canary`, [], "v"],
    ["SELECT `v` FROM canary", [], "7"],
    [`SELECT '${tricky}'`, [], tricky],
    [`SELECT '${tricky}\\'${hidden}'`, [], { code: "multiple_statements" }],
    [`SELECT HEX('ソ')`, [], "E382BD"],
    ["SELECT ?", [`${tricky}\\${hidden}`], `${tricky}\\${hidden}`],
    ["SELECT COUNT(*) FROM canary WHERE 'x' = ?", ["' OR '1' = '1"], "0"],
    ["SELECT 1 -- x", [], "1"],
    ["SELECT 2 --1", [], "3"],
    ["SELECT 1 /*! ; DELETE FROM canary */", [], { code: "not_allowed" }],
    ["SELECT (SELECT COUNT(*) FROM canary) + v FROM canary", [], "8"],
    ["BEGIN DELETE FROM canary; END", [], { code: "multiple_statements" }],
  ];

  const modes = [
    "ANSI_QUOTES",
    "NO_BACKSLASH_ESCAPES",
    "ORACLE",
    "PIPES_AS_CONCAT",
    "IGNORE_SPACE",
    "MSSQL",
    "ANSI,NO_BACKSLASH_ESCAPES",
  ];
  const settings: readonly (readonly [title: string, sql: string, database: string])[] = [
    ...modes.map((mode) => [`sql_mode ${mode}, globally`, `SET GLOBAL sql_mode = '${mode}'`, "test"] as const),
    ...modes.map(
      (mode) =>
        [`sql_mode ${mode}, by init_connect`, `SET GLOBAL init_connect = "SET sql_mode = '${mode}'"`, "test"] as const,
    ),
    ...["gbk", "big5", "sjis", "latin1", "binary"].map(
      (charset) =>
        [
          `the connection in ${charset}, by init_connect`,
          `SET GLOBAL init_connect = "SET NAMES ${charset}"`,
          "test",
        ] as const,
    ),
    ...["gbk", "big5", "cp932", "ucs2"].map(
      (charset) => [`the server in ${charset}`, `SET GLOBAL character_set_server = ${charset}`, "test"] as const,
    ),
    ...["gbk", "big5", "sjis", "cp932", "ucs2", "latin1"].map(
      (charset) => [`a database in ${charset}`, "DO 0", `in_${charset}`] as const,
    ),
    [
      "writing and no limits, by init_connect",
      'SET GLOBAL init_connect = "SET SESSION tx_read_only = 0, max_statement_time = 0, autocommit = 0"',
      "test",
    ],
  ];

  test.each(settings)("%s", async (_title, sql, database) => {
    const before = await runOn(server, "SELECT @@global.sql_mode AS mode, @@global.character_set_server AS charset");
    await runOn(server, sql);
    try {
      for (const login of [`root:${server.password}`, "plain:plain"]) {
        await using source = openMysql(`mysql://${login}@127.0.0.1:${server.port}/${database}`, { poolSize: 1 });
        await probeAll(source, answerOf, probes);
        // The same after a reset: the second call's session has been given back once.
        await probeAll(source, answerOf, probes.slice(0, 9));
      }
      await using own = openMysql(`mysql://plain:plain@127.0.0.1:${server.port}/${database}`);
      if (database !== "test") await probeAll(own, answerOf, [["SELECT v FROM canary WHERE t = 'a\\'b\\\\'", [], "7"]]);
      expect(await runOn(server, `SELECT v FROM ${database}.canary`)).toEqual([{ v: 7 }]);
    } finally {
      const [{ mode, charset } = {}] = before;
      await runOn(
        server,
        `SET GLOBAL sql_mode = '${mode}', GLOBAL character_set_server = ${charset}, GLOBAL init_connect = ''`,
      );
    }
  });
});

describe("PostgreSQL", () => {
  let server: Instance;
  const run = async (sql: string, database = "postgres") => {
    const own = postgres(server.url(database), { max: 1, onnotice: () => {} });
    try {
      return [...(await own.unsafe(sql))];
    } finally {
      await own.end({ timeout: 1 });
    }
  };
  const encodings = ["EUC_JP", "EUC_CN", "LATIN1", "WIN1251", "SQL_ASCII"];
  beforeAll(async () => {
    server = await startPostgres();
    await run("CREATE ROLE plain LOGIN PASSWORD 'plain'");
    for (const name of ["settings", ...encodings.map((encoding) => `in_${encoding.toLowerCase()}`)]) {
      const encoding = encodings.find((one) => name === `in_${one.toLowerCase()}`) ?? "UTF8";
      await run(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`);
      await run(
        `CREATE TABLE canary (v int); INSERT INTO canary VALUES (7); GRANT SELECT ON canary TO plain;
        CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO plain;
        CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_lock(1); RETURN $1; END'`,
        name,
      );
    }
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const ascii: readonly Probe[] = [
    [String.raw`SELECT 'a\'`, [], "a\\"],
    [String.raw`SELECT 'a\\'`, [], String.raw`a\\`],
    [String.raw`SELECT 'a\'; DELETE FROM canary; -- '`, [], { code: "multiple_statements" }],
    [String.raw`SELECT E'a\'; DELETE FROM canary; -- '`, [], `a${hidden}`],
    [String.raw`SELECT E'a\\'; DELETE FROM canary; -- '`, [], { code: "multiple_statements" }],
    [`SELECT $$a${hidden}$$`, [], `a${hidden}`],
    [String.raw`SELECT U&'\0061'`, [], "a"],
    ["SELECT $1::text", [`a\\${hidden}`], `a\\${hidden}`],
    ["SELECT count(*) FROM canary WHERE 'x' = $1", ["' OR '1' = '1"], "0"],
    ["SELECT date '2024-03-04', interval '1 day 2 hours', '\\x00ff'::bytea", [], "2024-03-04"],
    ["DELETE FROM canary", [], { code: "read_only" }],
    ["SELECT v FROM public.canary", [], "7"],
  ];
  const wide: readonly Probe[] = [
    [`SELECT '${tricky}'`, [], tricky],
    [`SELECT '${tricky}\\'${hidden}'`, [], `${tricky}\\${hidden}`],
    ["SELECT $1::text", [`${tricky}\\${hidden}`], `${tricky}\\${hidden}`],
  ];

  const settings: readonly (readonly [setting: string, value: string])[] = [
    ["standard_conforming_strings", "off"],
    ["backslash_quote", "on"],
    ...["SJIS", "BIG5", "GBK", "UHC", "GB18030", "JOHAB", "LATIN1", "SQL_ASCII"].map(
      (name) => ["client_encoding", name] as const,
    ),
    ["default_transaction_read_only", "off"],
    ["statement_timeout", "0"],
    ["DateStyle", "SQL, DMY"],
    ["IntervalStyle", "sql_standard"],
    ["bytea_output", "escape"],
    ["quote_all_identifiers", "on"],
    ["transform_null_equals", "on"],
    ["default_transaction_isolation", "serializable"],
    ["search_path", "evil, pg_catalog, public"],
  ];

  test.each(
    settings.flatMap(([name, value]) =>
      ["ALTER DATABASE settings", "ALTER ROLE plain"].map((where) => [where, name, value] as const),
    ),
  )("%s SET %s = %s", async (where, name, value) => {
    const written = name === "search_path" ? value : `'${value}'`;
    await run(`${where} SET ${name} = ${written}`);
    try {
      await using source = openPostgres(server.url("settings").replace(/\/\/[^@]*@/, "//plain:plain@"), 1);
      await probeAll(source, collect, [...ascii, ...wide]);
      await probeAll(source, collect, ascii.slice(0, 6));
      if (name === "search_path") expect(await codeOf(collect(source, "SELECT lower('A')"))).toBe("not_allowed");
      expect(await run("SELECT v FROM canary", "settings")).toEqual([{ v: 7 }]);
    } finally {
      await run(`${where} RESET ${name}`);
    }
  });

  test.each(encodings)("a database in %s", async (encoding) => {
    await using source = openPostgres(server.url(`in_${encoding.toLowerCase()}`), 1);
    await probeAll(source, collect, ascii);
    // What the encoding has no letter for is refused; what it has comes back as it went.
    const known =
      { EUC_JP: "ソ表能", EUC_CN: "功能", LATIN1: "Ünï", WIN1251: "привет", SQL_ASCII: tricky }[encoding] ?? "";
    await probeAll(source, collect, [
      [`SELECT '${known}'`, [], known],
      [`SELECT '${known}\\'${hidden}'`, [], `${known}\\${hidden}`],
      ["SELECT $1::text", [known], known],
    ]);
    if (encoding !== "SQL_ASCII") {
      expect(await codeOf(collect(source, "SELECT '😀'"))).toBe("parameter_invalid");
      expect(await codeOf(collect(source, "SELECT $1::text", ["😀"]))).toBe("parameter_invalid");
    }
    expect((await collect(source, "SELECT v FROM canary")).rows).toEqual([["7"]]);
  });
});
