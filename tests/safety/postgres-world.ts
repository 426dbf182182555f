/** The world of the PostgreSQL corpora: fixture, roles, a victim session, a secret file, a listener, large objects. */
import postgres from "postgres";
import { vi } from "vitest";
import { createPostgresDatabase } from "../support/databases.js";
import { postgresUrl } from "../support/services.js";
import { corpusText, type Observer, type Place, type World } from "./corpus.js";
import { openSurroundings } from "./surroundings.js";

export const postgresSchemas: readonly string[] = ["shop", "hr", "public", "pg_catalog", "information_schema"];

/** What a session must look like before every call. */
export const postgresSessionSql = `SELECT session_user, current_user, current_setting('search_path'), current_setting('statement_timeout'),
  current_setting('default_transaction_read_only'), current_setting('DateStyle'), current_setting('client_encoding'),
  (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_cursors),
  (SELECT count(*) FROM pg_prepared_statements WHERE name <> ''), (SELECT count(*) FROM pg_class WHERE relpersistence = 't')`;

/** @param server an administrator's URL */
export async function openPostgresWorld(server = postgresUrl()): Promise<World> {
  const place = await fillPostgres(server);
  const { database, surroundings, user } = place;
  const observer = await observePostgres(place);
  return {
    ...place,
    state: observer.state,
    async [Symbol.asyncDispose]() {
      await observer[Symbol.asyncDispose]();
      const roles = `${user}, ${readerOf(user)}`;
      await database.run(`DROP OWNED BY ${roles} CASCADE; DROP ROLE ${roles}`);
      await database[Symbol.asyncDispose]();
      await surroundings[Symbol.asyncDispose]();
    },
  };
}

/** Roles belong to the whole server, where several of these worlds may live at a time. */
const readerOf = (user: string): string => user.replace("user", "ro");

/** The fixture in a database of its own. @param server an administrator's URL */
export async function fillPostgres(server: string): Promise<Place> {
  const surroundings = await openSurroundings();
  const database = await createPostgresDatabase(server);
  const user = `safety_user_${database.name}`;
  const placeholders: readonly (readonly [string, string])[] = [
    ["{OUT}", surroundings.out],
    ["{SECRET_FILE}", surroundings.secretFile],
    ["{LISTENER_PORT}", surroundings.port],
    ["{LISTENER}", `127.0.0.1:${surroundings.port}`],
    ["{PORT}", new URL(database.url).port || "5432"],
    ["safety_user", user],
    ["safety_ro", readerOf(user)],
  ];
  const fill = (sql: string) => placeholders.reduce((text, [name, value]) => text.replaceAll(name, value), sql);
  for (const name of ["fixture.pg.sql", "own/fixture.pg.sql"]) await database.run(fill(await corpusText(name)));
  // Servers that ask for passwords, as private ones do, take no role without.
  await database.run(`ALTER ROLE ${user} PASSWORD 'safety'`);
  const urlOf = (name: string) =>
    name === user ? database.url.replace(/\/\/[^@]*@/, `//${name}:safety@`) : database.url;
  return { database, surroundings, user, urlOf, fill };
}

/** A look at it from outside, and a victim asleep. */
export async function observePostgres({ database, surroundings, user }: Place): Promise<Observer> {
  const admin = postgres(database.url, { max: 1, onnotice: () => {} });
  const victim = postgres(database.url, {
    max: 1,
    connection: { application_name: "safety_victim" },
    onnotice: () => {},
  });
  victim`SELECT pg_sleep(3600)`.catch(() => {});
  await vi.waitUntil(async () => (await admin.unsafe(stateSql(user)))[0]?.victim === "1", 10_000);
  return {
    async state() {
      const [state] = await admin.unsafe(stateSql(user));
      return JSON.stringify({ ...state, ...(await surroundings.state()) });
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([victim.end({ timeout: 0 }), admin.end({ timeout: 1 })]);
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
      WHERE rolname ~ '^safety_pwn' OR rolname IN ('${user}', '${readerOf(user)}', current_user)) AS roles,
    (SELECT md5(string_agg(s::text, ',' ORDER BY s::text)) FROM pg_db_role_setting AS s
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
        OR setrole = '${user}'::regrole) AS settings,
    (SELECT count(*) FROM pg_replication_slots WHERE slot_name LIKE 'safety%') || ' ' ||
      (SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE 'safety%') || ' ' ||
      (SELECT count(*) FROM pg_replication_origin WHERE roname LIKE 'safety%') || ' ' ||
      (SELECT count(*) FROM pg_subscription
        WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())) AS slots,
    (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()) AS stats,
    pg_conf_load_time() AS configuration, md5(pg_read_file('postgresql.auto.conf')) AS configured,
    (SELECT string_agg(relname || coalesce(last_analyze::text, ''), ',' ORDER BY relname)
      FROM pg_stat_user_tables) AS maintenance,
    (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS locks,
    (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'safety_victim' AND state = 'active'
      AND datname = current_database()) AS victim`;
