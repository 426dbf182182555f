/** What can be done with the last result: read on, write all of it into a file, draw it, watch it change. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Agent } from "../../agent.js";
import { AgentError } from "../../errors.js";
import type { QueryResult } from "../../result.js";
import { type Format, formatSchema } from "../../task.js";
import { type ChartKind, chartKinds, toChart } from "../print/chart.js";
import { describeRows } from "../print/pieces.js";
import { formatOfFile, writeRows } from "../print/row-file.js";
import { type LastResult, lastOf, type Session } from "./session.js";

/** The rows after those shown. */
export async function showMore(session: Session): Promise<void> {
  const { last } = session;
  if (last === undefined || (last.cursor === undefined && !last.result.truncated)) {
    session.write("There is no result to continue.");
    return;
  }
  const startedAt = performance.now();
  const page = await session.busy("reading on", () => nextRows(session.agent(), last, session.signal));
  const from = last.shown + 1;
  last.shown += page.rowCount;
  last.cursor = page.nextCursor;
  const range = page.rowCount === 0 ? "no more rows" : `rows ${from} to ${last.shown}`;
  await session.show(page, range, performance.now() - startedAt);
  if (page.nextCursor === undefined) session.last = { ...last, result: { ...last.result, truncated: false } };
  else session.write(session.style("dim", "\\more shows the next ones."));
}

/**
 * The first time the statement is opened anew as a paged result in one snapshot and read past what is known already: the
 * fast first answer held nothing open.
 */
async function nextRows(agent: Agent, last: LastResult, signal: AbortSignal): Promise<QueryResult> {
  if (last.cursor !== undefined) return agent.nextPage(last.cursor, { source: last.source, signal });
  let toSkip = last.shown;
  let page: QueryResult | undefined;
  for await (page of agent.pages(last.sql, { source: last.source, signal })) {
    if (page.rowCount > toSkip) break;
    toSkip -= page.rowCount;
  }
  if (page === undefined) throw new AgentError("internal", "The paged result has no page.");
  const rows = page.rows.slice(toSkip);
  return { ...page, rows, rowCount: rows.length };
}

/** Every row of the last statement, run anew in one snapshot, into a file that is there whole or not at all. */
export async function exportResult(session: Session, argument: string): Promise<void> {
  const [file = "", word] = argument.split(/\s+/).filter((part) => part !== "");
  if (file === "") throw new AgentError("usage", "\\export needs a file.", { hint: "Such as \\export orders.csv" });
  const format = word === undefined ? formatOfFile(file) : formatOf(word);
  const { sql, source } = lastOf(session);
  const rowCount = await session.busy(`exporting to ${file}`, () =>
    writeRows(file, format, session.agent().pages(sql, { source, signal: session.signal })),
  );
  session.write(`${describeRows({ rowCount, truncated: false })} are in ${file}`);
}

function formatOf(word: string): Format {
  const found = formatSchema.options.find((format) => format === word.toLowerCase());
  if (found !== undefined) return found;
  throw new AgentError("usage", `There is no format ${word}.`, {
    hint: `There are ${formatSchema.options.join(", ")}.`,
  });
}

/** Sets how results are shown; says how without an argument. */
export function setFormat(session: Session, word: string): void {
  if (word !== "") session.settings.format = formatOf(word);
  session.write(`Results are shown as ${session.settings.format}.`);
}

/** Draws the last result: `\chart [bar|line|spark] [label] [values …]`. */
export async function drawChart(session: Session, argument: string): Promise<void> {
  const { result } = lastOf(session);
  const words = argument.split(/[\s,]+/).filter((word) => word !== "");
  const kind = chartKinds.find((candidate: ChartKind) => candidate === words[0]?.toLowerCase());
  const columns = kind === undefined ? words : words.slice(1);
  session.write(
    toChart(result, {
      kind,
      columns: columns.length === 0 ? undefined : columns,
      width: session.width(),
      style: session.style,
    }),
  );
  if (result.truncated) session.write(session.style("dim", "Of the rows shown; there are more."));
}

/** Runs the last statement again and again, every two seconds by default, until Ctrl-C. */
export async function watchResult(session: Session, argument: string): Promise<void> {
  const seconds = argument === "" ? 2 : Number(argument);
  if (!(seconds >= 0.1 && seconds <= 86_400)) {
    throw new AgentError("usage", "\\watch takes seconds, from 0.1 on.", { hint: "Such as \\watch 5" });
  }
  const { sql } = lastOf(session);
  const { signal } = session;
  for (;;) {
    session.write(session.style("dim", `${new Date().toLocaleTimeString()}, every ${seconds} s, Ctrl-C ends it`));
    await session.execute(sql, signal);
    try {
      await sleep(seconds * 1_000, undefined, { signal });
    } catch {
      return; // Ctrl-C between two runs is how it ends
    }
  }
}
