/** The world of the MariaDB and MySQL corpora: fixture, an ordinary user, a victim session, a secret file, a listener. */
import { createConnection } from "mariadb";
import { vi } from "vitest";
import { createMysqlDatabase } from "../support/databases.js";
import { mysqlUrl } from "../support/services.js";
import { corpusText, type Observer, type Place, type World } from "./corpus.js";
import { openSurroundings } from "./surroundings.js";

/** What a session must look like before every call. */
export const mysqlSessionSql = `SELECT @@autocommit, @@sql_mode, @@character_set_client, @@max_statement_time, @@sql_select_limit,
  @@tx_read_only, DATABASE(), @pwn, @leak, @a, @b, @@session.sort_buffer_size, @@time_zone, @@sql_log_bin`;

/** Runs one statement and gives its rows. */
type Run = (sql: string) => Promise<readonly Record<string, unknown>[]>;

/** @param server an administrator's URL */
export async function openMysqlWorld(server = mysqlUrl()): Promise<World> {
  const place = await fillMysql(server);
  const { database, surroundings, user } = place;
  const observer = await observeMysql(place);
  return {
    ...place,
    // Known once the victim is there.
    fill: observer.fill,
    state: observer.state,
    async [Symbol.asyncDispose]() {
      await observer[Symbol.asyncDispose]();
      await database.run(`DROP USER IF EXISTS '${user}'@'%'`);
      await database[Symbol.asyncDispose]();
      await surroundings[Symbol.asyncDispose]();
    },
  };
}

/** The fixture in a database of its own. @param server an administrator's URL */
export async function fillMysql(server: string): Promise<Place> {
  const surroundings = await openSurroundings();
  const database = await createMysqlDatabase(server);
  const user = `safety_${database.name}`;
  const placeholders: readonly (readonly [string, string])[] = [
    ["{OUT}", surroundings.out],
    ["{SECRET_FILE}", surroundings.secretFile],
    ["{PORT}", new URL(database.url).port || "3306"],
    ["{LISTENER_PORT}", surroundings.port],
    ["safety_run", database.name],
  ];
  const fill = (sql: string) => placeholders.reduce((text, [name, value]) => text.replaceAll(name, value), sql);
  // The client's DELIMITER command marks the routines, whose bodies hold semicolons.
  const [plain = "", ...routines] = fill(await corpusText("fixture.mysql.sql")).split(/^DELIMITER .*\n/m);
  await database.run(plain);
  for (const part of routines) for (const sql of part.split("//\n")) if (sql.trim() !== "") await database.run(sql);
  await database.run(fill(await corpusText("own/fixture.mysql.sql")));
  await database.run(`CREATE USER '${user}'@'%' IDENTIFIED BY 'safety';
    GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, EXECUTE, SHOW VIEW, CREATE TEMPORARY TABLES, LOCK TABLES,
      TRIGGER, EVENT, CREATE ROUTINE, CREATE VIEW, INDEX ON ${database.name}.* TO '${user}'@'%'`);
  const urlOf = (name: string) =>
    name === user ? database.url.replace(/\/\/[^@]*@/, `//${name}:safety@`) : database.url;
  return { database, surroundings, user, urlOf, fill };
}

