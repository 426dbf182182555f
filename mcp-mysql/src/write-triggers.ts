/**
 * Whether what triggers do can be taken back: not if they, or triggers they set off, name a table of an engine without
 * transactions or call what cannot be seen through. The server tells after a rollback what was missed here.
 */
import type { CallOptions } from "@database-interface/mcp-core/sql";
import { isSpatial, natives, openers } from "./guard-lists.js";
import { isNameToken, type Token, tokenize } from "./lexer.js";
import { toLiteral } from "./parameters.js";
import type { Pool } from "./pool.js";
import { ask } from "./transaction.js";

/** A trigger and what it does. */
export interface Trigger {
  readonly name: string;
  readonly body: string;
}

const maxDepth = 6;

/** Tables of engines that take nothing back. */
const keptSql = `SELECT DISTINCT t.table_name FROM information_schema.tables AS t
  JOIN information_schema.engines AS e ON e.engine = t.engine AND e.transactions <> 'YES'
  WHERE t.table_schema NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')`;

/** Why what these triggers do may not be rolled back, a sentence; undefined when it can. */
export async function whyTriggersKeep(
  pool: Pool,
  first: readonly Trigger[],
  options: CallOptions,
): Promise<string | undefined> {
  const seen = new Set(first.map(({ name }) => name));
  let level = first;
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === maxDepth) return "Its triggers set off others too deeply to be looked through.";
    const names = new Set<string>();
    for (const { name, body } of level) {
      const called = collectNames(body, names);
      if (called !== undefined) return `The trigger ${name} calls ${called}, which may do what no rollback takes back.`;
    }
    const [kept = [], further = []] = await ask(pool, [keptSql, setOffSql([...names])], options);
    const found = kept.find(([table]) => names.has((table ?? "").toLowerCase()))?.[0];
    if (found) return `A trigger names ${found}, whose engine takes nothing back.`;
    level = further
      .filter(([name]) => !seen.has(name ?? ""))
      .map(([name, body]) => ({ name: name ?? "", body: body ?? "" }));
    for (const { name } of level) seen.add(name);
  }
  return undefined;
}

const setOffSql = (tables: readonly string[]): string =>
  `SELECT trigger_name, action_statement FROM information_schema.triggers
    WHERE event_object_table IN (${tables.map(toLiteral).join(", ") || "NULL"})`;

/** Adds the names in a body, in lower case; what it calls that is not known to be harmless. */
function collectNames(body: string, names: Set<string>): string | undefined {
  let tokens: readonly Token[];
  try {
    tokens = tokenize(body);
  } catch {
    return "what cannot be read";
  }
  for (const [at, token] of tokens.entries()) {
    if (!isNameToken(token)) continue;
    const lower = token.text.toLowerCase();
    names.add(lower);
    if (token.kind === "word" && lower === "call") return "a procedure";
    if (tokens[at + 1]?.text !== "(" || isTableBefore(tokens, at)) continue;
    const isKnown = natives.has(lower) || openers.has(lower) || isSpatial(lower) || statements.has(lower);
    if (!isKnown || tokens[at - 1]?.text === ".") return token.text;
  }
  return undefined;
}

/** Words of stored programs that a parenthesis may follow. */
const statements = new Set("if elseif while until return then else do set insert replace enum".split(" "));

/** The columns of an INSERT follow, perhaps behind a qualified name. */
function isTableBefore(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]?.text === "." ? tokens[at - 3] : tokens[at - 1];
  return before?.kind === "word" && /^(into|insert|replace|ignore|low_priority|high_priority)$/.test(before.text);
}
