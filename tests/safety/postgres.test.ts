/**
 * The public corpora on PostgreSQL, as superuser and as an ordinary user: no attack has an effect, every ordinary
 * statement runs. After each attack everything that could have changed is compared with what it was.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { collect } from "../postgres/open.js";
import { corpusRows, type World } from "./corpus.js";
import { openPostgresWorld, postgresSchemas, postgresSessionSql } from "./postgres-world.js";

const attacks = await corpusRows("attacks.pg.jsonl");
const benign = await corpusRows("benign.pg.jsonl");
const timeoutMs = 1_000;

let world: World;
beforeAll(async () => {
  world = await openPostgresWorld();
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

const openAs = (role: string): Database =>
  postgresKind.open(postgresKind.parseSource(world.urlOf(role), {}), {
    poolSize: 1,
    connectTimeoutMs: 5_000,
    schemas: postgresSchemas,
    log: { debug: () => {}, warn: () => {} },
  });

/** What the call answered, rows or error, as text. */
async function answer(source: Database, sql: string): Promise<string> {
  try {
    const changes = { timeoutMs, maxWireBytes: 4_000_000, maxRows: 100 };
    return JSON.stringify((await collect(source, world.fill(sql), [], changes)).rows);
  } catch (thrown) {
    if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) throw thrown;
    if (process.env.SHOW_ANSWERS) console.log(sql.slice(0, 100), "=>", thrown.code, String(thrown));
    return `error ${thrown.code}: ${String(thrown)}`;
  }
}

describe.each(["superuser", "ordinary user"])("as %s", (who) => {
  const role = () => (who === "superuser" ? "" : world.user);
  test("every attack is without effect", async () => {
    await using source = openAs(role());
    const fresh = JSON.stringify((await collect(source, postgresSessionSql)).rows);
    const before = await world.state();
    const failures: string[] = [];
    for (const attack of attacks) {
      const startedAt = performance.now();
      const answers = [await answer(source, attack.sql)];
      for (const next of attack.then ?? []) answers.push(await answer(source, next));
      const elapsedMs = performance.now() - startedAt;
      const fail = (why: string) => failures.push(`${attack.id}: ${why}: ${attack.sql.slice(0, 100)}`);
      if (elapsedMs > (timeoutMs + 2_500) * answers.length) fail(`took ${Math.round(elapsedMs)} ms`);
      // what these would do may be undone behind them, unseen
      if (attack.id.includes("-own-") && !answers.some((text) => text.startsWith("error "))) fail("ran");
      if (attack.leak !== undefined && answers.some((text) => text.includes(attack.leak ?? ""))) fail("leaked");
      if (process.env.SHOW_ANSWERS && !answers[0]?.startsWith("error"))
        console.log("PASSED", attack.id, attack.sql.slice(0, 150));
      const after = await world.state();
      if (after !== before) fail(`changed ${after}`);
      const session = JSON.stringify((await collect(source, postgresSessionSql)).rows);
      if (session !== fresh) fail(`left ${session}`);
      if (failures.length > 20) break;
    }
    expect(failures, before).toEqual([]);
  }, 300_000);

  test("every ordinary statement runs", async () => {
    await using source = openAs(role());
    const failures: string[] = [];
    const [row = {}] = await world.database.run("SHOW shared_preload_libraries");
    const preloaded = String(Object.values(row)[0] ?? "");
    for (const { id, sql } of benign) {
      // Without its library the view itself refuses every reader.
      if (sql.includes("pg_stat_statements") && !preloaded.includes("pg_stat_statements")) continue;
      const text = await collect(source, world.fill(sql), [], { timeoutMs: 10_000 }).then(
        () => "",
        (thrown: unknown) => `${String(thrown)} ${(thrown as { sqlstate?: string }).sqlstate}`,
      );
      // What this user may not read is the database's own answer, not ours.
      if (text !== "" && !text.includes("42501")) failures.push(`${id}: ${text}: ${sql.slice(0, 120)}`);
    }
    expect(failures).toEqual([]);
  }, 120_000);
});
