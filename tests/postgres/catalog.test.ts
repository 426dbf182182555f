/** The catalogue: what is found, how tables are described, what this user may not see, and 2,000 tables. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { codeOf, limits, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`
    CREATE SCHEMA shop; CREATE SCHEMA "Secret"; COMMENT ON SCHEMA shop IS 'what is sold';
    CREATE TYPE shop.state AS ENUM ('new', 'paid', 'it''s, "odd"');
    CREATE DOMAIN shop.price AS numeric(10,2) NOT NULL CHECK (VALUE >= 0);
    CREATE TABLE shop.customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text UNIQUE NOT NULL,
      parent bigint REFERENCES shop.customers);
    CREATE TABLE shop.orders (
      id int PRIMARY KEY, customer_id bigint NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
      state shop.state DEFAULT 'new', total shop.price, tags text[], doubled numeric GENERATED ALWAYS AS (id * 2) STORED,
      placed timestamptz(3) DEFAULT now(), CONSTRAINT positive CHECK (id > 0));
    COMMENT ON TABLE shop.orders IS 'each order'; COMMENT ON COLUMN shop.orders.total IS 'in euro';
    CREATE INDEX by_state ON shop.orders (state, placed DESC) WHERE total > 10;
    CREATE VIEW shop.paid AS SELECT id FROM shop.orders WHERE state = 'paid';
    CREATE MATERIALIZED VIEW shop.daily AS SELECT count(*) AS n FROM shop.orders;
    CREATE TABLE shop.events (at date NOT NULL, kind text) PARTITION BY RANGE (at);
    CREATE TABLE shop.events_2024 PARTITION OF shop.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
    CREATE FUNCTION shop.tax(amount numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT amount * 0.2';
    CREATE TABLE "Secret"."Odd ""Name" ("a b" int);
    INSERT INTO shop.customers (email) SELECT g FROM generate_series(1, 1000) AS g; ANALYZE shop.customers;
  `);
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const search = async (criteria: object, from: Database = source) =>
  (await from.catalog.search({ limit: 50, ...criteria }, limits())).map(
    ({ kind, schema, name, table }) => `${kind} ${schema}.${table === undefined ? "" : `${table}.`}${name}`,
  );

test("schemas are the user's own, not the system's", async () => {
  expect(await source.catalog.schemas(limits())).toEqual(["Secret", "public", "shop"]);
});

test.each<[object, string[]]>([
  [{ pattern: "ORDER" }, ["table shop.orders", "index shop.orders.orders_pkey"]],
  [{ pattern: "order*", kind: "table" }, ["table shop.orders"]],
  [{ pattern: "*_2024" }, ["table shop.events_2024"]],
  [{ pattern: "customer_id" }, ["column shop.orders.customer_id"]],
  [{ kind: "view" }, ["view shop.daily", "view shop.paid"]],
  [{ kind: "function" }, ["function shop.tax"]],
  [{ kind: "schema", pattern: "s%" }, ["schema Secret.Secret", "schema shop.shop"]],
  [{ kind: "index", schema: "shop", pattern: "by_" }, ["index shop.orders.by_state"]],
  [{ schema: "Secret" }, ['table Secret.Odd "Name', "schema Secret.Secret", 'column Secret.Odd "Name.a b']],
  [{ pattern: "no'such\\thing" }, []],
  [{ kind: "table", limit: 2 }, ['table Secret.Odd "Name', "table shop.customers"]],
])("search %j", async (criteria, expected) => {
  expect(await search(criteria)).toEqual(expected);
});

test("a table in full", async () => {
  const described = await source.catalog.describe({ schema: "shop", name: "orders" }, limits());
  expect(described).toMatchObject({
    schema: "shop",
    name: "orders",
    kind: "table",
    comment: "each order",
    primaryKey: ["id"],
    columns: [
      { name: "id", type: "integer", nullable: false },
      { name: "customer_id", type: "bigint", nullable: false },
      {
        name: "state",
        type: "shop.state",
        nullable: true,
        default: "'new'::shop.state",
        values: ["new", "paid", 'it\'s, "odd"'],
      },
      {
        name: "total",
        type: "shop.price (numeric(10,2) CHECK (VALUE >= 0::numeric))",
        nullable: false,
        comment: "in euro",
      },
      { name: "tags", type: "text[]" },
      { name: "doubled", default: "GENERATED ALWAYS AS ((id * 2)) STORED" },
      { name: "placed", type: "timestamp(3) with time zone", default: "now()" },
    ],
    constraints: ["positive CHECK (id > 0)"],
    references: [
      {
        columns: ["customer_id"],
        schema: "shop",
        table: "customers",
        referencedColumns: ["id"],
        actions: "ON DELETE CASCADE",
      },
    ],
    referencedBy: [],
  });
  expect(described.indexes.map(({ name }) => name)).toEqual(["orders_pkey", "by_state"]);
  expect(described.sizeBytes).toBeGreaterThan(0);
});

test("the other side of foreign keys, estimates, identity, and a table that refers to itself", async () => {
  const described = await source.catalog.describe({ name: "customers" }, limits());
  expect(described.rowEstimate).toBe(1_000);
  expect(described.columns[0]).toMatchObject({ default: "GENERATED ALWAYS AS IDENTITY" });
  expect(described.references.map(({ table, columns }) => `${table} ${columns}`)).toEqual(["customers parent"]);
  expect(described.referencedBy.map(({ table, columns }) => `${table} ${columns}`)).toEqual([
    "customers parent",
    "orders customer_id",
  ]);
});

test.each([
  ["paid", "view"],
  ["daily", "materialized view"],
  ["events", "partitioned table by RANGE (at)"],
  ["events_2024", "table (partition)"],
  ['Odd "Name', "table"],
])("%s is a %s", async (name, kind) => {
  const described = await source.catalog.describe({ name }, limits());
  expect(described.kind).toBe(kind);
  if (kind.endsWith("view")) expect(described.viewDefinition).toContain("SELECT");
});

test("a table that is not there is named", async () => {
  await expect(source.catalog.describe({ schema: "shop", name: "ordres" }, limits())).rejects.toMatchObject({
    code: "table_not_found",
    missing: { kind: "table", name: "ordres", schema: "shop" },
  });
});

test("the schemas option hides the rest from every question", async () => {
  const { postgresKind } = await import("../../mcp-postgres/src/kind.js");
  const log = { debug: () => {}, warn: () => {} };
  const config = postgresKind.parseSource(database.url, {});
  await using own = postgresKind.open(config, { poolSize: 1, connectTimeoutMs: 5_000, schemas: ["shop"], log });
  expect(await own.catalog.schemas(limits())).toEqual(["shop"]);
  expect(await search({ schema: "Secret" }, own)).toEqual([]);
  expect(await codeOf(own.catalog.describe({ schema: "Secret", name: 'Odd "Name' }, limits()))).toBe("table_not_found");
});

test("only what the user may read is listed", async () => {
  const role = `r_${database.name}`;
  await database.run(`CREATE ROLE ${role} LOGIN PASSWORD 'reader'; GRANT USAGE ON SCHEMA shop TO ${role};
    GRANT SELECT (id) ON shop.orders TO ${role}; REVOKE ALL ON FUNCTION shop.tax FROM PUBLIC`);
  try {
    await using own = openSource(database.url.replace(/\/\/[^@]*@/, `//${role}:reader@`));
    expect(await own.catalog.schemas(limits())).toEqual(["public", "shop"]);
    expect(await search({ kind: "table" }, own)).toEqual(["table shop.orders"]);
    expect(await search({ kind: "column" }, own)).toEqual(["column shop.orders.id"]);
    expect(await search({ kind: "function" }, own)).toEqual([]);
    const described = await own.catalog.describe({ name: "orders" }, limits());
    expect(described.columns.map(({ name }) => name)).toEqual(["id"]);
    expect((await own.check(limits())).warnings).toEqual([]);
  } finally {
    await database.run(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

describe("2,000 tables", () => {
  beforeAll(async () => {
    await database.run("CREATE SCHEMA many");
    for (let first = 1; first <= 2_000; first += 200) {
      const numbers = Array.from({ length: 200 }, (_, index) => first + index);
      const create = (n: number) =>
        `CREATE TABLE many.table_${n} (id int PRIMARY KEY, name text, parent int REFERENCES shop.orders);`;
      await database.run(numbers.map(create).join("\n"));
    }
    await database.run("ANALYZE pg_class; ANALYZE pg_attribute; ANALYZE pg_constraint; ANALYZE pg_index");
  });

  test.each<[string, () => Promise<unknown>, number]>([
    ["search everything", () => source.catalog.search({ pattern: "name", limit: 50 }, limits()), 1_000],
    ["search a table", () => source.catalog.search({ pattern: "table_77", kind: "table", limit: 50 }, limits()), 1_000],
    ["describe a table", () => source.catalog.describe({ name: "table_777" }, limits()), 1_000],
    ["describe the table all refer to", () => source.catalog.describe({ name: "orders" }, limits()), 2_000],
  ])("%s", async (name, run, deadlineMs) => {
    await run();
    const times: number[] = [];
    for (let round = 0; round < 5; round++) {
      const startedAt = performance.now();
      await run();
      times.push(performance.now() - startedAt);
    }
    const median = times.sort((one, other) => one - other)[2] ?? 0;
    if (process.env.SHOW_TIMES) console.log(`${name}: ${median.toFixed(1)} ms`);
    expect(median).toBeLessThan(deadlineMs);
  });
});
