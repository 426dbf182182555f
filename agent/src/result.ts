/**
 * What a `query` call brought back, exact to the digit: the reply is read cell by cell from its JSON text, because
 * `JSON.parse` would round the numbers inside json columns. It knows the servers' reply and nothing else.
 */
import { AgentError } from "./errors.js";

/**
 * A value of a row. A number only where JavaScript writes it back digit for digit, else its text; objects and arrays
 * (json columns, binary with its length) are their exact JSON text.
 */
export type Cell = string | number | boolean | null;

/** A result, or one page of it. */
export interface QueryResult {
  readonly columns: readonly string[];
  /** The database's own names of the columns' types. */
  readonly types: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
  readonly rowCount: number;
  /** True when the server proved that there is more than it sent. */
  readonly truncated: boolean;
  /** Fetches the next page; absent on the last one and on results that are not paged. */
  readonly nextCursor?: string;
  readonly hint?: string;
}

/** Reads a reply of the `query` tool. @throws AgentError `reply_invalid` */
export function parseQueryReply(text: string): QueryResult {
  const reply = readObject(text);
  const columns = strings(reply.get("columns"));
  const rows = reply.get("rows");
  if (columns === undefined || rows === undefined) throw invalidReply();
  const nextCursor = string(reply.get("next_cursor"));
  const hint = string(reply.get("hint"));
  const parsedRows = elements(rows).map((row) => elements(row).map(toCell));
  return {
    columns,
    types: strings(reply.get("types")) ?? [],
    rows: parsedRows,
    rowCount: Number(reply.get("row_count") ?? parsedRows.length),
    truncated: reply.get("truncated") === "true",
    ...(nextCursor === undefined ? {} : { nextCursor }),
    ...(hint === undefined ? {} : { hint }),
  };
}

/** What a reply of `execute` says, as rows: those it returned, else how many it affected. */
export function parseWriteReply(text: string): QueryResult {
  const reply = readObject(text);
  const returned = reply.get("returned");
  if (returned?.startsWith("{")) return parseQueryReply(returned);
  const affected = toCell(reply.get("rows_affected") ?? "null");
  return { columns: ["rows_affected"], types: ["integer"], rows: [[affected]], rowCount: 1, truncated: false };
}

/** What a write would do, as its server found by trying and rolling it back. */
export interface DryRun {
  /** Such as `update`. */
  readonly kind: string;
  readonly targets: readonly string[];
  readonly warnings: readonly string[];
  readonly rowsAffected: Cell;
  /** A few of the rows, as they are. */
  readonly before?: QueryResult;
  /** The same, as they would be. */
  readonly after?: QueryResult;
}

/** Reads a reply of `execute` to a dry run. @throws AgentError `reply_invalid` */
export function parseDryRunReply(text: string): DryRun {
  const reply = readObject(text);
  const sample = (key: "before" | "after") => {
    const json = reply.get(key);
    return json?.startsWith("{") ? { [key]: parseQueryReply(json) } : {};
  };
  return {
    kind: string(reply.get("class")) ?? "",
    targets: strings(reply.get("targets")) ?? [],
    warnings: strings(reply.get("warnings")) ?? [],
    rowsAffected: toCell(reply.get("rows_affected") ?? "null"),
    ...sample("before"),
    ...sample("after"),
  };
}

const invalidReply = (): AgentError =>
  new AgentError("reply_invalid", "The server's reply to query is not a result.", {
    hint: "Is the address a gateway or database server of this suite, in a version that fits?",
  });

function toCell(json: string): Cell {
  const first = json[0];
  if (first === '"') return String(JSON.parse(json));
  if (first === "{" || first === "[") return json;
  if (json === "null") return null;
  if (json === "true" || json === "false") return json === "true";
  const number = Number(json);
  return String(number) === json ? number : json;
}

const string = (json: string | undefined): string | undefined =>
  json?.[0] === '"' ? String(JSON.parse(json)) : undefined;
const strings = (json: string | undefined): string[] | undefined =>
  json === undefined ? undefined : elements(json).map((element) => string(element) ?? element);

/** The JSON texts of an object's values by key. */
function readObject(text: string): ReadonlyMap<string, string> {
  const parts = split(text.trim(), "{", "}");
  const values = new Map<string, string>();
  for (const part of parts) {
    const end = endOfString(part, 0);
    values.set(String(JSON.parse(part.slice(0, end))), part.slice(part.indexOf(":", end) + 1).trim());
  }
  return values;
}

/** The JSON texts of an array's elements. */
const elements = (json: string): string[] => split(json, "[", "]");

function split(json: string, open: string, close: string): string[] {
  if (json[0] !== open || json.at(-1) !== close) throw invalidReply();
  const parts: string[] = [];
  let depth = 0;
  let start = 1;
  for (let at = 1; at < json.length - 1; at += 1) {
    const character = json[at];
    if (character === '"') at = endOfString(json, at) - 1;
    else if (character === "[" || character === "{") depth += 1;
    else if (character === "]" || character === "}") depth -= 1;
    else if (character === "," && depth === 0) {
      parts.push(json.slice(start, at).trim());
      start = at + 1;
    }
  }
  const last = json.slice(start, -1).trim();
  if (last !== "") parts.push(last);
  return parts;
}

function endOfString(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at += 1) {
    if (json[at] === "\\") at += 1;
    else if (json[at] === '"') return at + 1;
  }
  throw invalidReply();
}
