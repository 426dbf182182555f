/**
 * Which statements may write, and what they would do, by the grammar of INSERT, REPLACE, UPDATE and DELETE; what changes
 * the schema has a file of its own. Everything else (LOAD, CALL, SET, GRANT, HANDLER, LOCK, …) is refused, whoever asks.
 * It says which tokens the grammar accounts for: the rest must pass the rules for any SQL. It runs nothing.
 */
import { writeWarnings } from "@database-interface/mcp-core/sql";
import { readAlter, readCreate, readDrop, readRename, readTruncate } from "./guard-schema.js";
import type { Token } from "./lexer.js";
import { findTables, tablesIn, type WrittenTable } from "./table-places.js";
import { createTokenReader, partsOf, type TokenReader, type WrittenName } from "./token-reader.js";
import { type Reading, refusedWrite, type Span, type WriteShape } from "./write-shape.js";

const grammars: ReadonlyMap<string, (reader: TokenReader) => Reading> = new Map([
  ["insert", readInsert],
  ["replace", readInsert],
  ["update", readUpdate],
  ["delete", readDelete],
  ["truncate", readTruncate],
  ["rename", readRename],
  ["create", readCreate],
  ["alter", readAlter],
  ["drop", readDrop],
]);

/** It writes rows, which a view can hold; TRUNCATE and changes of the schema nothing holds. */
export const isRowWrite = ({ kind }: WriteShape): boolean => ["insert", "replace", "update", "delete"].includes(kind);

/** @throws CodedError `not_allowed` */
export function toWriteShape(
  sql: string,
  tokens: readonly Token[],
): { readonly shape: WriteShape; readonly understood: ReadonlySet<number> } {
  const reader = createTokenReader(sql, tokens);
  const reading = grammars.get(reader.next())?.(reader);
  if (reading === undefined) throw refusedWrite();
  const { places, commonTables } = findTables(tokens);
  const sequences = reading.commitsAtOnce ? [] : takeSequences(reader);
  const reads = { places: [...reading.reads, ...sequences, ...places], commonTables };
  return { shape: { ...reading, reads }, understood: reader.understood };
}

/** Takes NEXTVAL(name) and NEXT VALUE FOR name: how rows get their numbers. */
function takeSequences(reader: TokenReader): readonly WrittenName[] {
  const sequences: WrittenName[] = [];
  for (let at = 0; at < reader.tokens.length; at++) {
    reader.at = at;
    if (!reader.take("nextval", "(") && !reader.take("next", "value", "for")) continue;
    const sequence = reader.takeName();
    if (sequence === undefined) throw refusedWrite();
    sequences.push(sequence);
  }
  return sequences;
}

const queries = ["select", "with", "table", "("];

function readInsert(reader: TokenReader): Reading {
  const { tokens } = reader;
  const kind = reader.takeOne(["insert", "replace"]) ?? "";
  reader.takeOne(["low_priority", "high_priority"]);
  const isIgnoring = reader.take("ignore");
  reader.take("into");
  const target = reader.takeName();
  if (reader.take("partition")) reader.skipGroup();
  if (reader.next() === "(" && !queries.includes(reader.next(1))) reader.skipGroup();
  const isQuery = queries.includes(reader.next());
  if (target === undefined || !(isQuery || ["values", "value", "set"].includes(reader.next()))) throw refusedWrite();
  const from = reader.at;
  const returning = reader.find(["returning"], from);
  const end = takeDuplicates(reader, from) ?? returning;
  // The new row's own name, which a list of columns may follow.
  const alias = isQuery ? tokens.length : reader.find(["as"], from);
  if (alias < end) reader.understood.add(alias + 1);
  return {
    kind,
    targets: [target],
    reads: [],
    warnings: [
      ...(isIgnoring ? [writeWarnings.ignoring] : []),
      ...(kind === "replace" ? ["REPLACE deletes rows that have the same key."] : []),
    ],
    commitsAtOnce: false,
    isPartial: false,
    ...(returning === tokens.length
      ? { sampled: { verb: "insert", query: isQuery ? spanOf(tokens, from, end) : undefined, end: endOf(tokens) } }
      : {}),
  };
}

/** Takes `ON DUPLICATE KEY UPDATE`; where it begins. */
function takeDuplicates(reader: TokenReader, from: number): number | undefined {
  const at = reader.find(["duplicate"], from);
  if (at === reader.tokens.length) return undefined;
  reader.at = at - 1;
  return reader.take("on", "duplicate", "key", "update") ? at - 1 : undefined;
}

const clauses = ["where", "order", "limit", "returning"];

