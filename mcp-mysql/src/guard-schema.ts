/**
 * The grammar of what changes the schema: TRUNCATE, RENAME, DROP, CREATE and ALTER of tables, indexes, views and
 * sequences. Options that reach beyond the database (other engines, other files, other servers) are refused, and so is
 * every kind of object that runs by itself or decides who may do what. It runs nothing.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { writeWarnings } from "@database-interface/mcp-core/sql";
import { readDefinitions } from "./guard-definitions.js";
import { closingOf, partsOf, type TokenReader, type WrittenName } from "./token-reader.js";
import { type Reading, refusedWrite } from "./write-shape.js";

const atOnce = { commitsAtOnce: true, isPartial: false, reads: [] };

export function readTruncate(reader: TokenReader): Reading {
  reader.take("truncate");
  reader.take("table");
  const targets = takeNames(reader);
  takeTail(reader);
  return { ...atOnce, kind: "truncate", targets, warnings: [writeWarnings.truncated] };
}

export function readRename(reader: TokenReader): Reading {
  reader.take("rename");
  if (reader.takeOne(["table", "tables"]) === undefined) throw refusedWrite();
  takeExistence(reader);
  const targets: WrittenName[] = [];
  do {
    const from = reader.takeName();
    takeWait(reader);
    const to = reader.take("to") ? reader.takeName() : undefined;
    if (from === undefined || to === undefined) throw refusedWrite();
    targets.push(from, to);
  } while (reader.take(","));
  takeTail(reader);
  return { ...atOnce, kind: "rename", targets, warnings: [writeWarnings.schemaChange] };
}

export function readDrop(reader: TokenReader): Reading {
  reader.take("drop");
  const warnings = [writeWarnings.dropped];
  if (reader.take("index")) {
    takeExistence(reader);
    const index = reader.takeName();
    const table = reader.take("on") ? reader.takeName() : undefined;
    if (index === undefined || table === undefined) throw refusedWrite();
    takeTail(reader);
    return { ...atOnce, kind: "drop index", targets: [table], warnings };
  }
  const what = reader.takeOne(["tables", "table", "view", "sequence"]);
  if (what === undefined) throw refusedWrite();
  takeExistence(reader);
  const targets = takeNames(reader);
  takeTail(reader);
  // They go one after the other: what stands before one that cannot be dropped is gone.
  return {
    ...atOnce,
    kind: `drop ${what.replace("tables", "table")}`,
    targets,
    warnings,
    isPartial: targets.length > 1,
  };
}

export function readCreate(reader: TokenReader): Reading {
  reader.take("create");
  const isReplacing = reader.take("or", "replace");
  const warnings = [
    writeWarnings.schemaChange,
    ...(isReplacing ? ["OR REPLACE drops what has the name, and what is in it."] : []),
  ];
  if (reader.take("table")) return readTable(reader, warnings);
  if (reader.take("sequence")) return { ...readSequence(reader, "create sequence"), warnings };
  if (!isReplacing && reader.takeOne(["database", "schema"]) !== undefined) {
    takeExistence(reader);
    const name = reader.takeName();
    if (name === undefined || name.schema !== undefined) throw refusedWrite();
    return { ...atOnce, kind: "create schema", targets: [{ schema: name.name, name: name.name }], warnings };
  }
  reader.takeOne(["unique", "fulltext", "spatial"]);
  return reader.take("index") ? readIndex(reader, warnings) : readView(reader, "create view", warnings);
}

export function readAlter(reader: TokenReader): Reading {
  reader.take("alter");
  const warnings = [writeWarnings.schemaChange];
  reader.take("online");
  if (reader.take("sequence")) return { ...readSequence(reader, "alter sequence"), warnings };
  return reader.take("table") ? readAlterations(reader, warnings) : readView(reader, "alter view", warnings);
}

function readTable(reader: TokenReader, warnings: readonly string[]): Reading {
  takeExistence(reader);
  const target = reader.takeName();
  if (target === undefined) throw refusedWrite();
  const made = { ...atOnce, kind: "create table", targets: [target], warnings };
  if (reader.next() === "like" || (reader.next() === "(" && reader.next(1) === "like")) {
    const isEnclosed = reader.take("(");
    const model = reader.take("like") ? reader.takeName() : undefined;
    if (model === undefined || reader.take(")") !== isEnclosed) throw refusedWrite();
    takeTail(reader);
    return { ...made, reads: [model] };
  }
  const query = queryAt(reader);
  return { ...made, reads: readDefinitions(reader, reader.at, query) };
}

/** Where the query of CREATE TABLE … SELECT begins. */
function queryAt(reader: TokenReader): number {
  const { tokens } = reader;
  const isQuery = (at: number) =>
    tokens[at]?.kind === "word" && ["select", "values", "table"].includes(tokens[at]?.text ?? "");
  for (let at = reader.at; at < tokens.length; at++) {
    const { kind, text } = tokens[at] ?? {};
    if (isQuery(at)) return at;
    if (kind === "word" && text === "with" && tokens[at + 1]?.text !== "system") return at;
    if (kind !== "symbol" || text !== "(") continue;
    let inside = at;
    while (tokens[inside]?.text === "(") inside++;
    if (isQuery(inside) || tokens[inside]?.text === "with") return at;
    at = closingOf(tokens, at);
  }
  return tokens.length;
}

