/** The world of the PostgreSQL corpora: fixture, roles, a victim session, a secret file, a listener, large objects. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { vi } from "vitest";
import { createPostgresDatabase } from "../support/databases.js";
import { postgresUrl } from "../support/services.js";
import { corpusText, type World } from "./corpus.js";

export const postgresSchemas: readonly string[] = ["shop", "hr", "public", "pg_catalog", "information_schema"];

/** What a session must look like before every call. */
export const postgresSessionSql = `SELECT session_user, current_user, current_setting('search_path'), current_setting('statement_timeout'),
  current_setting('default_transaction_read_only'), current_setting('DateStyle'), current_setting('client_encoding'),
  (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors),
  (SELECT count(*) FROM pg_prepared_statements WHERE name <> ''), (SELECT count(*) FROM pg_class WHERE relpersistence = 't')`;

/** @param server an administrator's URL */
export async function openPostgresWorld(server = postgresUrl()): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "pg-safety-"));
  await rm(folder, { recursive: true });
  await mkdir(folder, { mode: 0o777 });
  await writeFile(join(folder, "secret.txt"), "root:x:0:0\npasswd\n", { mode: 0o644 });
  await mkdir(join(folder, "out"));
  let connections = 0;
  const listener = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  const port = typeof address === "object" && address !== null ? String(address.port) : "";
  const database = await createPostgresDatabase(server);
  // Roles belong to the whole server, where several of these worlds may live at a time.
  const roles = { user: `safety_user_${database.name}`, reader: `safety_ro_${database.name}` };
  const placeholders: readonly (readonly [string, string])[] = [
    ["{OUT}", join(folder, "out")],
    ["{SECRET_FILE}", join(folder, "secret.txt")],
    ["{LISTENER_PORT}", port],
    ["{LISTENER}", `127.0.0.1:${port}`],
    ["{PORT}", new URL(database.url).port || "5432"],
    ["safety_user", roles.user],
    ["safety_ro", roles.reader],
  ];
  const fill = (sql: string) => placeholders.reduce((text, [name, value]) => text.replaceAll(name, value), sql);
  await database.run(fill(await corpusText("fixture.pg.sql")));
  // Servers that ask for passwords, as private ones do, take no role without.
  await database.run(`ALTER ROLE ${roles.user} PASSWORD 'safety'`);
  const admin = postgres(database.url, { max: 1, onnotice: () => {} });
  const victim = postgres(database.url, {
    max: 1,
    connection: { application_name: "safety_victim" },
    onnotice: () => {},
  });
  victim`SELECT pg_sleep(3600)`.catch(() => {});
  await vi.waitUntil(async () => (await admin.unsafe(stateSql(roles.user)))[0]?.victim === "1", 10_000);
  return {
    database,
    user: roles.user,
    urlOf: (name) => (name === roles.user ? database.url.replace(/\/\/[^@]*@/, `//${name}:safety@`) : database.url),
    fill,
    async state() {
      const [state] = await admin.unsafe(stateSql(roles.user));
      return JSON.stringify({ ...state, files: await readdir(join(folder, "out")), connections });
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await Promise.all([victim.end({ timeout: 0 }), admin.end({ timeout: 1 })]);
      await database.run(
        `DROP OWNED BY ${roles.user}, ${roles.reader} CASCADE; DROP ROLE ${roles.user}, ${roles.reader}`,
      );
      await database[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const stateSql = (user: string): string => `
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
      WHERE rolname ~ '^safety_pwn' OR rolname IN ('${user}', '${user.replace("user", "ro")}', current_user)) AS roles,
    (SELECT md5(string_agg(s::text, ',' ORDER BY s::text)) FROM pg_db_role_setting AS s
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        OR setrole = '${user}'::regrole) AS settings,
    (SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'safety%') || ' ' ||
      (SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE 'safety%') || ' ' ||
      (SELECT count(*) FROM pg_replication_origin WHERE roname LIKE 'safety%') || ' ' ||
      (SELECT count(*) FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS slots,
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS stats,
    pg_conf_load_time() AS configuration,
    (SELECT string_agg(relname || coalesce(last_analyze::text, ''), ',' ORDER BY relname)
      FROM pg_stat_user_tables) AS maintenance,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
    (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'safety_victim' AND state = 'active'
      AND datname = current_database()) AS victim`;
