/**
 * `--print-grants`: the SQL it prints makes a role that reads exactly what the settings show, held by the database alone:
 * tried on the real servers, with the driver and nothing of ours in between.
 */
import { randomBytes } from "node:crypto";
import { createConnection } from "mariadb";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { rowsEngines } from "./whose-rows.js";

type Rows = readonly (readonly unknown[])[];

interface GrantsEngine {
  readonly name: string;
  readonly run: (typeof rowsEngines)[number]["run"];
  create(): Promise<TestDatabase>;
  /** SQL of tables in the database itself and in a second schema, `$hr`, with what stands for a generated number. */
  readonly hr: (database: TestDatabase) => string;
  readonly views: (role: string) => string;
  /** One statement as the role. */
  ask(url: string, role: string, sql: string): Promise<Rows>;
  drop(role: string, hr: string): string;
}

const password = "granted-to-read";

const grantsEngines: readonly GrantsEngine[] = [
  {
    name: "postgres",
    run: rowsEngines[0].run,
    create: createPostgresDatabase,
    hr: () => "hr",
    views: (role) => `${role}_views`,
    async ask(url, role, sql) {
      const own = new URL(url);
      own.username = role;
      own.password = password;
      const connection = postgres(own.href, { max: 1, onnotice: () => {} });
      try {
        return await connection.unsafe(sql).values();
      } finally {
        await connection.end({ timeout: 1 });
      }
    },
    drop: (role) => `DROP OWNED BY ${role}; DROP ROLE ${role}`,
  },
  {
    name: "mysql",
    run: rowsEngines[1].run,
    create: createMysqlDatabase,
    hr: ({ name }) => `${name}_hr`,
    views: (role) => `${role}_views`,
    async ask(url, role, sql) {
      const { hostname, port, pathname } = new URL(url);
      const connection = await createConnection({
        host: hostname,
        port: Number(port || 3306),
        user: role,
        password,
        database: pathname.slice(1),
        rowsAsArray: true,
      });
      try {
        return await connection.query(sql);
      } finally {
        await connection.end();
      }
    },
    drop: (role, hr) => `DROP USER ${role}@'%'; DROP DATABASE ${role}_views; DROP DATABASE ${hr}`,
  },
];

describe.each(grantsEngines)("$name", (engine) => {
  const role = `r_${randomBytes(4).toString("hex")}`;
  let database: TestDatabase;
  let hr: string;
  let printed: Awaited<ReturnType<GrantsEngine["run"]>>;
  const own = () => (engine.name === "postgres" ? "public" : database.name);

  beforeAll(async () => {
    database = await engine.create();
    hr = engine.hr(database);
    await database.run(`
      CREATE TABLE users (id int PRIMARY KEY, name varchar(20), email varchar(50), password varchar(20));
      INSERT INTO users VALUES (1, 'Ada', 'ada@example.com', 'secret-1');
      CREATE TABLE orders (id int PRIMARY KEY, total int);
      INSERT INTO orders VALUES (7, 70);
      CREATE VIEW names AS SELECT id, name, password FROM users;
      CREATE VIEW lengths AS SELECT id, length(password) AS size FROM users;
      CREATE SCHEMA ${hr};
      CREATE TABLE ${hr}.people (id int, salary int);
      INSERT INTO ${hr}.people VALUES (1, 1000000);`);
    printed = await engine.run([
      database.url,
      ...["--schemas", own(), "--deny-columns", "*.password", "--mask", "users.email=last4"],
      ...["--log-level", "error", "--print-grants", role],
    ]);
    await database.run(printed.text.replace("CHANGE-ME'", `${password}'`));
  });
  afterAll(async () => {
    await database?.run(engine.drop(role, hr)).catch(() => {});
    await database?.[Symbol.asyncDispose]();
  });
  const ask = (sql: string) => engine.ask(database.url, role, sql);

  test("it is printed whole, with a placeholder for the password, and the exit code is 0", () => {
    expect(printed.code).toBe(0);
    expect(printed.text).toContain("'CHANGE-ME'");
    expect(printed.text).toMatch(/lengths is left out/);
    const { password: secret } = new URL(database.url);
    if (secret !== "") expect(printed.text).not.toContain(secret);
  });

  test.each([
    ["a table without rules", () => "SELECT * FROM orders", [[7, 70]]],
    [
      "the other columns of a table with a denied and a masked one",
      () => "SELECT id, name FROM $own.users",
      [[1, "Ada"]],
    ],
    ["the mask, in a view", () => "SELECT * FROM $views.users", [[1, "Ada", "***.com"]]],
    ["what a view passes on of the others", () => "SELECT id, name FROM $own.names", [[1, "Ada"]]],
  ])("the role reads %s", async (_, sql, rows) => {
    expect(await ask(sql().replace("$own", own()).replace("$views", engine.views(role)))).toEqual(rows);
  });

  test.each([
    ["a denied column", "SELECT password FROM $own.users"],
    ["all columns", "SELECT * FROM $own.users"],
    ["a masked column itself", "SELECT email FROM $own.users"],
    ["a denied column in a predicate", "SELECT id FROM $own.users WHERE password LIKE 's%'"],
    ["a denied column through a view", "SELECT password FROM $own.names"],
    ["a view that computes on one", "SELECT size FROM $own.lengths"],
    ["another schema", "SELECT * FROM $hr.people"],
    ["a write", "INSERT INTO $own.orders VALUES (8, 80)"],
    ["an update", "UPDATE $own.orders SET total = 0"],
    ["a table of its own", "CREATE TABLE $own.mine (a int)"],
  ])("the database refuses the role %s", async (_, sql) => {
    await expect(ask(sql.replace("$own", own()).replace("$hr", hr))).rejects.toThrow();
    expect(await database.run("SELECT * FROM orders")).toMatchObject([{ id: 7, total: 70 }]);
  });

  test("a name that is none is misuse, and a source that does not answer gives an error and no SQL", async () => {
    expect(await engine.run([database.url, "--print-grants", "x'; DROP TABLE users"])).toMatchObject({ code: 2 });
    const away = new URL(database.url);
    away.port = "1";
    const { code, text } = await engine.run([away.href, "--log-level", "error", "--print-grants", role]);
    expect(code).toBe(1);
    expect(text).toContain("[connection_failed]");
    expect(text).not.toContain("CREATE");
  });
});