function readSequence(reader: TokenReader, kind: string): Omit<Reading, "warnings"> {
  takeExistence(reader);
  const target = reader.takeName();
  if (target === undefined) throw refusedWrite();
  return { ...atOnce, kind, targets: [target], reads: readDefinitions(reader, reader.at, reader.tokens.length) };
}

function readIndex(reader: TokenReader, warnings: readonly string[]): Reading {
  takeExistence(reader);
  const index = reader.takeName();
  if (reader.take("using")) reader.takeOne(["btree", "hash", "rtree"]);
  const table = reader.take("on") ? reader.takeName() : undefined;
  if (index === undefined || table === undefined || reader.next() !== "(") throw refusedWrite();
  readDefinitions(reader, reader.at, reader.tokens.length, true);
  return { ...atOnce, kind: "create index", targets: [table], warnings };
}

function readView(reader: TokenReader, kind: string, warnings: readonly string[]): Reading {
  if (reader.take("algorithm", "=") && !reader.takeOne(["undefined", "merge", "temptable"])) throw refusedWrite();
  if (reader.take("sql", "security") && !reader.takeOne(["definer", "invoker"])) throw refusedWrite();
  if (!reader.take("view")) throw refusedWrite();
  takeExistence(reader);
  const target = reader.takeName();
  if (reader.next() === "(") reader.skipGroup();
  if (target === undefined || !reader.take("as")) throw refusedWrite();
  if (!["select", "with", "values", "table", "("].includes(reader.next())) throw refusedWrite();
  return { ...atOnce, kind, targets: [target], warnings };
}

function readAlterations(reader: TokenReader, warnings: readonly string[]): Reading {
  takeExistence(reader);
  const target = reader.takeName();
  if (target === undefined) throw refusedWrite();
  takeWait(reader);
  const targets = [target];
  const losses = new Set<string>();
  const { tokens } = reader;
  const reads = readDefinitions(reader, reader.at, tokens.length);
  for (const [from, to] of partsOf(tokens, reader.at, tokens.length)) {
    reader.at = from;
    const { renamed, loss } = readAlteration(reader, to);
    if (renamed !== undefined) targets.push(renamed);
    if (loss !== undefined) losses.add(loss);
  }
  return { ...atOnce, kind: "alter table", targets, warnings: [...warnings, ...losses], reads };
}

/** Options of a table that may be changed; what is behind them has been looked at as a definition. */
const options = new Set(
  `default character charset collate comment auto_increment engine row_format order algorithm lock force key_block_size
  checksum max_rows min_rows avg_row_length pack_keys delay_key_write page_checksum page_compressed
  page_compression_level stats_auto_recalc stats_persistent stats_sample_pages transactional nowait wait`.split(/\s+/),
);

function readAlteration(
  reader: TokenReader,
  end: number,
): { readonly renamed?: WrittenName | undefined; readonly loss?: string } {
  const verb = reader.takeOne(["add", "drop", "modify", "change", "alter", "rename", "convert", "partition", "remove"]);
  const next = reader.next();
  switch (verb) {
    case "add":
    case "drop":
      if (next === "system") throw refusedWrite();
      if (verb === "add" || /^(index|key|primary|foreign|constraint|check)$/.test(next)) return {};
      return { loss: next === "partition" ? "Dropped partitions lose their rows." : writeWarnings.droppedColumns };
    case "alter":
      // ALTER COLUMN … DROP DEFAULT
      for (let at = reader.at; at < end; at++) {
        if (reader.tokens[at]?.text === "drop" && reader.tokens[at + 1]?.text === "default") reader.understood.add(at);
      }
      return {};
    case "rename": {
      if (["column", "index", "key"].includes(next)) return {};
      reader.takeOne(["to", "as", "="]);
      const renamed = reader.takeName();
      if (renamed === undefined) throw refusedWrite();
      return { renamed };
    }
    case "modify":
    case "change":
      return {};
    case "convert":
      if (!reader.take("to", "character", "set") && !reader.take("to", "charset")) throw refusedWrite();
      return {};
    case "partition":
      if (next !== "by") throw refusedWrite();
      return {};
    case "remove":
      if (next !== "partitioning") throw refusedWrite();
      return {};
    default:
      if (!options.has(next)) throw refusedWrite();
      return {};
  }
}

function takeExistence(reader: TokenReader): void {
  if (!reader.take("if", "not", "exists")) reader.take("if", "exists");
}

function takeWait(reader: TokenReader): void {
  if (reader.take("wait")) reader.at++;
  else reader.take("nowait");
}

function takeNames(reader: TokenReader): readonly WrittenName[] {
  const names: WrittenName[] = [];
  do {
    const name = reader.takeName();
    if (name === undefined) throw refusedWrite();
    names.push(name);
  } while (reader.take(","));
  return names;
}

const tailWords =
  "restrict cascade algorithm lock default copy inplace nocopy instant none shared exclusive nowait wait =".split(" ");

/** Takes what may follow the names of a statement; anything else is not understood. */
function takeTail(reader: TokenReader): void {
  while (reader.at < reader.tokens.length) {
    if (/^\d+$/.test(reader.next())) reader.at++;
    else if (reader.takeOne(tailWords) === undefined) {
      throw new CodedError("not_allowed", "The end of the statement is not understood.", { hint: "Leave it out." });
    }
  }
}
