/** Somebody else's statement, of the same user on the same database: no ending of ours may touch it. */
import { createConnection } from "mariadb";
import postgres from "postgres";
import type { TestDatabase } from "../support/databases.js";
import type { Engine } from "./engines.js";

const seconds = 86_400;

export async function openBystander(engine: Engine, database: TestDatabase, marker: string): Promise<AsyncDisposable> {
  return engine.name === "postgres" ? onPostgres(database, marker) : await onMysql(database, marker);
}

function onPostgres(database: TestDatabase, marker: string): AsyncDisposable {
  const sql = postgres(database.url, { max: 1 });
  sql.unsafe(`SELECT pg_sleep(${seconds}) AS ${marker}`).catch(() => {});
  return { [Symbol.asyncDispose]: () => sql.end({ timeout: 0 }) };
}

async function onMysql(database: TestDatabase, marker: string): Promise<AsyncDisposable> {
  const { hostname, port, username, password, pathname } = new URL(database.url);
  const connection = await createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  });
  connection.query(`SELECT SLEEP(${seconds}) AS ${marker}`).catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      await database.run(`KILL ${connection.threadId}`);
    },
  };
}
