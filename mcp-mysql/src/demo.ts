/** The sample shop on MySQL and MariaDB: loaded into any database by multi-row INSERT, or on a private server for `--demo`. */
import { createHash } from "node:crypto";
import {
  createShop,
  type RunningInstance,
  type SampleRow,
  sampleFingerprint,
  sampleTables,
  sampleViews,
  shopName,
} from "@database-interface/mcp-core/sample";
import type { DatabaseKind } from "@database-interface/mcp-core/sql";
import { type Connection, createConnection } from "mariadb";
import { createTables, createViews, quoted } from "./demo-schema.js";
import { startInstance } from "./instance.js";
import { findBinaries } from "./instance-binaries.js";

/** The demo's user: may do anything in the shop, and nothing else. */
const shopUser = "shop";
const rowsPerInsert = 1_000;

/**
 * A private server with the sample shop, where MariaDB is installed.
 * @throws CodedError `demo_unavailable`, `cancelled`
 */
export const startDemo: NonNullable<DatabaseKind["startDemo"]> = async ({ signal, log }) => {
  const binaries = await findBinaries({ signal });
  const content = { key: `shop-${contentHash()}`, fill: fillServer };
  const instance = await startInstance({ binaries, content, signal });
  log.debug("demo_started", { server: "MariaDB", version: binaries.version, port: instance.port });
  return { url: instance.url(shopName, shopUser), [Symbol.asyncDispose]: () => instance[Symbol.asyncDispose]() };
};

/** Of rows and DDL: a change of either makes a new template. */
function contentHash(): string {
  const hash = createHash("sha256").update(sampleFingerprint);
  for (const statement of [...createTables(sampleTables), ...createViews(sampleViews)]) hash.update(statement);
  return hash.digest("hex").slice(0, 16);
}

async function fillServer(instance: RunningInstance): Promise<void> {
  const root = await connect(instance.url("test"));
  try {
    await root.query(`CREATE DATABASE ${quoted(shopName)} CHARACTER SET utf8mb4`);
    await root.query(`CREATE USER ${shopUser}@'127.0.0.1' IDENTIFIED BY '${instance.password}'`);
    await root.query(`GRANT ALL PRIVILEGES ON ${quoted(shopName)}.* TO ${shopUser}@'127.0.0.1'`);
  } finally {
    await root.end();
  }
  await loadShop(instance.url(shopName, shopUser));
}

/** Loads the shop into an empty database; a few seconds at most. */
export async function loadShop(url: string): Promise<void> {
  const { tables, views, rows } = createShop();
  const connection = await connect(url);
  try {
    await connection.query(
      "SET SESSION foreign_key_checks = 0, unique_checks = 0, autocommit = 0, sql_mode = 'STRICT_ALL_TABLES'",
    );
    for (const statement of createTables(tables)) await connection.query(statement);
    for (const { name, columns } of tables) await insert(connection, name, columns.length, rows(name));
    for (const statement of createViews(views)) await connection.query(statement);
    await connection.query("COMMIT");
    await connection.query(`ANALYZE TABLE ${tables.map(({ name }) => quoted(name)).join(", ")}`);
  } finally {
    await connection.end();
  }
}

async function insert(connection: Connection, table: string, width: number, rows: readonly SampleRow[]): Promise<void> {
  const marks = `(${Array.from({ length: width }, () => "?").join(",")})`;
  for (let start = 0; start < rows.length; start += rowsPerInsert) {
    const part = rows.slice(start, start + rowsPerInsert);
    await connection.query(`INSERT INTO ${quoted(table)} VALUES ${part.map(() => marks).join(",")}`, part.flat());
  }
}

/** The URL is one of ours or of the tests: host, port, user, password and database, nothing else. */
function connect(url: string): Promise<Connection> {
  const { hostname, port, username, password, pathname } = new URL(url);
  return createConnection({
    host: hostname,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    charset: "utf8mb4",
  });
}
