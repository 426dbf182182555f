/** Fresh databases on the real servers, one per test file, dropped when disposed. */
import { randomBytes } from "node:crypto";
import { createConnection } from "mariadb";
import postgres from "postgres";
import { mysqlUrl, postgresUrl } from "./services.js";

/** A database of its own: its URL as administrator, a way to run set-up SQL, gone on dispose. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string;
  readonly url: string;
  /** Runs a script of any number of statements as administrator; resolves to the last statement's rows. */
  run(sql: string): Promise<readonly Record<string, unknown>[]>;
}

const freshName = (): string => `t_${process.pid}_${randomBytes(4).toString("hex")}`;

function withDatabase(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** A new PostgreSQL database. @param server an administrator's URL */
export async function createPostgresDatabase(server = postgresUrl()): Promise<TestDatabase> {
  const name = freshName();
  const admin = postgres(server, { max: 1, onnotice: () => {} });
  await admin.unsafe(`CREATE DATABASE ${name}`);
  const url = withDatabase(server, name);
  const own = postgres(url, { max: 1, onnotice: () => {} });
  return {
    name,
    url,
    async run(sql) {
      return [...(await own.unsafe(sql))];
    },
    async [Symbol.asyncDispose]() {
      await own.end({ timeout: 1 });
      await admin.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await admin.end({ timeout: 1 });
    },
  };
}

/** A new MariaDB (or MySQL) database. @param server an administrator's URL */
export async function createMysqlDatabase(server = mysqlUrl()): Promise<TestDatabase> {
  const name = freshName();
  const { hostname, port, username, password } = new URL(server);
  const own = await createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    multipleStatements: true,
  });
  // A server that goes away is the next statement's error, not the process's.
  own.on("error", () => {});
  await own.query(`CREATE DATABASE ${name} CHARACTER SET utf8mb4; USE ${name}`);
  return {
    name,
    url: withDatabase(server, name),
    async run(sql) {
      const result: unknown = await own.query(sql);
      return Array.isArray(result) ? result : [];
    },
    async [Symbol.asyncDispose]() {
      await own.query(`DROP DATABASE IF EXISTS ${name}`);
      await own.end();
    },
  };
}
