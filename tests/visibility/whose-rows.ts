/** Databases in which each caller has rows of their own, held back by the database itself, and ways to call in as them. */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type Client, Client as McpClient, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { runDatabaseCommand } from "../../mcp-core/src/sql/command.js";
import type { Database, DatabaseKind, SourceConfig } from "../../mcp-core/src/sql/database.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import type { Era } from "../sql/connect.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import type { executable } from "../support/processes.js";

export const people = ["ada", "bob"] as const;
export type Person = (typeof people)[number];

/** Rows of each. */
export const ownRows = 60;

/** A database of rows that belong to somebody, and a user whom the rules hold. */
export interface RowsDatabase extends TestDatabase {
  readonly readerUrl: string;
  /** Every note there is, as an administrator sees it. */
  notes(): Promise<readonly string[]>;
  /** Another user of the database, made by this SQL with `$user` for its name. */
  addUser(sql: string): Promise<string>;
}

export interface RowsEngine {
  readonly name: "postgres" | "mysql";
  readonly folder: Parameters<typeof executable>[0];
  /** A source with this context, opened in this process. */
  open(url: string, names: readonly string[]): Database;
  /** Runs the command in this process with nothing from its environment. */
  run(argv: readonly string[]): Promise<{ readonly code: number; readonly text: string }>;
  /** The setting that carries who calls. */
  readonly setting: string;
  /** Reads it. */
  readonly settingSql: string;
  create(): Promise<RowsDatabase>;
  /** Statements that would make a caller somebody else. */
  readonly spoofs: readonly string[];
  /** Statements that would tell what other callers say. */
  readonly eavesdropping: readonly string[];
  /** SQL that makes a user, and what is said of a context for it; `$user` is its name. */
  readonly unsafe: Readonly<Record<string, readonly [sql: string, said: RegExp]>>;
  readonly warned: Readonly<Record<string, readonly [sql: string, said: RegExp]>>;
  /** What row-level security does not hold, in a write. */
  readonly unheld: readonly string[];
}

const openWith =
  <Config extends SourceConfig>(kind: DatabaseKind<Config>) =>
  (url: string, sessionContext: readonly string[]) => {
    const log = { debug: () => {}, warn: () => {} };
    return kind.open(kind.parseSource(url, {}), { poolSize: 1, connectTimeoutMs: 5_000, log, sessionContext });
  };

const runWith =
  <Config extends SourceConfig>(kind: DatabaseKind<Config>) =>
  async (argv: readonly string[]) => {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const signal = AbortSignal.timeout(20_000);
    const code = await runDatabaseCommand(kind, { argv, environment: {}, stdout, stderr, signal });
    return { code, text: `${stdout.read() ?? ""}${stderr.read() ?? ""}` };
  };

const password = "reader-of-rows";

function userUrl(url: string, name: string): string {
  const changed = new URL(url);
  changed.username = name;
  changed.password = password;
  return changed.href;
}

async function createPostgresRows(): Promise<RowsDatabase> {
  const database = await createPostgresDatabase();
  const users: string[] = [];
  const addUser = async (sql: string) => {
    const user = `u_${randomBytes(4).toString("hex")}`;
    users.push(user);
    await database.run(`CREATE ROLE ${user} LOGIN PASSWORD '${password}'; ${sql.replaceAll("$user", user)}`);
    return userUrl(database.url, user);
  };
  const insert = people.map(
    (person) =>
      `INSERT INTO orders (owner, note) SELECT '${person}', '${person}-' || i FROM generate_series(1, ${ownRows}) i;`,
  );
  await database.run(`
    CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text NOT NULL, note text NOT NULL);
    ${insert.join("\n")}
    ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON orders USING (owner = current_setting('app.user_id'))
      WITH CHECK (owner = current_setting('app.user_id'));
    CREATE FUNCTION note_of(int) RETURNS text STABLE LANGUAGE sql AS 'SELECT note FROM orders WHERE id = $1';
    CREATE VIEW mine WITH (security_barrier) AS SELECT id, note FROM orders;`);
  const readerUrl = await addUser("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON orders TO $user;");
  return {
    ...database,
    readerUrl,
    addUser,
    notes: async () => (await database.run("SELECT note FROM orders")).map(({ note }) => String(note)),
    async [Symbol.asyncDispose]() {
      for (const user of users) {
        for (const role of [user, `${user}_owner`]) {
          const [found] = await database.run(`SELECT FROM pg_roles WHERE rolname = '${role}'`);
          if (found === undefined) continue;
          await database.run(`REASSIGN OWNED BY ${role} TO CURRENT_USER; DROP OWNED BY ${role}; DROP ROLE ${role}`);
        }
      }
      await database[Symbol.asyncDispose]();
    },
  };
}

