/**
 * What is known of a database's tables: read through the catalogue tools, so that it holds what they show and nothing
 * else, and remembered for a while. A database of a few dozen tables is read whole; of a larger one what a question names.
 */
import type { DatabaseCalls } from "../database-calls.js";
import { isAbort } from "../errors.js";
import type { QueryResult } from "../result.js";
import { parseOutline, type TableOutline } from "./table-outline.js";
import { wordsOf } from "./words.js";

/** Tables of a database. */
export interface SchemaIndex {
  readonly tables: readonly TableOutline[];
  /** Every name there is, where they are few enough to list. */
  readonly names: readonly string[];
  /** False where there are more names than were listed. */
  readonly isComplete: boolean;
}

/** Reads and remembers. */
export interface SchemaReader {
  read(source: string, question: string, signal: AbortSignal | undefined): Promise<SchemaIndex>;
  /** Its tables' names alone. */
  list(source: string, signal: AbortSignal | undefined): Promise<Pick<SchemaIndex, "names" | "isComplete">>;
  /** Forgets what is known of a database: something there has changed. */
  forget(source: string): void;
}

type Listed = Pick<SchemaIndex, "names" | "isComplete">;
interface Known {
  readonly at: number;
  readonly outlines: Map<string, Promise<TableOutline | undefined>>;
  names: Promise<Listed> | undefined;
}

const rememberedMs = 300_000;
/** Tables read whole; more are read as a question names them. */
const maxTables = 60;
const maxWords = 10;
const parallelCalls = 6;

/** A reader over these calls. `now` in milliseconds, for tests. */
export function createSchemaReader(databases: DatabaseCalls, now: () => number = Date.now): SchemaReader {
  const known = new Map<string, Known>();

  function knownOf(source: string): Known {
    const found = known.get(source);
    if (found !== undefined && now() - found.at < rememberedMs) return found;
    const fresh: Known = { at: now(), outlines: new Map(), names: undefined };
    known.set(source, fresh);
    return fresh;
  }

  /** The table's outline; undefined for one that cannot be described. */
  function outline(source: string, given: string, signal: AbortSignal | undefined): Promise<TableOutline | undefined> {
    const { outlines } = knownOf(source);
    const name = given.replaceAll("`", '"'); // one spelling each, whichever product quoted it
    let found = outlines.get(name);
    if (found === undefined) {
      found = databases.describe(name, { source: source || undefined, signal }).then(parseOutline, (error: unknown) => {
        outlines.delete(name);
        if (isAbort(error) || signal?.aborted) throw error;
        return undefined;
      });
      outlines.set(name, found);
    }
    return found;
  }

  async function outlines(source: string, names: readonly string[], signal: AbortSignal | undefined) {
    const found = await inParallel(names, (name) => outline(source, name, signal));
    return found.filter((one) => one !== undefined);
  }

  async function search(source: string, request: { kind: string; pattern?: string }, signal: AbortSignal | undefined) {
    return databases.search({ ...request, source: source || undefined, detail: "names", signal });
  }

  /** Tables whose own or whose columns' names have a word of the question in them, and what they refer to. */
  async function readNamed(source: string, question: string, signal: AbortSignal | undefined): Promise<TableOutline[]> {
    const words = [...new Set(wordsOf(question))].filter((word) => word.length > 2).slice(0, maxWords);
    const searches = words.flatMap((pattern) => ["table", "view", "column"].map((kind) => ({ kind, pattern })));
    const found = await inParallel(searches, (request) => search(source, request, signal));
    const hits = new Map<string, number>();
    for (const result of found) {
      const weight = 1 / Math.max(1, result.rowCount); // a name found everywhere says little
      for (const name of tableNamesIn(result)) hits.set(name, (hits.get(name) ?? 0) + weight);
    }
    const best = [...hits].sort(([, a], [, b]) => b - a).map(([name]) => name);
    const named = await outlines(source, best.slice(0, maxTables / 2), signal);
    const beside = named
      .flatMap(({ neighbours }) => neighbours)
      .filter((name) => !named.some((one) => one.name === name));
    return [...named, ...(await outlines(source, [...new Set(beside)].slice(0, maxTables / 3), signal))];
  }

  function list(source: string, signal: AbortSignal | undefined): Promise<Listed> {
    const place = knownOf(source);
    place.names ??= Promise.all(["table", "view"].map((kind) => search(source, { kind }, signal))).then(
      (found) => ({ names: found.flatMap(tableNamesIn), isComplete: found.every(({ truncated }) => !truncated) }),
      (error: unknown) => {
        place.names = undefined;
        throw error;
      },
    );
    return place.names;
  }

  return {
    list,
    async read(source, question, signal) {
      const { names, isComplete } = await list(source, signal);
      const isSmall = isComplete && names.length <= maxTables;
      const read = isSmall ? outlines(source, names, signal) : readNamed(source, question, signal);
      return { tables: await read, names, isComplete };
    },
    forget(source) {
      known.delete(source);
    },
  };
}

/** Names with their schemas; of a column, its table's. */
function tableNamesIn({ columns, rows }: QueryResult): string[] {
  const [kindAt, schemaAt, tableAt, nameAt] = ["kind", "schema", "table", "name"].map((name) => columns.indexOf(name));
  return rows.flatMap((row) => {
    const cell = (at: number | undefined): string => String(row[at ?? -1] ?? "");
    const name = cell(cell(kindAt) === "column" ? tableAt : nameAt);
    const schema = cell(schemaAt);
    return name === "" ? [] : [schema === "" ? quoted(name) : `${quoted(schema)}.${quoted(name)}`];
  });
}

/** As `describe_table` takes a name, whichever product it is. */
const quoted = (name: string): string => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`);

async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      const item = items[at];
      if (item !== undefined) results[at] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelCalls, items.length) }, worker));
  return results;
}
