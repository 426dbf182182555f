/** `query`: the rows of one read statement, at once or page by page. */
import * as v from "valibot";
import { CodedError } from "../../host/errors.js";
import { type Call, chooseSource, toStatement, withDeadline } from "../call.js";
import type { OpenResult } from "../cursors.js";
import type { Database, ReadOptions, RowCursor, Statement, StatementFacts } from "../database.js";
import { type Caps, maxCursorsOf } from "../limits.js";
import { permit } from "../policy.js";
import { createResultSink, createResultWriter } from "../result.js";
import type { ResultCache } from "../result-cache.js";
import type { AskDatabase } from "../result-flights.js";
import { defineTool, sourceArgument } from "../tool.js";

const input = v.strictObject({
  sql: v.optional(v.string()),
  params: v.optional(v.array(v.any())),
  max_rows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  cursor: v.optional(v.pipe(v.string(), v.description('"start", then next_cursor'))),
  fresh: v.optional(v.pipe(v.boolean(), v.description("not from memory (cached_ms_ago)"))),
  source: sourceArgument,
});

const output = v.object({
  columns: v.array(v.string()),
  types: v.array(v.string()),
  rows: v.array(v.array(v.any())),
  row_count: v.number(),
  truncated: v.optional(v.boolean()),
  truncated_cells: v.optional(v.number()),
  next_cursor: v.optional(v.string()),
  cached_ms_ago: v.optional(v.number()),
  hint: v.optional(v.string()),
});

export const query = defineTool({
  name: "query",
  set: "core",
  access: "read",
  needsSource: true,
  input,
  output,
  describe: ({ dialect }) =>
    `Run one read-only SQL statement (${dialect}). Returns JSON: columns, types, rows. Aggregate and filter rather than ` +
    'fetch many rows. To read all of a large result, pass cursor "start", then each next_cursor without sql.',
  unlisted: ({ sources }) => ([...sources.values()].some(({ results }) => results !== undefined) ? [] : ["fresh"]),
  async run({ sql, params, max_rows: maxRows, cursor, fresh: isFresh = false, source }, call) {
    const caps = permit(call.service.settings, "read", { maxRows });
    const bounded = { ...call, signal: withDeadline(call.signal, caps) };
    if (cursor !== undefined && cursor !== "start") return readNextPage(cursor, { sql, source }, bounded, caps);
    const statement = toStatement(sql, params);
    const { name, database, results } = chooseSource(call.service, source);
    if (cursor === "start") return readFirstPage(statement, name, bounded, caps);
    if (results !== undefined) return readRemembered(statement, results, isFresh, database, bounded, caps);
    return readOnce(database, statement, { ...bounded, observe: call.record?.observe }, caps);
  },
});

/** From memory, or anew; what comes from memory says how old it is. */
async function readRemembered(
  statement: Statement,
  results: ResultCache,
  isFresh: boolean,
  database: Database,
  call: Call,
  caps: Caps,
): Promise<string> {
  const { signal, principal, progress, record } = call;
  const question = { ...statement, principal, caps };
  const ask: AskDatabase = async (options) => {
    const reading = { rows: 0 };
    const observe = (facts: StatementFacts) => {
      record?.observe(facts);
      options.observe(facts);
    };
    const text = await readOnce(database, statement, { signal: options.signal, observe, progress: reading }, caps);
    return { text, rows: reading.rows };
  };
  const { text, rows, facts, ageMs } = await results.recall(question, ask, { signal, isFresh });
  progress.rows = rows;
  call.memory.answered = ageMs !== undefined ? "hit" : isFresh ? "bypass" : "miss";
  if (ageMs === undefined) return text;
  record?.recalled(facts);
  return `${text.slice(0, -1)},"cached_ms_ago":${Math.round(ageMs)}}`;
}

async function readOnce(
  database: Database,
  statement: Statement,
  { signal, observe, progress }: Pick<Call, "signal" | "progress"> & Pick<ReadOptions, "observe">,
  caps: Caps,
): Promise<string> {
  const writer = createResultWriter(caps);
  const sink = createResultSink(writer);
  await database.read(
    statement,
    {
      columns: sink.columns,
      row(cells) {
        progress.rows++;
        return sink.row(cells);
      },
    },
    { ...caps, signal, observe },
  );
  return writer.finish({ truncated: sink.truncated });
}

async function readFirstPage(statement: Statement, source: string, call: Call, caps: Caps): Promise<string> {
  const { cursors, settings } = call.service;
  const { database } = chooseSource(call.service, source);
  const place = cursors.reserve(source, maxCursorsOf(settings.poolSize));
  const cursor = await openDetached(database, statement, call, caps).catch((error: unknown) => {
    place.release();
    throw error;
  });
  await using held = place.hold({
    sql: statement.sql,
    source,
    principal: call.principal,
    cursor,
    leftover: [],
    rowBytes: 0,
    facts: call.record?.result(),
  });
  return await readPage(held.result, () => held.keep(), call, caps);
}

/** Opens a cursor that outlives its call: the call's signal and deadline count only until it is open. */
async function openDetached(
  database: Database,
  statement: Statement,
  { signal, record }: Call,
  caps: Caps,
): Promise<RowCursor> {
  const opening = new AbortController();
  const abort = () => opening.abort(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await database.openCursor(statement, { ...caps, signal: opening.signal, observe: record?.observe });
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function readNextPage(
  token: string,
  given: { sql: string | undefined; source: string | undefined },
  call: Call,
  caps: Caps,
): Promise<string> {
  await using held = call.service.cursors.take(token, call.principal, (result) => {
    const other = given.sql !== undefined && given.sql !== result.sql;
    if (!other && (given.source === undefined || given.source === result.source)) return;
    throw new CodedError("parameter_invalid", "This cursor belongs to another statement or source.", {
      hint: "Pass a next_cursor alone, without sql, params and source.",
    });
  });
  if (held.result.facts !== undefined) call.record?.readsOn(held.result.facts);
  return await readPage(held.result, () => held.keep(), call, caps);
}

/** Fills a page; a row that finds no room waits for the next one, so that none is lost. */
async function readPage(result: OpenResult, keep: () => string, call: Call, caps: Caps): Promise<string> {
  const writer = createResultWriter(caps);
  writer.columns(result.cursor.columns);
  for (let ended = false; ; ) {
    let next = result.leftover[0];
    while (next !== undefined && writer.add(next)) {
      result.leftover.shift();
      next = result.leftover[0];
    }
    if (next !== undefined) {
      writer.finish(); // refuses a row that can fit no page, before its cursor is handed out again
      return writer.finish({ nextCursor: keep() });
    }
    if (ended) return writer.finish();
    const count = rowsToFetch(writer.rowCount, result.rowBytes, caps);
    const rows = await result.cursor.fetch(count, { signal: call.signal });
    call.progress.rows += rows.length;
    ended = rows.length < count;
    result.leftover.push(...rows);
    if (rows.length > 0) result.rowBytes = Math.max(1, rows.reduce((sum, row) => sum + bytesOf(row), 0) / rows.length);
  }
}

const firstFetchRows = 50;

/** One row more than the page has room for, as far as the rows so far tell: it proves that there is a next page. */
function rowsToFetch(written: number, rowBytes: number, caps: Caps): number {
  const room = caps.maxRows - written + 1;
  const fit = rowBytes === 0 ? firstFetchRows : Math.ceil(caps.maxBytes / rowBytes);
  return Math.max(1, Math.min(room, fit));
}

function bytesOf(row: readonly (string | Uint8Array | null)[]): number {
  return row.reduce((sum, cell) => sum + (cell?.length ?? 4) + 1, 2);
}
