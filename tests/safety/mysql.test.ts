/**
 * The public corpora on MySQL or MariaDB, as root and as an ordinary user: no attack has an effect, every ordinary
 * statement runs. After each attack everything that could have changed is compared with what it was.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { answerOf, openSource } from "../mysql/open.js";
import { corpusRows, type World } from "./corpus.js";
import { mysqlSessionSql, openMysqlWorld } from "./mysql-world.js";

const attacks = await corpusRows("attacks.mysql.jsonl");
const benign = await corpusRows("benign.mysql.jsonl");
const timeoutMs = 1_000;

let world: World;
beforeAll(async () => {
  world = await openMysqlWorld();
}, 120_000);
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
});

/** What the call answered, rows or error, as text. */
async function reply(source: Database, sql: string): Promise<string> {
  try {
    const changes = { timeoutMs, maxWireBytes: 8_000_000, maxRows: 100 };
    return JSON.stringify((await answerOf(source, world.fill(sql), [], changes)).rows);
  } catch (thrown) {
    if (!(thrown instanceof Error) || !("code" in thrown)) throw thrown;
    return `error ${thrown.code}: ${thrown.message}`;
  }
}

describe.each(["root", "ordinary user"])("as %s", (who) => {
  const open = () => openSource(world.urlOf(who === "root" ? "" : world.user), { poolSize: 1 });

  test("every attack is without effect", async () => {
    await using source = open();
    const fresh = await reply(source, mysqlSessionSql);
    expect(fresh).toContain("utf8mb4");
    const before = await world.state();
    expect(before).toContain("1untouched");
    const failures: string[] = [];
    for (const { id, sql, then = [], leak, policy } of attacks) {
      const startedAt = performance.now();
      const replies = [await reply(source, sql)];
      for (const next of then) replies.push(await reply(source, next));
      const elapsedMs = performance.now() - startedAt;
      const fail = (why: string) => failures.push(`${id}: ${why}: ${sql.slice(0, 100)}`);
      if (elapsedMs > (timeoutMs + 2_500) * replies.length) fail(`took ${Math.round(elapsedMs)} ms`);
      // what these would do may be undone behind them, unseen
      if (id.includes("-own-") && replies.every((text) => !text.startsWith("error "))) fail("ran");
      if (leak !== undefined && policy === undefined && replies.some((text) => text.includes(leak))) fail("leaked");
      const after = await world.state();
      if (after !== before) fail(`changed ${after}`);
      const session = await reply(source, mysqlSessionSql);
      if (session !== fresh) fail(`left ${session}`);
    }
    expect(failures, before).toEqual([]);
    expect(process.memoryUsage().rss).toBeLessThan(600_000_000);
  }, 300_000);

  test("every ordinary statement runs", async () => {
    await using source = open();
    const failures: string[] = [];
    for (const { id, sql, needs } of benign) {
      const text = await answerOf(source, world.fill(sql), [], { timeoutMs: 10_000 }).then(
        () => "",
        (thrown: unknown) => `${String(thrown)} ${Reflect.get(Object(thrown), "errno")}`,
      );
      // What a function does is not believed where the user may not read it.
      if (needs === "body" && who !== "root") expect(text, id).toContain("its body may not be read by this user");
      else if (text !== "") failures.push(`${id}: ${text}: ${sql.slice(0, 120)}`);
    }
    expect(failures).toEqual([]);
  }, 120_000);
});
