/** `db-agent eval` over the sample shop: recorded answers come over the real wire, and the score is exactly what they deserve. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { playRecording, readRecording } from "../../examples/eval/play-recording.mjs";
import { loadShop } from "../../mcp-postgres/src/demo.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { eventually, runAgent, temporaryFolder } from "./support.js";

vi.setConfig({ testTimeout: 180_000 }); // fifty questions, each looked at, planned and run

const example = (name: string): string => fileURLToPath(new URL(`../../examples/eval/${name}`, import.meta.url));
const recording = readRecording(example("shop-answers.jsonl"));
const wrongOnPurpose = ["cancelled-share", "cheapest-products"];
const total = 49;
const folder = temporaryFolder();
let database: TestDatabase;
let gateway: RunningServer;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await loadShop(database.url);
  const config = join(folder.path, "gateway.json");
  writeFileSync(config, JSON.stringify({ databases: { shop: database.url } }), { mode: 0o600 });
  gateway = await startHttpServer(executable("mcp-gateway"), ["--config", config, "--port", "0"]);
}, 120_000);
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

/** Runs the shop's cases against a recording. */
async function evaluate(answers: ReadonlyMap<string, readonly string[]>, args: readonly string[] = [], cases?: string) {
  const model = await playRecording(answers);
  try {
    const ended = await runAgent(["eval", cases ?? example("shop.yaml"), "-o", "json", "-q", ...args], {
      environment: {
        MCP_GATEWAY_URL: gateway.url,
        DB_AGENT_MODEL: "recorded",
        DB_AGENT_MODEL_URL: model.url,
        DB_AGENT_MODEL_PRICE: "1/2",
        DB_AGENT_KNOWLEDGE: join(folder.path, "knowledge"),
      },
    });
    return { ...ended, scorecard: ended.stdout === "" ? undefined : JSON.parse(ended.stdout) };
  } finally {
    await model.close();
  }
}

interface CaseVerdict {
  readonly name: string;
  readonly status: string;
  readonly reason?: string;
}
const notRight = (scorecard: { cases: readonly CaseVerdict[] }) =>
  Object.fromEntries(
    scorecard.cases.filter(({ status }) => status !== "right").map(({ name, reason }) => [name, reason]),
  );

test("the recorded answers are right whatever their columns, names and formats; two are wrong on purpose", async () => {
  const { code, scorecard, stderr } = await evaluate(recording, ["--min-score", "95%"]);
  expect(stderr).toBe("");
  expect(Object.keys(notRight(scorecard)).sort()).toEqual(wrongOnPurpose);
  expect(scorecard).toMatchObject({ name: "The sample shop", right: 47, total, score: 47 / total, broken: 0 });
  expect(scorecard.byTag["wrong-on-purpose"]).toEqual({ right: 0, total: 2, score: 0 });
  expect(scorecard.cases.find(({ name }: CaseVerdict) => name === "duplicate-customers")).toMatchObject({ repairs: 1 });
  expect(scorecard.usage.cost).toBeCloseTo((scorecard.usage.inputTokens + 2 * scorecard.usage.outputTokens) / 1e6, 9);
  expect(code).toBe(0);
});

describe("a wrong answer", () => {
  const sql = (statement: string): readonly string[] => [`\`\`\`sql\n${statement}\n\`\`\``];
  const wrong: Readonly<Record<string, readonly [question: string, answers: readonly string[], reason: string]>> = {
    customers: ["How many customers are there?", sql("SELECT count(*) + 1 FROM customers"), "no column has"],
    "orders-by-status": [
      "How many orders are there in each status?",
      sql("SELECT status, count(*) FROM orders WHERE status <> 'paid' GROUP BY status"),
      "6 rows expected, 5 found",
    ],
    "best-supplier": [
      "Which supplier has the best rating? Name and rating; on a tie the first by name.",
      sql("SELECT name FROM suppliers ORDER BY rating DESC, name LIMIT 1"),
      "2 columns expected, 1 found",
    ],
    "reviews-by-rating": [
      "How many reviews are there for each number of stars, best first?",
      sql("SELECT rating, count(*) FROM reviews GROUP BY rating ORDER BY rating"),
      "the rows are right, and stand in another order",
    ],
    weather: [
      "What was the weather when the last order was placed?",
      sql("SELECT 'sunny' AS weather FROM orders LIMIT 1"),
      "it answered what cannot be answered",
    ],
    refunds: ["How much was refunded, as a positive amount?", ["CANNOT: no"], "it said that it cannot answer"],
    "active-products": [
      "How many products are active?",
      Array.from({ length: 3 }, () => "```sql\nSELECT count(*) FROM product WHERE active\n```"),
      "question_unanswered",
    ],
    "german-speakers": ["How many customers prefer German?", ["CLARIFY: which? | a | b"], "it asked back"],
  };

  test("lowers the score by exactly one case, and says why", async () => {
    const changed = new Map(recording);
    for (const [question, answers] of Object.values(wrong)) changed.set(question, answers);
    const { code, scorecard, stderr } = await evaluate(changed, ["--min-score", "0.9"]);
    const reasons = notRight(scorecard);
    expect(Object.keys(reasons).sort()).toEqual([...Object.keys(wrong), ...wrongOnPurpose].sort());
    for (const [name, [, , reason]] of Object.entries(wrong)) expect(reasons[name]).toContain(reason);
    expect(scorecard.right).toBe(47 - Object.keys(wrong).length);
    expect(code).toBe(1);
    expect(stderr).toContain("The score is below 0.9");
  });
});

