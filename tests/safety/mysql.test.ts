/**
 * The public corpora on MySQL or MariaDB, as root and as an ordinary user: no attack has an effect, every ordinary
 * statement runs. After each attack everything that could have changed is compared with what it was.
 */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Connection, createConnection } from "mariadb";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { answerOf, openSource } from "../mysql/open.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";

interface CorpusRow {
  readonly id: string;
  readonly sql: string;
  readonly then?: readonly string[];
  readonly leak?: string;
  /** Needs a rule about what the model may see; not a matter of reading only. */
  readonly policy?: string;
}

const corpus = process.env.SAFETY_CORPUS ?? fileURLToPath(new URL("./corpus", import.meta.url));
const textOf = (name: string) => readFile(join(corpus, name), "utf8");
const rowsOf = async (name: string): Promise<readonly CorpusRow[]> =>
  (await textOf(name)).split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
const attacks = await rowsOf("attacks.mysql.jsonl");
const benign = await rowsOf("benign.mysql.jsonl");
const timeoutMs = 1_000;
const user = `safety_${process.pid}`;

let database: TestDatabase;
let victim: Connection;
let folder: string;
let connections = 0;
const filled = new Map<string, string>();
const fill = (sql: string): string => [...filled].reduce((text, [name, value]) => text.replaceAll(name, value), sql);
const listener = createServer((socket) => {
  connections++;
  socket.destroy();
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mysql-safety-"));
  await chmod(folder, 0o777);
  await writeFile(join(folder, "secret.txt"), "root:x:0:0\n", { mode: 0o644 });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  database = await createMysqlDatabase();
  const { hostname, port, username, password } = new URL(database.url);
  victim = await createConnection({ host: hostname, port: Number(port), user: username, password });
  victim.query("SELECT SLEEP(900)").catch(() => {});
  filled
    .set("{OUT}", folder)
    .set("{SECRET_FILE}", join(folder, "secret.txt"))
    .set("{PORT}", port || "3306");
  filled.set("{LISTENER_PORT}", String(typeof address === "object" ? address?.port : ""));
  filled.set("@@VICTIM@@", String(victim.threadId)).set("safety_run", database.name);
  // The client's DELIMITER command marks the routines, whose bodies hold semicolons.
  const [plain = "", ...routines] = fill(await textOf("fixture.mysql.sql")).split(/^DELIMITER .*\n/m);
  await database.run(plain);
  await database.run("SET SESSION group_concat_max_len = 10000000");
  for (const part of routines) for (const sql of part.split("//\n")) if (sql.trim() !== "") await database.run(sql);
  await database.run(`CREATE USER '${user}'@'%' IDENTIFIED BY 'safety';
    GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, EXECUTE, SHOW VIEW, CREATE TEMPORARY TABLES, LOCK TABLES,
      TRIGGER, EVENT, CREATE ROUTINE, CREATE VIEW, INDEX ON ${database.name}.* TO '${user}'@'%'`);
}, 120_000);