function readUpdate(reader: TokenReader): Reading {
  const { tokens } = reader;
  reader.take("update");
  reader.take("low_priority");
  const isIgnoring = reader.take("ignore");
  const from = reader.at;
  const set = reader.find(["set"]);
  const rest = reader.find(clauses, set);
  const tables = tablesIn(reader, from, set);
  const columns = partsOf(tokens, set + 1, rest).map(([at]) => assignedAt(reader, at));
  if (tables.length === 0 || columns.some((column) => column === undefined)) throw refusedWrite();
  // A column without its table may be any table's.
  const isOpen = tables.length === 1 || columns.some((column) => column?.schema === undefined);
  const owners = columns.flatMap(
    (column) => findTable(tables, { schema: undefined, name: column?.schema ?? "" }) ?? [],
  );
  const targets = isOpen || owners.length < columns.length ? tables : [...new Set(owners)];
  return toRowsReading(reader, "update", { tables, targets, from, to: set, rest, isIgnoring });
}

/** The column that an assignment begins with; its table, where it is written, in place of a schema. */
function assignedAt(reader: TokenReader, at: number): WrittenName | undefined {
  reader.at = at;
  const first = reader.takeName();
  const second = reader.take(".") ? reader.takeName() : undefined;
  if (!reader.take("=") || first === undefined) return undefined;
  return second === undefined ? first : { schema: first.name, name: second.name };
}

function readDelete(reader: TokenReader): Reading {
  reader.take("delete");
  reader.take("low_priority");
  reader.take("quick");
  const isIgnoring = reader.take("ignore");
  // What a versioned table remembers is not a row that is there.
  if (reader.next() === "history") throw refusedWrite();
  const isFirst = reader.take("from");
  let from = reader.at;
  const named = takeTables(reader);
  const isListed = reader.takeOne([isFirst ? "using" : "from"]) !== undefined;
  if (named.length === 0 || (!isListed && (!isFirst || named.length > 1))) throw refusedWrite();
  if (isListed) from = reader.at;
  const rest = reader.find(clauses, from);
  const tables = tablesIn(reader, from, rest);
  const targets = isListed
    ? named.map((name) => findTable(tables, name) ?? { ...name, alias: undefined, isAlone: false })
    : tables;
  if (tables.length === 0) throw refusedWrite();
  return toRowsReading(reader, "delete", { tables, targets, from, to: rest, rest, isIgnoring });
}

/** Names of tables, each perhaps followed by `.*` */
function takeTables(reader: TokenReader): readonly WrittenName[] {
  const names: WrittenName[] = [];
  do {
    const name = reader.takeName();
    if (name === undefined) return [];
    names.push(name);
    reader.take(".", "*");
  } while (reader.take(","));
  return names;
}

interface Rows {
  readonly tables: readonly WrittenTable[];
  readonly targets: readonly WrittenTable[];
  /** Indexes of the tokens: its tables, and what follows them or the assignments. */
  readonly from: number;
  readonly to: number;
  readonly rest: number;
  readonly isIgnoring: boolean;
}

function toRowsReading(
  reader: TokenReader,
  verb: "update" | "delete",
  { tables, targets, from, to, rest, isIgnoring }: Rows,
): Reading {
  const { tokens } = reader;
  const [only] = tables;
  const returning = reader.find(["returning"], rest);
  const isSampled = only?.isAlone === true && returning === tokens.length;
  const names = targets.map(({ name }) => name).join(", ");
  return {
    kind: verb,
    targets: targets.map(({ schema, name }) => ({ schema, name })),
    reads: tables,
    warnings: [
      ...(tokens[rest]?.text === "where" ? [] : [writeWarnings.withoutWhere(verb, names)]),
      ...(targets.length > 1 ? [writeWarnings.severalTables] : []),
      ...(isIgnoring ? [writeWarnings.ignoring] : []),
    ],
    commitsAtOnce: false,
    isPartial: false,
    ...(isSampled
      ? { sampled: { verb, table: spanOf(tokens, from, to), condition: spanOf(tokens, rest, tokens.length) } }
      : {}),
  };
}

/** The table a statement means by this name or alias. */
const findTable = (tables: readonly WrittenTable[], { schema, name }: WrittenName): WrittenTable | undefined =>
  tables.find((table) =>
    schema === undefined
      ? (table.alias ?? table.name).toLowerCase() === name.toLowerCase()
      : table.schema === schema && table.name === name,
  );

const endOf = (tokens: readonly Token[]): number => tokens.at(-1)?.end ?? 0;

/** The statement's text from one token to before another. */
function spanOf(tokens: readonly Token[], from: number, to: number): Span {
  const end = endOf(tokens);
  return [tokens[from]?.start ?? end, tokens[to]?.start ?? end];
}
