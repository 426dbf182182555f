/**
 * The public corpora on PostgreSQL, as superuser and as an ordinary user: no attack has an effect, every ordinary
 * statement runs. After each attack everything that could have changed is compared with what it was.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { collect } from "../postgres/open.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";

interface CorpusRow {
  readonly id: string;
  readonly sql: string;
  readonly then?: readonly string[];
  readonly oracle?: string;
  readonly leak?: string;
  readonly policy?: string;
  readonly tag?: string;
}

const corpus = process.env.SAFETY_CORPUS ?? fileURLToPath(new URL("./corpus", import.meta.url));
const load = async (name: string): Promise<CorpusRow[]> =>
  (await readFile(join(corpus, name), "utf8"))
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
const attacks = await load("attacks.pg.jsonl");
const benign = await load("benign.pg.jsonl");
const timeoutMs = 1_000;

let database: TestDatabase;
let admin: postgres.Sql;
let victim: postgres.Sql;
let listener: Server;
let connections = 0;
let folder: string;
const placeholders = new Map<string, string>();

const fill = (sql: string): string => sql.replace(/\{[A-Z_]+\}/g, (name) => placeholders.get(name) ?? name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pg-safety-"));
  await rm(folder, { recursive: true });
  await mkdir(folder, { mode: 0o777 });
  await writeFile(join(folder, "secret.txt"), "root:x:0:0\npasswd\n", { mode: 0o644 });
  await mkdir(join(folder, "out"));
  listener = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? String(address.port) : "";
  database = await createPostgresDatabase();
  placeholders.set("{OUT}", join(folder, "out"));
  placeholders.set("{SECRET_FILE}", join(folder, "secret.txt"));
  placeholders.set("{LISTENER_PORT}", port);
  placeholders.set("{LISTENER}", `127.0.0.1:${port}`);
  placeholders.set("{PORT}", new URL(database.url).port || "5432");
  await database.run(fill(await readFile(join(corpus, "fixture.pg.sql"), "utf8")));
  // Servers that ask for passwords, as private ones do, take no role without.
  await database.run("ALTER ROLE safety_user PASSWORD 'safety'");
  admin = postgres(database.url, { max: 1, onnotice: () => {} });
  victim = postgres(database.url, { max: 1, connection: { application_name: "safety_victim" }, onnotice: () => {} });
  victim`SELECT pg_sleep(600)`.catch(() => {});
}, 120_000);
afterAll(async () => {
  listener?.close();
  await victim?.end({ timeout: 0 });
  await admin?.end({ timeout: 1 });
  await database?.run("DROP OWNED BY safety_user, safety_ro CASCADE");
  await database?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Everything an attack could have changed, as text. */
async function worldState(): Promise<string> {
  const [state] = await admin`
    SELECT
      (SELECT string_agg(c::text, ',') FROM shop.canary AS c) AS canary,
      (SELECT count(*) FROM shop.metrics) || ' ' || (SELECT count(*) FROM shop.orders) AS rows,
      (SELECT md5(string_agg(x, ',' ORDER BY x)) FROM (
        SELECT 'c' || oid || relname || relfilenode || coalesce(relacl::text, '') FROM pg_class WHERE oid > 16383
        UNION ALL SELECT 'p' || oid || proname || md5(prosrc) FROM pg_proc WHERE oid > 16383
        UNION ALL SELECT 'n' || oid || nspname FROM pg_namespace
        UNION ALL SELECT 'd' || objoid || description FROM pg_description WHERE objoid > 16383
        UNION ALL SELECT 'l' || oid || collname FROM pg_collation
        UNION ALL SELECT 'e' || extname FROM pg_extension) AS t (x)) AS objects,
      (SELECT string_agg(l.oid || md5(d.data), ',') FROM pg_largeobject_metadata AS l
        LEFT JOIN pg_largeobject AS d ON d.loid = l.oid) AS large,
      (SELECT last_value || ' ' || is_called FROM shop.seq) AS sequence,
      (SELECT md5(string_agg(rolname || rolsuper || coalesce(rolpassword, ''), ',' ORDER BY rolname)) FROM pg_authid
        WHERE rolname LIKE 'safety%' OR rolname = 'postgres') AS roles,
      (SELECT md5(string_agg(s::text, ',' ORDER BY s::text)) FROM pg_db_role_setting AS s
        WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) OR setrole = 'safety_user'::regrole) AS settings,
      (SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'safety%') || ' ' ||
        (SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE 'safety%') || ' ' ||
        (SELECT count(*) FROM pg_replication_origin WHERE roname LIKE 'safety%') || ' ' ||
        (SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS slots,
      (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS stats,
      pg_conf_load_time() AS configuration,
      (SELECT string_agg(relname || coalesce(last_analyze::text, ''), ',' ORDER BY relname) FROM pg_stat_user_tables) AS maintenance,
      (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
      (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'safety_victim' AND state = 'active') AS victim`;
  return JSON.stringify({ ...state, files: await readdir(join(folder, "out")), connections });
}

