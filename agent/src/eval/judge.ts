/** One case put to the agent and judged by its rows: right, wrong and why, or not to be judged at all. */
import type { Agent } from "../agent.js";
import type { Answer } from "../answer.js";
import { AgentError, toErrorReport } from "../errors.js";
import type { AgentEvent, Usage } from "../events.js";
import type { QueryResult } from "../result.js";
import type { Run } from "../run-stream.js";
import type { Case } from "./cases.js";
import { difference } from "./compare.js";

/** What came of a case. */
export interface Verdict {
  readonly name: string;
  readonly question: string;
  readonly tags: readonly string[];
  /** `broken`: the case itself cannot be judged, as where its own statement fails. */
  readonly status: "right" | "wrong" | "broken";
  /** Why it is not right. */
  readonly reason?: string;
  /** The statement the model came to. */
  readonly sql?: string;
  /** Statements that failed on the way to it. */
  readonly repairs: number;
  readonly ms: number;
  readonly usage?: Usage;
}

/** Rows at most of an answer that is judged. */
const maxRows = 50_000;

/** Asks and judges. @throws AgentError what concerns all cases: no model, no gateway, a signal */
export async function judge(one: Case, agent: Agent, signal: AbortSignal): Promise<Verdict> {
  const startedAt = performance.now();
  const { name, question, tags } = one;
  let expected: QueryResult | undefined;
  const finish = (verdict: Pick<Verdict, "status"> & Partial<Verdict>): Verdict => ({
    name,
    question,
    tags,
    repairs: 0,
    ms: Math.round(performance.now() - startedAt),
    ...verdict,
  });
  try {
    expected = await expectedRows(one, agent, signal);
  } catch (thrown) {
    throwIfCommon(thrown, signal);
    return finish({ status: "broken", reason: `what it expects cannot be had: ${describe(thrown)}` });
  }
  try {
    const asked = await ask(one, agent, signal);
    const reason = await mistake(one, expected, asked.answer, agent, signal);
    const { sql, usage } = asked.answer;
    return finish({
      status: reason === undefined ? "right" : "wrong",
      ...(reason === undefined ? {} : { reason }),
      ...(sql === undefined ? {} : { sql }),
      ...(usage === undefined ? {} : { usage }),
      repairs: asked.repairs,
    });
  } catch (thrown) {
    throwIfCommon(thrown, signal);
    return finish({ status: "wrong", reason: describe(thrown) });
  }
}

async function expectedRows(one: Case, agent: Agent, signal: AbortSignal): Promise<QueryResult | undefined> {
  const { expected, source } = one;
  if (expected.kind === "unanswerable") return undefined;
  if (expected.kind === "sql") return allRows(expected.sql, source, agent, signal);
  const rows = expected.rows.map((row) => row.map((cell) => (typeof cell === "bigint" ? String(cell) : cell)));
  const columns = one.columns ?? (rows[0] ?? []).map((_, index) => String(index + 1));
  return { columns, types: [], rows, rowCount: rows.length, truncated: false };
}

/** Every row: what a first answer cuts off is read page by page. */
async function allRows(
  sql: string,
  source: string | undefined,
  agent: Agent,
  signal: AbortSignal,
): Promise<QueryResult> {
  const first = await agent.query(sql, { source, signal });
  if (!first.truncated) return first;
  const rows: QueryResult["rows"][number][] = [];
  for await (const page of agent.pages(sql, { source, signal })) {
    rows.push(...page.rows);
    if (rows.length > maxRows) throw new AgentError("result_too_large", `It gives more than ${maxRows} rows.`);
  }
  return { ...first, rows, rowCount: rows.length, truncated: false };
}

async function ask({ question, source, reply }: Case, agent: Agent, signal: AbortSignal) {
  const session = await agent.session();
  let repairs = 0;
  const toEnd = async (run: Run<Answer>): Promise<Answer> => {
    for await (const event of run) if (isRepair(event)) repairs += 1;
    return run.result;
  };
  let answer = await toEnd(session.ask(question, { source, signal }));
  const [asked] = answer.approvals;
  if (asked?.kind === "question" && reply !== undefined) {
    answer = await toEnd(session.answer(asked.approval, { type: "reply", text: reply }, { signal }));
  }
  return { answer, repairs };
}

const isRepair = (event: AgentEvent): boolean => event.type === "error" && event.willRetry;

/** What is wrong with an answer. */
async function mistake(
  one: Case,
  expected: QueryResult | undefined,
  answer: Answer,
  agent: Agent,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [asked] = answer.approvals;
  if (asked !== undefined) return asked.kind === "question" ? "it asked back" : "it wanted to write";
  if (answer.error !== undefined) return `${answer.error.code}: ${answer.error.message}`;
  if (expected === undefined) return answer.result === undefined ? undefined : "it answered what cannot be answered";
  const { sql, result } = answer;
  if (sql === undefined || result === undefined) return "it said that it cannot answer";
  const whole = result.truncated ? await allRows(sql, one.source, agent, signal) : result;
  const columns = one.columns ?? undefined;
  const reading = one.expected.kind === "rows" ? "loose" : "typed";
  return difference(expected, whole, { ordered: one.ordered, tolerance: one.tolerance, columns, reading });
}

/** Failures that would befall every other case as well. */
const common = new Set([
  "cancelled",
  "model_unset",
  "model_package_missing",
  "model_unauthorized",
  "model_unreachable",
  "gateway_missing",
  "gateway_failed",
  "gateway_unreachable",
  "unauthorized",
  "config_unreadable",
]);

function throwIfCommon(thrown: unknown, signal: AbortSignal): void {
  signal.throwIfAborted();
  if (!(thrown instanceof AgentError) || common.has(thrown.code)) throw thrown;
}

function describe(thrown: unknown): string {
  const { code, message } = toErrorReport(thrown);
  return `${code}: ${message}`;
}
