/**
 * Definitions of tables, token by token: which parentheses follow the name of a column, key or partition and not that of
 * a function, and which options reach beyond the database's own tables. It runs nothing.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import { harmful } from "./guard-lists.js";
import { isNameToken, type Token } from "./lexer.js";
import { closingOf, type TokenReader, type WrittenName } from "./token-reader.js";

/** Words of definitions that a parenthesis may follow. */
const openers = new Set(
  "enum set check always unique references than hash list range columns add column key index national nvarchar".split(
    " ",
  ),
);
/** After these a name may follow that has a parenthesis behind it. */
const introducing = new Set(
  "key index unique fulltext spatial references partition subpartition exists using for".split(" "),
);
const keys = new Set("key index unique fulltext spatial".split(" "));

/** Engines whose tables are the server's own. */
const ownEngines = new Set(["innodb", "aria", "myisam", "memory"]);
const otherEngines = new Set(
  `archive blackhole cassandra columnstore connect csv example federated federatedx heap merge mrg_myisam mroonga ndb
  ndbcluster oqgraph rocksdb s3 sequence sphinx spider tokudb`.split(/\s+/),
);

/**
 * Looks at the definitions from one token to before another, takes what is no call, and gives the tables they refer to.
 * `isKey`: they begin with the columns of a key.
 * @throws CodedError `not_allowed`
 */
export function readDefinitions(reader: TokenReader, from: number, to: number, isKey = false): readonly WrittenName[] {
  const { tokens, understood } = reader;
  const referenced: WrittenName[] = [];
  /** Where the columns of a key end. */
  let keyEnd = isKey ? closingOf(tokens, from) : 0;
  for (let at = from; at < to; at++) {
    const token = tokens[at];
    if (token === undefined) break;
    const before = tokens[at - 1];
    assertOption(tokens, at);
    if (token.kind === "word" && /^(update|delete)$/.test(token.text) && before?.text === "on") understood.add(at);
    if (token.kind === "word" && token.text === "references") {
      const back = reader.at;
      reader.at = at + 1;
      const table = reader.takeName();
      if (table !== undefined) referenced.push(table);
      reader.at = back;
    }
    if (!isNameToken(token) || tokens[at + 1]?.text !== "(" || harmful.has(token.text.toLowerCase())) continue;
    const isOpener = token.kind === "word" && openers.has(token.text);
    const isNamed = before?.kind === "word" && introducing.has(before.text);
    if (isOpener || isNamed) understood.add(at);
    if (keys.has(token.text) || (isNamed && (keys.has(before.text) || before.text === "using"))) {
      keyEnd = closingOf(tokens, at + 1);
    } else if (at < keyEnd && isKeyPart(tokens, at)) understood.add(at);
  }
  return referenced;
}

/** `name(10)`: the first characters of a column, as a part of a key. */
function isKeyPart(tokens: readonly Token[], at: number): boolean {
  const [before, , , length, close] = tokens.slice(at - 1, at + 4);
  const isFirst = before?.text === "(" || before?.text === ",";
  return isFirst && /^\d+$/.test(length?.text ?? "") && close?.text === ")";
}

/** @throws CodedError `not_allowed` for options that name files, servers, or engines that are not the server's own */
function assertOption(tokens: readonly Token[], at: number): void {
  const { kind, text } = tokens[at] ?? {};
  if (kind !== "word") return;
  const next = tokens[at + 1];
  const isAssigned = next?.text === "=" || next?.kind === "string";
  if (text === "directory" || text === "tablespace") throw refusedOption(text);
  if (text === "definer" || text === "temporary") throw refusedOption(text);
  if ((text === "connection" || text === "insert_method" || text === "encryption") && isAssigned)
    throw refusedOption(text);
  if (text === "union" && (next?.text === "=" || next?.text === "(")) throw refusedOption(text);
  if (text !== "engine" && text !== "storage_engine") return;
  const engine = (next?.text === "=" ? tokens[at + 2] : next)?.text.toLowerCase().replaceAll(/['"]/g, "") ?? "";
  const isOwn = ownEngines.has(engine);
  // Without a mark `engine` may be a column's name, and what follows its type.
  if (isAssigned ? !isOwn : otherEngines.has(engine)) throw refusedOption(`engine ${engine}`);
}

const refusedOption = (option: string): CodedError =>
  new CodedError("not_allowed", `The option ${option.slice(0, 40).toUpperCase()} is not allowed.`, {
    hint: "Leave it out; a column of that name goes in backticks.",
  });
