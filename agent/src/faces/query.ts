/** `db-agent query`: one statement's rows on stdout, the first ones as soon as they are there. Loads no LangChain. */
import { once } from "node:events";
import { toErrorReport } from "../errors.js";
import { openOneOff } from "../one-off.js";
import type { QueryResult } from "../result.js";
import type { Format } from "../task.js";
import { chooseGateway, type GatewayFlags } from "./gateway-choice.js";
import { exitCodeOf, exitCodes, type Io, onInterrupt, stylesOf, tableWidth } from "./io.js";
import { createDocument } from "./print/document.js";
import { createFeedback } from "./print/feedback.js";
import { formatResult } from "./print/format.js";
import { describeRows, formatError } from "./print/pieces.js";
import { toVisibleLines } from "./print/text.js";
import { readAll } from "./read-all.js";

/** What the command line says. */
export interface QueryFlags extends GatewayFlags {
  readonly sql: string;
  readonly params: readonly string[];
  readonly source?: string | undefined;
  readonly format?: Format | undefined;
  readonly maxRows?: number | undefined;
  /** Reads every page to the end instead of the first rows. */
  readonly all: boolean;
  readonly quiet: boolean;
}

/** Runs the statement. */
export async function runQuery(flags: QueryFlags, io: Io): Promise<number> {
  const sql = flags.sql === "-" ? await readAll(io.stdin, "statement") : flags.sql;
  const params = flags.params.map(toParameter);
  const spec = await chooseGateway(flags, io.environment);
  const style = stylesOf(io);
  using interrupt = onInterrupt();
  await using databases = openOneOff(spec);
  using feedback = createFeedback(io.stderr, style.err, { quiet: flags.quiet });
  const request = {
    source: flags.source,
    maxRows: flags.maxRows,
    signal: interrupt.signal,
    ...(params.length === 0 ? {} : { params }),
  };
  const format = flags.format ?? "table";
  const startedAt = performance.now();
  feedback.busy("running the statement");
  try {
    const document = createDocument(format, { width: tableWidth(io), style: style.out });
    let page: QueryResult | undefined;
    const pages = flags.all ? databases.pages(sql, request) : [await databases.query(sql, request)];
    for await (page of pages) {
      feedback.idle();
      await write(io, document.page(page), interrupt.signal);
    }
    await write(io, document.end(), interrupt.signal);
    if (!flags.quiet && (format === "table" || format === "vertical") && page !== undefined) {
      const ms = Math.round(performance.now() - startedAt);
      const { rowCount } = document;
      io.stdout.write(`${style.out("dim", `(${describeRows({ ...page, rowCount })}, ${ms} ms)`)}\n`);
    }
    if (page?.truncated) io.stderr.write(`${page.hint ?? "There are more rows."} --all reads every page.\n`);
    return exitCodes.ok;
  } catch (error) {
    feedback.idle();
    const report = toErrorReport(error);
    io.stderr.write(`${formatError(report, style.err)}\n`);
    return exitCodeOf(report.code);
  }
}

/** `db-agent inspect`: what a database holds, or one table in full. */
export async function runInspect(
  flags: GatewayFlags & {
    readonly tables: readonly string[];
    readonly source?: string | undefined;
    readonly kind?: string | undefined;
    readonly format?: Format | undefined;
  },
  io: Io,
): Promise<number> {
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  await using databases = openOneOff(await chooseGateway(flags, io.environment));
  const names = flags.source === undefined ? await databases.sources({ signal }) : [flags.source];
  const several = names.length > 1;
  for (const source of names.length === 0 ? [undefined] : names) {
    if (several) io.stdout.write(`${stylesOf(io).out("bold", source ?? "")}\n`);
    for (const table of flags.tables) {
      io.stdout.write(`${toVisibleLines((await databases.describe(table, { source, signal })).trimEnd())}\n`);
    }
    if (flags.tables.length > 0) continue;
    const found = await databases.search({ source, kind: flags.kind ?? "table", detail: "summary", signal });
    const options = { width: tableWidth(io), style: stylesOf(io).out };
    await write(io, formatResult(found, flags.format ?? "table", options), signal);
    if (found.truncated) io.stderr.write(`${found.hint ?? "There are more."}\n`);
  }
  return exitCodes.ok;
}

/** `db-agent check`: whether each database answers, and what it is. */
export async function runCheck(
  flags: GatewayFlags & { readonly source?: string | undefined; readonly json: boolean },
  io: Io,
): Promise<number> {
  using interrupt = onInterrupt();
  const style = stylesOf(io).out;
  await using databases = openOneOff(await chooseGateway(flags, io.environment));
  const { describeSourceCheck } = await import("../graphs/verify.js");
  const listed = flags.source === undefined ? await databases.sources({ signal: interrupt.signal }) : [flags.source];
  const names = listed.length === 0 ? [undefined] : listed;
  const checks = await Promise.all(
    names.map(async (source) => {
      try {
        const check = await databases.check(source, { signal: interrupt.signal });
        return { source: source ?? check.source, up: true as const, check };
      } catch (error) {
        return { source, up: false as const, error: toErrorReport(error) };
      }
    }),
  );
  if (flags.json) {
    io.stdout.write(`${JSON.stringify(checks, null, 2)}\n`);
  } else {
    for (const found of checks) {
      if (found.up) {
        io.stdout.write(`${style("green", "✓")} ${found.source ?? ""}: ${describeSourceCheck(found.check)}\n`);
        for (const warning of found.check.warnings ?? [])
          io.stdout.write(`  ${style("yellow", "!")} ${toVisibleLines(warning)}\n`);
      } else
        io.stdout.write(`${found.source === undefined ? "" : `${found.source}: `}${formatError(found.error, style)}\n`);
    }
  }
  return checks.every(({ up }) => up) ? exitCodes.ok : exitCodes.failed;
}

/** Waits where the reader is slower than we are, so that memory stays flat however many pages there are. */
async function write(io: Io, text: string, signal: AbortSignal): Promise<void> {
  if (!io.stdout.write(text)) await once(io.stdout, "drain", { signal });
}

/** A parameter as JSON where it is JSON, else as text: `42`, `true`, `null`, `"42"`, `abc`. */
function toParameter(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "number" && String(value) !== text ? text : value;
  } catch {
    return text;
  }
}