async function createMysqlRows(): Promise<RowsDatabase> {
  const database = await createMysqlDatabase();
  const users: string[] = [];
  const addUser = async (sql: string) => {
    const user = `u_${randomBytes(4).toString("hex")}`;
    users.push(user);
    await database.run(
      `CREATE USER ${user}@'%' IDENTIFIED BY '${password}'; ${sql.replaceAll("$user", `${user}@'%'`)}`,
    );
    return userUrl(database.url, user);
  };
  const rows = people.flatMap((person) =>
    Array.from({ length: ownRows }, (_, index) => `('${person}', '${person}-${index + 1}')`),
  );
  await database.run(`
    CREATE TABLE all_orders (id int AUTO_INCREMENT PRIMARY KEY, owner varchar(50) NOT NULL, note varchar(50) NOT NULL);
    INSERT INTO all_orders (owner, note) VALUES ${rows.join(", ")};
    CREATE FUNCTION caller() RETURNS varchar(50) CHARSET utf8mb4 NO SQL RETURN @app_user_id;
    CREATE VIEW orders AS SELECT id, owner, note FROM all_orders WHERE owner = caller() WITH CHECK OPTION`);
  const readerUrl = await addUser(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${database.name}.orders TO $user;`);
  return {
    ...database,
    readerUrl,
    addUser,
    notes: async () => (await database.run("SELECT note FROM all_orders")).map(({ note }) => String(note)),
    async [Symbol.asyncDispose]() {
      for (const user of users) await database.run(`DROP USER ${user}@'%'`);
      await database[Symbol.asyncDispose]();
    },
  };
}

export const rowsEngines: readonly [postgres: RowsEngine, mysql: RowsEngine] = [
  {
    name: "postgres",
    folder: "mcp-postgres",
    open: openWith(postgresKind),
    run: runWith(postgresKind),
    setting: "app.user_id",
    settingSql: "SELECT current_setting('app.user_id', true)",
    create: createPostgresRows,
    spoofs: [
      "SELECT set_config('app.user_id', 'bob', true)",
      "SELECT pg_catalog.set_config('app.user_id', 'bob', false), note FROM orders",
      "WITH me AS MATERIALIZED (SELECT set_config('app.user_id', 'bob', true)) SELECT note FROM me, orders",
      "SELECT note FROM orders WHERE set_config('app.user_id', 'bob', true) IS NOT NULL",
      "SELECT note FROM orders ORDER BY set_config('app.user_id', owner, true)",
      `SELECT "set_config"('app.user_id', 'bob', true)`,
      "SELECT query_to_xml('SELECT set_config(''app.user_id'', ''bob'', true)', true, true, '')",
      "EXPLAIN ANALYZE SELECT set_config('app.user_id', 'bob', true)",
      "SHOW app.user_id; SELECT set_config('app.user_id', 'bob', true)",
      "SET app.user_id = 'bob'",
      "SET LOCAL app.user_id = 'bob'",
      "SET SESSION AUTHORIZATION postgres",
      "SET ROLE postgres",
      "RESET app.user_id",
      "RESET ALL",
      "DISCARD ALL",
      "SET LOCAL row_security = off",
      "UPDATE pg_settings SET setting = 'bob' WHERE name = 'app.user_id'",
      "DO $$ BEGIN PERFORM set_config('app.user_id', 'bob', true); END $$",
      "BEGIN; SET LOCAL app.user_id = 'bob'; SELECT note FROM orders",
      "ROLLBACK; SET app.user_id = 'bob'",
    ],
    eavesdropping: [
      "SELECT query FROM pg_stat_activity",
      "SELECT a.query FROM pg_catalog.pg_stat_activity a",
      "SELECT * FROM pg_stat_get_activity(NULL)",
      "SELECT pg_stat_get_backend_activity(1)",
      "SELECT query FROM pg_stat_statements",
    ],
    unsafe: {
      "a superuser": ["ALTER ROLE $user SUPERUSER", /is a superuser/],
      "a role with BYPASSRLS": ["ALTER ROLE $user BYPASSRLS", /has BYPASSRLS/],
      "the owner of a table": [
        "CREATE TABLE owned (a int); ALTER TABLE owned ENABLE ROW LEVEL SECURITY; ALTER TABLE owned OWNER TO $user",
        /owns owned, and row-level security does not hold the owner/,
      ],
      "a member of its owner": [
        `CREATE ROLE $user_owner; CREATE TABLE "also owned" (a int); ALTER TABLE "also owned" ENABLE ROW LEVEL SECURITY;
         ALTER TABLE "also owned" OWNER TO $user_owner; GRANT $user_owner TO $user`,
        /owns "also owned"/,
      ],
    },
    warned: {
      "the owner of a table that holds its owner too": [
        `CREATE TABLE forced (a int); ALTER TABLE forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         ALTER TABLE forced OWNER TO $user`,
        /^(?!.*warning).*TLS/s,
      ],
      "a view with its owner's rights": ["GRANT SELECT ON mine TO $user", /past row-level security, .*: mine\./],
    },
    unheld: [
      "TRUNCATE orders",
      "CREATE TABLE mine_now (a int)",
      "ALTER TABLE orders ADD COLUMN b int",
      "DROP VIEW mine",
    ],
  },
  {
    name: "mysql",
    folder: "mcp-mysql",
    open: openWith(mysqlKind),
    run: runWith(mysqlKind),
    setting: "app_user_id",
    settingSql: "SELECT @app_user_id",
    create: createMysqlRows,
    spoofs: [
      "SET @app_user_id = 'bob'",
      "SET @APP_USER_ID := 'bob'",
      "SELECT @app_user_id := 'bob'",
      "SELECT @`app_user_id` := 'bob', note FROM orders",
      "SELECT note FROM orders WHERE (@app_user_id := owner) IS NOT NULL",
      "WITH me AS (SELECT @app_user_id:='bob') SELECT note FROM me, orders",
      "SELECT 'bob' INTO @app_user_id",
      "SELECT note FROM orders LIMIT 1 INTO @app_user_id",
      "EXPLAIN SELECT @app_user_id := 'bob'",
      "/*!50000 SET @app_user_id = 'bob' */",
      "SELECT /*!50000 @app_user_id := */ 'bob'",
      "EXECUTE IMMEDIATE 'SET @app_user_id = \"bob\"'",
      "PREPARE s FROM 'SET @app_user_id = 1'",
      "BEGIN NOT ATOMIC SET @app_user_id = 'bob'; SELECT note FROM orders; END",
      "SET STATEMENT sql_mode = '' FOR SET @app_user_id = 'bob'",
      "SET ROLE NONE",
      "SHOW VARIABLES WHERE (@app_user_id := 'bob') IS NOT NULL",
      "SELECT 1; SET @app_user_id = 'bob'",
    ],
    eavesdropping: [
      "SHOW PROCESSLIST",
      "SHOW FULL PROCESSLIST",
      "SELECT info FROM information_schema.processlist",
      "SELECT info FROM information_schema.`PROCESSLIST`",
      "SELECT * FROM performance_schema.threads",
      "SELECT * FROM sys.session",
      "SELECT * FROM mysql.general_log",
    ],
    unsafe: {
      "one who may do everything": ["GRANT ALL ON *.* TO $user", /may read every table/],
      "one who may read everything": ["GRANT PROCESS, SELECT ON *.* TO $user", /may read every table/],
    },
    warned: {
      "one who reads a table itself": [
        "GRANT SELECT (id) ON all_orders TO $user",
        /Tables are read past .*\.all_orders/,
      ],
      "one who reads views alone": ["GRANT SELECT ON orders TO $user", /^(?!.*warning).*TLS/s],
    },
    unheld: ["TRUNCATE TABLE orders", "CREATE TABLE mine_now (a int)", "DROP VIEW orders"],
  },
];

/** A bearer token that says who somebody is. */
export const tokenOf = (person: Person): string => `token-of-${person}-0123456789`;

/** Writes the tokens file of everybody; its path. */
export async function writeTokens(folder: string): Promise<string> {
  const path = join(folder, "tokens.json");
  const tokens = people.map((principal) => ({ principal, token: tokenOf(principal), roles: ["use", "write"] }));
  await writeFile(path, JSON.stringify({ tokens }), { mode: 0o600 });
  return path;
}

/** A client that calls with this token. */
export async function connectAs(url: string, token: string | undefined, era: Era): Promise<Client & AsyncDisposable> {
  const client = new McpClient(
    { name: "test", version: "1.0.0" },
    { versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" } },
  );
  const requestInit = token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit }));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

/** What a call answered, parsed: a result or an error. */
export async function answerOf(client: Client, tool: string, args: object, more: object = {}) {
  const { content } = await client.callTool({ name: tool, arguments: { ...args }, ...more });
  const [block] = content;
  return JSON.parse(block?.type === "text" ? block.text : "{}");
}
