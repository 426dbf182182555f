/** A password that is changed on the server and in the command is taken up by the next connection, on both engines. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database, DatabaseOptions } from "../../mcp-core/src/sql/database.js";
import { createPasswordCommand } from "../../mcp-core/src/sql/password-command.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { collect } from "../postgres/open.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { startMariadb } from "../support/mariadb-instances.js";
import { startPostgres } from "../support/postgres-standby.js";

const user = `rotating_${process.pid}`;
const engines = [
  {
    name: "PostgreSQL",
    start: startPostgres,
    system: "postgres",
    create: createPostgresDatabase,
    open: (url: string, options: DatabaseOptions) => postgresKind.open(postgresKind.parseSource(url, {}), options),
    account: [`CREATE ROLE ${user} LOGIN PASSWORD 'first'`],
    change: `ALTER ROLE ${user} PASSWORD 'second'`,
  },
  {
    name: "MariaDB",
    start: startMariadb,
    system: "test",
    create: createMysqlDatabase,
    open: (url: string, options: DatabaseOptions) => mysqlKind.open(mysqlKind.parseSource(url, {}), options),
    account: [`CREATE USER ${user}@'%' IDENTIFIED BY 'first'`, `GRANT SELECT ON *.* TO ${user}@'%'`],
    change: `ALTER USER ${user}@'%' IDENTIFIED BY 'second'`,
  },
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rotation-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe.each(engines)("$name", ({ start, system, create, open, account, change }) => {
  // Of its own: one that trusts whoever connects knows no wrong password.
  let server: Awaited<ReturnType<typeof start>>;
  let database: TestDatabase;
  beforeAll(async () => {
    server = await start();
    database = await create(server.url(system));
    for (const sql of account) await database.run(sql);
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  function openWith(password: () => Promise<string>): Database {
    const url = Object.assign(new URL(database.url), { username: user, password: "" }).href;
    return open(url, { poolSize: 1, connectTimeoutMs: 5_000, password, log: { debug: () => {}, warn: () => {} } });
  }

  test("the second connection asks the command again", async () => {
    const file = join(folder, "password");
    await writeFile(file, "first\n");
    const password = createPasswordCommand(`cat '${file}'`);
    await using source = openWith(password);
    await collect(source, "SELECT 1");
    await writeFile(file, "second\n");
    await database.run(change);
    // The first connection lives on, another needs the new password.
    await using other = openWith(password);
    for (const open of [source, other]) expect((await collect(open, "SELECT 1")).rows).toEqual([["1"]]);
  });

  test("a command that fails is told apart from a password that does not fit", async () => {
    await using failing = openWith(createPasswordCommand("exit 4"));
    await expect(collect(failing, "SELECT 1")).rejects.toMatchObject({
      code: "authentication_failed",
      message: expect.stringContaining("code 4"),
      hint: expect.stringContaining("--password-command"),
    });
    await using wrong = openWith(createPasswordCommand("echo nonsense"));
    await expect(collect(wrong, "SELECT 1")).rejects.toMatchObject({
      code: "authentication_failed",
      message: expect.not.stringContaining("command"),
    });
  });
});