afterAll(async () => {
  listener.close();
  await database.run(`KILL ${victim.threadId}`);
  await database.run(`DROP USER '${user}'@'%'`);
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** Statements of others that still run a second later: a reply may be faster than the server's end of a killed one. */
async function stillRunning(): Promise<number> {
  const deadline = performance.now() + 1_000;
  for (;;) {
    const [row] = await database.run(`SELECT COUNT(*) AS n FROM information_schema.processlist
      WHERE db = '${database.name}' AND id <> CONNECTION_ID() AND command = 'Query'`);
    const count = Number(row?.n);
    if (count === 0 || performance.now() > deadline) return count;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Everything an attack could have changed, as text. */
async function worldState(): Promise<string> {
  const own = `= '${database.name}'`;
  const [state] = await database.run(`SELECT
    (SELECT GROUP_CONCAT(id, v) FROM canary) AS canary,
    (SELECT GROUP_CONCAT(id, v) FROM canary_myisam) AS canary_myisam,
    (SELECT GROUP_CONCAT(id, v) FROM canary_mem) AS canary_mem,
    (SELECT COUNT(*) FROM loadme) AS loaded, (SELECT next_not_cached_value FROM seq1) AS sequence,
    (SELECT CONCAT(COUNT(*), ' ', SUM(total)) FROM orders) AS orders, (SELECT COUNT(*) FROM metrics) AS metrics,
    (SELECT MD5(GROUP_CONCAT(table_name, table_type ORDER BY table_name)) FROM information_schema.tables
      WHERE table_schema ${own}) AS tables,
    (SELECT MD5(GROUP_CONCAT(table_name, column_name, column_type ORDER BY table_name, ordinal_position))
      FROM information_schema.columns WHERE table_schema ${own}) AS columns,
    (SELECT MD5(GROUP_CONCAT(routine_name, routine_definition ORDER BY routine_name)) FROM information_schema.routines
      WHERE routine_schema ${own}) AS routines,
    (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema ${own}) AS triggers,
    (SELECT COUNT(*) FROM information_schema.events WHERE event_schema ${own}) AS events,
    (SELECT CONCAT((SELECT COUNT(*) FROM mysql.servers), (SELECT COUNT(*) FROM mysql.func))) AS servers,
    (SELECT MD5(GROUP_CONCAT(host, user, priv ORDER BY host, user)) FROM mysql.global_priv
      WHERE user LIKE 'safety%' OR user LIKE '%pwn%' OR user = 'root') AS users,
    (SELECT MD5(GROUP_CONCAT(variable_name, variable_value ORDER BY variable_name))
      FROM information_schema.global_variables WHERE variable_name NOT IN ('gtid_binlog_pos', 'gtid_current_pos',
        'innodb_buffer_pool_load_now', 'timestamp') AND variable_name NOT LIKE '%gtid%') AS settings,
    (SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_status = 'ACTIVE') AS plugins,
    IS_FREE_LOCK('safety') AS lock_free, IS_FREE_LOCK('sneaky') AS sneaky_free,
    (SELECT COUNT(*) FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p
      ON p.id = t.trx_mysql_thread_id WHERE p.db ${own} AND t.trx_rows_locked > 0) AS row_locks,
    (SELECT COUNT(*) FROM information_schema.processlist WHERE id = ${victim.threadId} AND info LIKE '%SLEEP%') AS victim`);
  const running = await stillRunning();
  const shown = JSON.stringify({ ...state, running, files: await readdir(folder), connections }, (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return shown;
}

const sessionSql = `SELECT @@autocommit, @@sql_mode, @@character_set_client, @@max_statement_time, @@sql_select_limit,
  @@tx_read_only, DATABASE(), @pwn, @leak, @a, @b, @@session.sort_buffer_size, @@time_zone, @@sql_log_bin`;

function openAs(name: string): Database {
  const url = name === "root" ? database.url : database.url.replace(/\/\/[^@]*@/, `//${name}:safety@`);
  return openSource(url, { poolSize: 1 });
}

/** What the call answered, rows or error, as text. */
async function reply(source: Database, sql: string): Promise<string> {
  try {
    const changes = { timeoutMs, maxWireBytes: 8_000_000, maxRows: 100 };
    return JSON.stringify((await answerOf(source, fill(sql), [], changes)).rows);
  } catch (thrown) {
    if (!(thrown instanceof Error) || !("code" in thrown)) throw thrown;
    return `error ${thrown.code}: ${thrown.message}`;
  }
}

describe.each(["root", user])("as %s", (name) => {
  test("every attack is without effect", async () => {
    await using source = openAs(name);
    const fresh = await reply(source, sessionSql);
    expect(fresh).toContain("utf8mb4");
    const before = await worldState();
    expect(before).toContain("1untouched");
    const failures: string[] = [];
    for (const { id, sql, then = [], leak, policy } of attacks) {
      const startedAt = performance.now();
      const replies = [await reply(source, sql)];
      for (const next of then) replies.push(await reply(source, next));
      const elapsedMs = performance.now() - startedAt;
      const fail = (why: string) => failures.push(`${id}: ${why}: ${sql.slice(0, 100)}`);
      if (elapsedMs > (timeoutMs + 2_500) * replies.length) fail(`took ${Math.round(elapsedMs)} ms`);
      if (leak !== undefined && policy === undefined && replies.some((text) => text.includes(leak))) fail("leaked");
      const after = await worldState();
      if (after !== before) fail(`changed ${after}`);
      const session = await reply(source, sessionSql);
      if (session !== fresh) fail(`left ${session}`);
    }
    expect(failures, before).toEqual([]);
    expect(process.memoryUsage().rss).toBeLessThan(600_000_000);
  }, 300_000);

  test("every ordinary statement runs", async () => {
    await using source = openAs(name);
    const failures: string[] = [];
    for (const { id, sql } of benign) {
      const text = await answerOf(source, fill(sql), [], { timeoutMs: 10_000 }).then(
        () => "",
        (thrown: unknown) => `${String(thrown)} ${Reflect.get(Object(thrown), "errno")}`,
      );
      if (text !== "") failures.push(`${id}: ${text}: ${sql.slice(0, 120)}`);
    }
    expect(failures).toEqual([]);
  }, 120_000);
});
