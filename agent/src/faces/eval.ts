/** `db-agent eval`: the model on questions whose answers are known, a line each, and a score. */
import { createAgent } from "../agent.js";
import { readTextFile } from "../config-file.js";
import { AgentError, nearest, toErrorReport } from "../errors.js";
import { type Case, type CaseFile, parseCases } from "../eval/cases.js";
import { judge, type Verdict } from "../eval/judge.js";
import { openReportFile } from "../eval/report-file.js";
import { type Scorecard, toScorecard } from "../eval/scorecard.js";
import { inParallel } from "../in-parallel.js";
import { describeUsage } from "./ask/answer-view.js";
import { chooseGateway, type GatewayFlags } from "./gateway-choice.js";
import { exitCodeOf, exitCodes, type Io, onInterrupt, stylesOf } from "./io.js";
import { createFeedback } from "./print/feedback.js";
import { formatError } from "./print/pieces.js";
import type { Style } from "./print/style.js";
import { pad, toVisible, widthOf } from "./print/text.js";

/** What the command line says. */
export interface EvalFlags extends GatewayFlags {
  readonly file: string;
  readonly source?: string | undefined;
  readonly output: "text" | "json";
  /** Names and tags of the cases that run. */
  readonly only: readonly string[];
  readonly parallel: number;
  /** From 0 to 1, or with a percent sign. */
  readonly minScore?: string | undefined;
  /** Where verdicts are kept while it runs. */
  readonly report?: string | undefined;
  readonly resume: boolean;
  readonly quiet: boolean;
}

/** Asks and judges all of them; the exit code is 1 below `--min-score`, and where a case could not be judged. */
export async function runEval(flags: EvalFlags, io: Io): Promise<number> {
  const minScore = parseScore(flags.minScore);
  if (flags.resume && flags.report === undefined) {
    throw new AgentError("usage", "--resume needs the report to go on with.", { hint: "Name it by --report." });
  }
  if (!Number.isInteger(flags.parallel) || flags.parallel < 1 || flags.parallel > 64) {
    throw new AgentError("usage", "--parallel takes a whole number from 1 to 64.");
  }
  const label = flags.file === "-" ? "stdin" : flags.file;
  const file = parseCases(await readTextFile(flags.file, io.stdin), label);
  const cases = chosen(file, flags.only).map((one) => ({ ...one, source: one.source ?? flags.source }));
  const report = flags.report === undefined ? undefined : await openReportFile(flags.report, cases, flags.resume);
  const gateway = await chooseGateway(flags, io.environment);
  const { out, err } = stylesOf(io);
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  // judged by rows: no model is asked to word them
  await using agent = createAgent({ gateway, policy: { words: false, writes: "refuse" } });
  using feedback = createFeedback(io.stderr, err, { quiet: flags.quiet });
  const verdicts = new Map((report?.earlier ?? []).map((verdict) => [verdict.name, verdict]));
  const startedAt = performance.now();
  const soFar = (): Verdict[] => cases.flatMap(({ name }) => verdicts.get(name) ?? []);
  const elapsed = (): number => Math.round(performance.now() - startedAt);
  const width = Math.max(...cases.map(({ name }) => widthOf(toVisible(name))));
  const progress = (): void => feedback.busy(`${verdicts.size} of ${cases.length} judged`);
  const todo = cases.filter(({ name }) => !verdicts.has(name));
  progress();
  let failure: unknown;
  await inParallel(todo, flags.parallel, async (one) => {
    const verdict = await judge(one, agent, signal);
    verdicts.set(one.name, verdict);
    feedback.idle();
    if (flags.output === "text") io.stdout.write(`${toLine(verdict, width, out)}\n`);
    await report?.save(file.name, soFar(), elapsed());
    progress();
  }).catch((error: unknown) => {
    failure = error;
  });
  feedback.idle();
  const scorecard = toScorecard(file.name, soFar(), elapsed());
  if (flags.output === "json") io.stdout.write(`${JSON.stringify(scorecard, null, 2)}\n`);
  else io.stdout.write(`${toSummary(scorecard, out)}\n`);
  if (failure !== undefined)
    return tellFailure(failure, todo.length - (verdicts.size - (cases.length - todo.length)), err, io);
  const isGoodEnough = minScore === undefined || scorecard.score >= minScore;
  if (!isGoodEnough) io.stderr.write(`The score is below ${minScore}.\n`);
  return isGoodEnough && scorecard.broken === 0 ? exitCodes.ok : exitCodes.failed;
}

function tellFailure(failure: unknown, left: number, style: Style, io: Io): number {
  const report = toErrorReport(failure);
  io.stderr.write(`${formatError(report, style)}\n${left} cases were not judged; --report and --resume go on.\n`);
  return exitCodeOf(report.code);
}

/** @throws AgentError `usage` with the nearest name */
function chosen({ cases }: CaseFile, only: readonly string[]): readonly Case[] {
  if (only.length === 0) return cases;
  const words = only.flatMap((word) => word.split(",")).map((word) => word.trim());
  const known = [...new Set(cases.flatMap(({ name, tags }) => [name, ...tags]))];
  for (const word of words) {
    if (known.includes(word)) continue;
    const near = nearest(word, known);
    throw new AgentError("usage", `No case is named or tagged ${word}.`, {
      hint:
        near === undefined
          ? `There are the tags ${[...new Set(cases.flatMap(({ tags }) => tags))].join(", ")}.`
          : `Did you mean ${near}?`,
    });
  }
  return cases.filter(({ name, tags }) => words.some((word) => word === name || tags.includes(word)));
}

function parseScore(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const score = text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text.trim() !== "" && score >= 0 && score <= 1) return score;
  throw new AgentError("usage", "--min-score takes a number from 0 to 1, or percent.", { hint: "Such as 0.9 or 90%." });
}

const marks = { right: ["green", "✓"], wrong: ["red", "✗"], broken: ["yellow", "!"] } as const;

function toLine({ name, status, reason, ms, repairs }: Verdict, width: number, style: Style): string {
  const [colour, mark] = marks[status];
  const repaired = repairs === 0 ? "" : `, ${repairs} ${repairs === 1 ? "repair" : "repairs"}`;
  const why = reason === undefined ? "" : `\n  ${toVisible(reason)}`;
  return `${style(colour, mark)} ${pad(toVisible(name), width)} ${style("dim", `${(ms / 1_000).toFixed(1)} s${repaired}`)}${why}`;
}

function toSummary({ right, total, score, broken, byTag, usage, ms }: Scorecard, style: Style): string {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  const tags = Object.entries(byTag).map(([tag, one]) => `  ${tag}: ${one.right} of ${one.total}`);
  const parts = [
    `${right} of ${total} right, ${percent(score)}`,
    ...(broken === 0 ? [] : [`${broken} could not be judged`]),
    ...(usage === undefined ? [] : [describeUsage(usage)]),
    `${(ms / 1_000).toFixed(1)} s`,
  ];
  return [...tags, style("bold", parts.join("; "))].join("\n");
}