const sessionSql = `SELECT session_user, current_user, current_setting('search_path'), current_setting('statement_timeout'),
  current_setting('default_transaction_read_only'), current_setting('DateStyle'), current_setting('client_encoding'),
  (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors),
  (SELECT count(*) FROM pg_prepared_statements WHERE name <> ''), (SELECT count(*) FROM pg_class WHERE relpersistence = 't')`;

const openAs = (role: string): Database => {
  const url = role === "postgres" ? database.url : database.url.replace(/\/\/[^@]*@/, `//${role}:safety@`);
  return postgresKind.open(postgresKind.parseSource(url, {}), {
    poolSize: 1,
    connectTimeoutMs: 5_000,
    schemas: ["shop", "hr", "public", "pg_catalog", "information_schema"],
    log: { debug: () => {}, warn: () => {} },
  });
};

/** What the call answered, rows or error, as text. */
async function answer(source: Database, sql: string): Promise<string> {
  try {
    const changes = { timeoutMs, maxWireBytes: 4_000_000, maxRows: 100 };
    return JSON.stringify((await collect(source, fill(sql), [], changes)).rows);
  } catch (thrown) {
    if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) throw thrown;
    if (process.env.SHOW_ANSWERS) console.log(sql.slice(0, 100), "=>", thrown.code, String(thrown));
    return `error ${thrown.code}: ${String(thrown)}`;
  }
}

describe.each(["postgres", "safety_user"])("as %s", (role) => {
  test("every attack is without effect", async () => {
    await using source = openAs(role);
    const fresh = JSON.stringify((await collect(source, sessionSql)).rows);
    const before = await worldState();
    const failures: string[] = [];
    for (const attack of attacks) {
      const startedAt = performance.now();
      const answers = [await answer(source, attack.sql)];
      for (const next of attack.then ?? []) answers.push(await answer(source, next));
      const elapsedMs = performance.now() - startedAt;
      const fail = (why: string) => failures.push(`${attack.id}: ${why}: ${attack.sql.slice(0, 100)}`);
      if (elapsedMs > (timeoutMs + 2_500) * answers.length) fail(`took ${Math.round(elapsedMs)} ms`);
      if (attack.leak !== undefined && answers.some((text) => text.includes(attack.leak ?? ""))) fail("leaked");
      if (process.env.SHOW_ANSWERS && !answers[0]?.startsWith("error"))
        console.log("PASSED", attack.id, attack.sql.slice(0, 150));
      const after = await worldState();
      if (after !== before) fail(`changed ${after}`);
      const session = JSON.stringify((await collect(source, sessionSql)).rows);
      if (session !== fresh) fail(`left ${session}`);
      if (failures.length > 20) break;
    }
    expect(failures, before).toEqual([]);
  }, 300_000);

  test("every ordinary statement runs", async () => {
    await using source = openAs(role);
    const failures: string[] = [];
    const [{ preloaded = "" } = {}] = await admin<{ preloaded?: string }[]>`SHOW shared_preload_libraries`.then(
      (rows) => [{ preloaded: String(Object.values(rows[0] ?? {})[0] ?? "") }],
    );
    for (const { id, sql } of benign) {
      // Without its library the view itself refuses every reader.
      if (sql.includes("pg_stat_statements") && !preloaded.includes("pg_stat_statements")) continue;
      const text = await collect(source, fill(sql), [], { timeoutMs: 10_000 }).then(
        () => "",
        (thrown: unknown) => `${String(thrown)} ${(thrown as { sqlstate?: string }).sqlstate}`,
      );
      // What this user may not read is the database's own answer, not ours.
      if (text !== "" && !text.includes("42501")) failures.push(`${id}: ${text}: ${sql.slice(0, 120)}`);
    }
    expect(failures).toEqual([]);
  }, 120_000);
});