test("what was judged is kept, and only what is missing or has changed is asked again", async () => {
  const report = join(folder.path, "report.json");
  const [first] = [recording.get("How many customers are there?") ?? []];
  const some = new Map([["How many customers are there?", first]]);
  const cut = await evaluate(some, ["--only", "customers", "--report", report]);
  expect({ code: cut.code, right: cut.scorecard.right }).toEqual({ code: 0, right: 1 });
  expect(existsSync(`${report}.partial`)).toBe(false);

  const others = new Map(recording);
  others.delete("How many customers are there?"); // asked again, it would be wrong
  const resumed = await evaluate(others, ["--only", "customers,orders", "--report", report, "--resume"]);
  expect(resumed.scorecard).toMatchObject({ right: 2, total: 2 });

  const cases = join(folder.path, "changed.yaml");
  const text = readFileSync(example("shop.yaml"), "utf8");
  writeFileSync(cases, text.replace("sql: SELECT count(*) FROM customers", "sql: SELECT count(id) FROM customers"));
  const changed = await evaluate(others, ["--only", "customers,orders", "--report", report, "--resume"], cases);
  expect(notRight(changed.scorecard)).toHaveProperty("customers");
});

test("a case that cannot be judged fails the run, whatever the score", async () => {
  const cases = join(folder.path, "broken.yaml");
  writeFileSync(cases, "cases:\n  - {name: odd, question: How many customers are there?, sql: SELECT nothing}\n");
  const { code, scorecard } = await evaluate(recording, [], cases);
  expect(code).toBe(1);
  expect(scorecard.cases[0]).toMatchObject({ status: "broken", reason: expect.stringContaining("column_not_found") });
});

describe("what goes wrong for all cases ends it", () => {
  const run = (args: readonly string[], environment = {}, input = "") =>
    runAgent(["eval", ...args], { environment: { MCP_GATEWAY_URL: gateway.url, ...environment }, input });

  test.each([
    ["no model", [example("shop.yaml")], {}, 2, "[model_unset]"],
    [
      "a model nobody hears",
      [example("shop.yaml"), "--only", "orders"],
      { DB_AGENT_MODEL: "m", DB_AGENT_MODEL_URL: "http://127.0.0.1:9/v1" },
      1,
      "[model_unreachable]",
    ],
    ["no such file", ["nowhere.yaml"], {}, 2, "There is no such file."],
    ["no such case", [example("shop.yaml"), "--only", "custmers"], {}, 2, "Did you mean customers?"],
    ["a score that is none", [example("shop.yaml"), "--min-score", "1.5"], {}, 2, "from 0 to 1"],
    ["nothing to resume", [example("shop.yaml"), "--resume"], {}, 2, "--report"],
    ["nothing at a time", [example("shop.yaml"), "--parallel", "0"], {}, 2, "from 1 to 64"],
  ])("%s", async (_, args, environment, code, message) => {
    const ended = await run(args, environment);
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
  });

  test("cases from stdin are told about as such", async () => {
    const { code, stderr } = await run(["-"], {}, "cases:\n  - question: [\n");
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("stdin is not YAML") });
  });

  test("Ctrl-C keeps what was found, and exits with 130", async () => {
    const report = join(folder.path, "interrupted.json");
    const model = await playRecording(recording);
    const ended = await runAgent(["eval", example("shop.yaml"), "--report", report, "--parallel", "1", "-q"], {
      environment: { MCP_GATEWAY_URL: gateway.url, DB_AGENT_MODEL: "recorded", DB_AGENT_MODEL_URL: model.url },
      async whileRunning(pid) {
        await eventually(() => existsSync(report), "the first verdict");
        process.kill(pid, "SIGINT");
      },
    });
    await model.close();
    expect(ended.code).toBe(130);
    const { total: judged } = JSON.parse(readFileSync(report, "utf8"));
    expect(judged).toBeGreaterThan(0);
    expect(judged).toBeLessThan(total);
    expect(ended.stderr).toContain("cases were not judged");
  });
});
