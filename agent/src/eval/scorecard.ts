/** What verdicts come to together: the score, by tag too, and what it took. */
import type { Usage } from "../events.js";
import type { Verdict } from "./judge.js";

/** Counts of a group of cases. */
export interface Score {
  readonly right: number;
  readonly total: number;
  /** Right ones of all, from 0 to 1. */
  readonly score: number;
}

/** Everything an evaluation found, as `--output json` writes it. */
export interface Scorecard extends Score {
  readonly name: string;
  /** Cases that could not be judged; they count as not right. */
  readonly broken: number;
  readonly byTag: Readonly<Record<string, Score>>;
  readonly usage?: Usage;
  readonly ms: number;
  readonly cases: readonly Verdict[];
}

/** Adds up. */
export function toScorecard(name: string, cases: readonly Verdict[], ms: number): Scorecard {
  const tags = [...new Set(cases.flatMap((one) => one.tags))].sort();
  const usage = cases.reduce<Usage | undefined>(
    (sum, one) => (one.usage === undefined ? sum : add(sum, one.usage)),
    undefined,
  );
  return {
    name,
    ...toScore(cases),
    broken: cases.filter(({ status }) => status === "broken").length,
    byTag: Object.fromEntries(tags.map((tag) => [tag, toScore(cases.filter((one) => one.tags.includes(tag)))])),
    ...(usage === undefined ? {} : { usage }),
    ms,
    cases,
  };
}

function toScore(cases: readonly Verdict[]): Score {
  const right = cases.filter(({ status }) => status === "right").length;
  return { right, total: cases.length, score: cases.length === 0 ? 0 : right / cases.length };
}

function add(sum: Usage | undefined, { inputTokens, outputTokens, cost }: Usage): Usage {
  const total = sum?.cost === undefined && cost === undefined ? {} : { cost: (sum?.cost ?? 0) + (cost ?? 0) };
  return {
    inputTokens: (sum?.inputTokens ?? 0) + inputTokens,
    outputTokens: (sum?.outputTokens ?? 0) + outputTokens,
    ...total,
  };
}
