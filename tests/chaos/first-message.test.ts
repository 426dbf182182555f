/**
 * A safe read is sent in one go, so its statement runs even where the message before it, which opens the read-only
 * transaction, has failed. Here it fails: what runs then, with no guard in front, still cannot write, and is no answer.
 */
import { expect, test } from "vitest";
import { createConnector as createMysqlConnector } from "../../mcp-mysql/src/connect.js";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { createPool as createMysqlPool } from "../../mcp-mysql/src/pool.js";
import { inTransaction as inMysqlTransaction } from "../../mcp-mysql/src/transaction.js";
import { createConnector as createPostgresConnector } from "../../mcp-postgres/src/connect.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createPool as createPostgresPool } from "../../mcp-postgres/src/pool.js";
import { inTransaction as inPostgresTransaction } from "../../mcp-postgres/src/transaction.js";
import { openFaultProxy } from "../support/fault-proxy.js";
import { engines, outcomeOf, rowsOf } from "./engines.js";

const log = { debug: () => {}, warn: () => {} };
const options = { poolSize: 1, connectTimeoutMs: 3_000, log };
const limits = { signal: new AbortController().signal, timeoutMs: 5_000, maxRows: 10, maxWireBytes: 1_000_000 };

/** Statements sent as a call sends them, without the guard. */
const unguarded = {
  postgres(url: string) {
    const config = postgresKind.parseSource(url, {});
    const pool = createPostgresPool({
      size: 1,
      waitMs: 1_000,
      connect: createPostgresConnector(config, options),
      log,
    });
    const run = (sql: string) =>
      inPostgresTransaction(pool, config.tls, limits, ({ session }) => session.send({ sql, params: [] }));
    return { pool, run };
  },
  mysql(url: string) {
    const config = mysqlKind.parseSource(url, {});
    const pool = createMysqlPool({ size: 1, waitMs: 1_000, connect: createMysqlConnector(config, options), log });
    const run = (sql: string) => inMysqlTransaction(pool, limits, ({ session }) => session.send({ sql }));
    return { pool, run };
  },
};

const openings = {
  postgres: ["BEGIN ISOLATION", "BEGUN ISOLATION"],
  mysql: ["START TRANSACTION READ", "START TRANSACTIUN READ"],
} as const;

test.each(engines)("$name: a failed first message leaves nothing written and is no answer", async (engine) => {
  await using admin = await engine.createDatabase();
  await admin.run("CREATE TABLE t (a int)");
  const { hostname, port } = new URL(admin.url);
  await using proxy = await openFaultProxy({
    host: hostname,
    port: Number(port || (engine.name === "postgres" ? 5432 : 3306)),
  });
  const url = `${proxy.through(admin.url)}?sslmode=disable`;
  const { pool, run } = unguarded[engine.name](url);
  await using _ = pool;
  await run("SELECT 1");
  const [opening, broken] = openings[engine.name];
  proxy.rewrite(opening, broken);
  for (const write of ["INSERT INTO t VALUES (1)", "CREATE TABLE u (a int)", "DROP TABLE t", "DELETE FROM t"]) {
    expect(await outcomeOf(run(write)), write).not.toBe("answered");
    // It did reach the server.
    expect(proxy.countSent(write)).toBe(1);
  }
  expect(await outcomeOf(run("SELECT 1"))).not.toBe("answered");
  await using source = engine.open(url);
  expect(await outcomeOf(rowsOf(source, "SELECT 1"))).not.toBe("answered");
  proxy.heal();
  expect(await rowsOf(source, "SELECT count(*) FROM t")).toEqual([["0"]]);
  expect(await outcomeOf(rowsOf(source, "SELECT 1 FROM u"))).toBe("table_not_found");
  expect(await outcomeOf(run("INSERT INTO t VALUES (2)"))).not.toBe("answered");
});
