/**
 * What the tables and views of a statement hide: the columns that a rule denies or masks, and those a view passes on as
 * they are. A view that does anything else with one is closed. Asked anew for every statement.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { type CallOptions, type ColumnRule, ruleFor } from "@database-interface/mcp-core/sql";
import { isNameToken, type Token, tokenize } from "./lexer.js";
import { toLiteral } from "./parameters.js";
import type { Pool } from "./pool.js";
import { findTables } from "./table-places.js";
import { ask } from "./transaction.js";

/** A table by its schema and name as written. */
export interface TableKey {
  readonly schema: string;
  readonly name: string;
}

/** A table and what of it is hidden. */
export interface HidingTable extends TableKey {
  readonly columns: readonly string[];
  /** The rule of each hidden column, by its name. */
  readonly hidden: ReadonlyMap<string, ColumnRule>;
  /** It is a view that reads a hidden column in a way that can't be followed. */
  readonly isClosed: boolean;
  /** It is a view that reads these tables, directly or not. */
  readonly reads: readonly TableKey[];
}

const keyOf = ({ schema, name }: TableKey): string => `${schema}\0${name}`;
const maxDepth = 8;

/** Learns these tables, and what their views read; a table that is not there is left out. */
export async function learnTables(
  pool: Pool,
  rules: readonly ColumnRule[],
  wanted: readonly TableKey[],
  options: CallOptions,
): Promise<ReadonlyMap<string, HidingTable>> {
  const found = new Map<string, { readonly columns: readonly string[]; readonly body: readonly Token[] | undefined }>();
  let level = new Map(wanted.map((table) => [keyOf(table), table]));
  for (let depth = 0; level.size > 0; depth++) {
    if (depth > maxDepth) throw new CodedError("not_allowed", "Views are nested too deeply to be checked.");
    const tables = [...level.values()];
    // One table at a time is a lookup; several in one statement open every table of the server.
    const answers = await ask(
      pool,
      tables.flatMap(({ schema, name }) => {
        const where = `table_schema = ${toLiteral(schema)} AND table_name = ${toLiteral(name)}`;
        return [
          `SELECT column_name FROM information_schema.columns WHERE ${where} ORDER BY ordinal_position`,
          `SELECT view_definition FROM information_schema.views WHERE ${where}`,
        ];
      }),
      options,
    );
    level = new Map();
    tables.forEach((table, index) => {
      const columns = (answers[index * 2] ?? []).map(([column]) => column ?? "");
      const [view] = answers[index * 2 + 1] ?? [];
      if (columns.length === 0) return;
      const body = view === undefined ? undefined : tokenize(view[0] ?? "");
      found.set(keyOf(table), { columns, body });
      for (const read of readsOf(table, body)) if (!found.has(keyOf(read))) level.set(keyOf(read), read);
    });
  }
  return decide(found, rules);
}

/** The tables of a view's query, which the server writes with their schema. */
function readsOf({ schema }: TableKey, body: readonly Token[] | undefined): readonly TableKey[] {
  return findTables(body ?? []).places.map((place) => ({ schema: place.schema ?? schema, name: place.name }));
}

type Found = ReadonlyMap<string, { readonly columns: readonly string[]; readonly body: readonly Token[] | undefined }>;

function decide(found: Found, rules: readonly ColumnRule[]): ReadonlyMap<string, HidingTable> {
  const decided = new Map<string, HidingTable>();
  function of(key: string): HidingTable | undefined {
    const known = decided.get(key);
    const table = found.get(key);
    if (known !== undefined || table === undefined) return known;
    const [schema = "", name = ""] = key.split("\0");
    const hidden = new Map<string, ColumnRule>();
    for (const column of table.columns) {
      const rule = ruleFor(rules, { schema, table: name, column });
      if (rule !== undefined) hidden.set(column, rule);
    }
    const plain = { schema, name, columns: table.columns, hidden, isClosed: false, reads: [] };
    decided.set(key, plain);
    if (table.body === undefined) return plain;
    const below = readsOf(plain, table.body).flatMap((read) => of(keyOf(read)) ?? []);
    const passed = passedColumns(table.body, new Map(below.flatMap((read) => [...read.hidden])));
    const view = {
      ...plain,
      hidden: new Map([...(passed ?? []), ...hidden]),
      // Without the privilege SHOW VIEW its query is empty.
      isClosed:
        rules.length > 0 && (passed === undefined || table.body.length === 0 || below.some((read) => read.isClosed)),
      reads: below.flatMap((read) => [read, ...read.reads]),
    };
    decided.set(key, view);
    return view;
  }
  for (const key of found.keys()) of(key);
  return decided;
}

/** Words after which a column in the list is no longer passed on as it is. */
const changing = new Set("distinct distinctrow group order union except intersect minus natural with".split(" "));

/** The hidden columns among the plain entries of a view's list, by their names there; undefined for any other use. */
function passedColumns(
  body: readonly Token[],
  hidden: ReadonlyMap<string, ColumnRule>,
): ReadonlyMap<string, ColumnRule> | undefined {
  const rules = new Map([...hidden].map(([name, rule]) => [name.toLowerCase(), rule]));
  const isHidden = (token: Token | undefined) => isNameToken(token) && rules.has(token.text.toLowerCase());
  if (!body.some(isHidden)) return new Map();
  if (body.some(({ kind, text }) => kind === "word" && changing.has(text))) return undefined;
  const passed = new Map<string, ColumnRule>();
  const end = listEnd(body);
  const rest: Token[] = [...body.slice(end)];
  for (const entry of entriesOf(body.slice(1, end))) {
    const shape = entry.map((token) => (isNameToken(token) && token.text !== "as" ? "n" : token.text)).join(" ");
    const [alias, , column] = [...entry].reverse();
    const rule = /^n( \. n)* as n$/.test(shape) ? rules.get(column?.text.toLowerCase() ?? "") : undefined;
    if (rule === undefined || entry.slice(0, -3).some(isHidden)) rest.push(...entry);
    else passed.set(alias?.text ?? "", rule);
  }
  return rest.some(isHidden) ? undefined : passed;
}

/** Where the outermost list ends. */
function listEnd(body: readonly Token[]): number {
  let depth = 0;
  const end = body.findIndex(({ kind, text }) => {
    if (text === "(" && kind === "symbol") depth++;
    if (text === ")" && kind === "symbol") depth--;
    return depth === 0 && kind === "word" && text === "from";
  });
  return end === -1 ? body.length : end;
}

function entriesOf(list: readonly Token[]): readonly (readonly Token[])[] {
  const entries: Token[][] = [[]];
  let depth = 0;
  for (const token of list) {
    if (token.text === "(" && token.kind === "symbol") depth++;
    if (token.text === ")" && token.kind === "symbol") depth--;
    if (depth === 0 && token.text === "," && token.kind === "symbol") entries.push([]);
    else entries.at(-1)?.push(token);
  }
  return entries;
}