/** A look at it from outside, and a victim asleep, whose number statements may name. */
export async function observeMysql(place: Place): Promise<Observer & Pick<Place, "fill">> {
  const { database, surroundings, user } = place;
  const { hostname, port, username, password } = new URL(database.url);
  const login = {
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
  const admin = await createConnection({ ...login, database: database.name });
  const run: Run = (sql) => admin.query(sql);
  await run("SET SESSION group_concat_max_len = 10000000");
  const victim = await createConnection(login);
  // A server that goes away is the next look's error, not the process's.
  for (const connection of [admin, victim]) connection.on("error", () => {});
  victim.query("SELECT SLEEP(3600)").catch(() => {});
  const sql = stateSql(database.name, user, Number(victim.threadId));
  await vi.waitUntil(async () => Number((await run(sql))[0]?.victim) === 1, 10_000);
  return {
    fill: (text) => place.fill(text).replaceAll("@@VICTIM@@", String(victim.threadId)),
    async state() {
      const [state] = await run(sql);
      const running = await stillRunning(run, database.name);
      return JSON.stringify({ ...state, running, ...(await surroundings.state()) }, (_, value) =>
        typeof value === "bigint" ? String(value) : value,
      );
    },
    async [Symbol.asyncDispose]() {
      await run(`KILL ${victim.threadId}`).catch(() => {});
      await admin.end().catch(() => {});
    },
  };
}

/** Statements of others that still run a second later: a reply may be faster than the server's end of a killed one. */
async function stillRunning(run: Run, name: string): Promise<number> {
  const deadline = performance.now() + 1_000;
  for (;;) {
    const [row] = await run(`SELECT COUNT(*) AS n FROM information_schema.processlist
      WHERE db = '${name}' AND id <> CONNECTION_ID() AND command = 'Query'`);
    const count = Number(row?.n);
    if (count === 0 || performance.now() > deadline) return count;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const stateSql = (name: string, user: string, victim: number): string => `SELECT
  (SELECT GROUP_CONCAT(id, v) FROM canary) AS canary,
  (SELECT GROUP_CONCAT(id, v) FROM canary_myisam) AS canary_myisam,
  (SELECT GROUP_CONCAT(id, v) FROM canary_mem) AS canary_mem,
  (SELECT COUNT(*) FROM loadme) AS loaded, (SELECT next_not_cached_value FROM seq1) AS sequence,
  (SELECT CONCAT(COUNT(*), ' ', SUM(total)) FROM orders) AS orders, (SELECT COUNT(*) FROM metrics) AS metrics,
  (SELECT MD5(GROUP_CONCAT(table_name, table_type ORDER BY table_name)) FROM information_schema.tables
    WHERE table_schema = '${name}') AS tables,
  (SELECT MD5(GROUP_CONCAT(table_name, column_name, column_type ORDER BY table_name, ordinal_position))
    FROM information_schema.columns WHERE table_schema = '${name}') AS columns,
  (SELECT MD5(GROUP_CONCAT(routine_name, routine_definition ORDER BY routine_name)) FROM information_schema.routines
    WHERE routine_schema = '${name}') AS routines,
  (SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = '${name}') AS triggers,
  (SELECT COUNT(*) FROM information_schema.events WHERE event_schema = '${name}') AS events,
  (SELECT CONCAT((SELECT COUNT(*) FROM mysql.servers), (SELECT COUNT(*) FROM mysql.func))) AS servers,
  (SELECT MD5(GROUP_CONCAT(host, user, priv ORDER BY host, user)) FROM mysql.global_priv
    WHERE user = '${user}' OR user LIKE '%pwn%' OR user IN ('root', 'safety_ro', 'safety_r2')) AS users,
  (SELECT MD5(GROUP_CONCAT(variable_name, variable_value ORDER BY variable_name))
    FROM information_schema.global_variables WHERE variable_name NOT IN ('gtid_binlog_pos', 'gtid_current_pos',
      'innodb_buffer_pool_load_now', 'timestamp') AND variable_name NOT LIKE '%gtid%') AS settings,
  (SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_status = 'ACTIVE') AS plugins,
  IS_FREE_LOCK('safety') AS lock_free, IS_FREE_LOCK('sneaky') AS sneaky_free,
  (SELECT COUNT(*) FROM information_schema.innodb_trx AS t JOIN information_schema.processlist AS p
    ON p.id = t.trx_mysql_thread_id WHERE p.db = '${name}' AND t.trx_rows_locked > 0) AS row_locks,
  (SELECT COUNT(*) FROM information_schema.processlist WHERE id = ${victim} AND info LIKE '%SLEEP%') AS victim`;
