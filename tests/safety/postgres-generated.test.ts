/** Ten thousand statements by PostgreSQL's grammar, a third of them with harm inside, run as superuser. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { collect } from "../postgres/open.js";
import type { World } from "./corpus.js";
import { type Outcome, runGenerated } from "./generated.js";
import { postgresDialect } from "./postgres-dialect.js";
import { openPostgresWorld, postgresSchemas } from "./postgres-world.js";

let world: World;
let source: Database;
beforeAll(async () => {
  world = await openPostgresWorld();
  source = postgresKind.open(postgresKind.parseSource(world.database.url, {}), {
    poolSize: 8,
    connectTimeoutMs: 5_000,
    schemas: postgresSchemas,
    log: { debug: () => {}, warn: () => {} },
  });
}, 120_000);
afterAll(async () => {
  await source?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function run(sql: string): Promise<Outcome> {
  try {
    await collect(source, sql, [], { timeoutMs: 5_000, maxRows: 50 });
    return {};
  } catch (thrown) {
    const { code, sqlstate } = Object(thrown);
    if (code === undefined) throw thrown;
    // The parser's own errors have a state as well, and are found before anything is sent.
    return { code, serverError: code === "syntax_error" ? undefined : sqlstate, message: String(thrown) };
  }
}

test("no harm passes, everything ordinary runs, and nothing changes", async () => {
  const isDataError = ({ serverError }: Outcome) => /^22/.test(String(serverError));
  const { ran, refused } = await runGenerated({ world, dialect: postgresDialect, run, isDataError }, 10_000);
  expect(ran).toBeGreaterThan(6_000);
  expect(refused).toBeGreaterThan(2_500);
}, 240_000);
