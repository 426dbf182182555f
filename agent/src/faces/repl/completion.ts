/** What Tab offers: keywords, tables and their columns, commands, databases. Names come from the catalogue, once. */
import type { Agent } from "../../agent.js";
import { commands } from "./commands.js";
import { isKeyword, keywords } from "./keywords.js";

/** The names a database offers. */
interface Names {
  readonly tables: readonly string[];
  /** Columns by table, as far as the catalogue listed them. */
  readonly columns: ReadonlyMap<string, readonly string[]>;
}

/** Completes a line the way readline asks for it. */
export interface Completer {
  /** Fetches a database's names ahead of the first Tab. */
  prepare(source: string | undefined): void;
  complete(line: string, before: string, source: string | undefined): Promise<[string[], string]>;
}

/** A completer over the agent's catalogues. */
export function createCompleter(currentAgent: () => Agent): Completer {
  const known = new Map<string, Promise<Names>>();

  function namesOf(source: string | undefined): Promise<Names> {
    const key = source ?? "";
    const fetched =
      known.get(key) ??
      fetchNames(currentAgent(), source).catch(() => {
        known.delete(key); // a database that is down now may be up at the next Tab
        return { tables: [], columns: new Map() };
      });
    known.set(key, fetched);
    return fetched;
  }

  return {
    prepare(source) {
      void namesOf(source);
    },
    async complete(line, before, source) {
      const word = /[^\s,();=<>+*/|]*$/.exec(line)?.[0] ?? "";
      if (before === "" && /^\s*\\\S*$/.test(line))
        return offer(
          commands.map(({ name }) => `\\${name}`),
          line.trim(),
        );
      if (before === "" && /^\s*\\c\s/.test(line)) return offer(await currentAgent().sources(), word);
      const { tables, columns } = await namesOf(source);
      if (before === "" && /^\s*\\/.test(line)) return offer(tables, word);
      const text = `${before}\n${line}`;
      if (/\b(?:from|join|table|into|update)\s+[^\s,();]*$/i.test(text)) return offer(tables, word);
      const [, qualifier, part = ""] = /^(.+)\.([^.]*)$/.exec(word) ?? [];
      if (qualifier !== undefined) {
        const table = aliasesIn(text).get(qualifier.toLowerCase()) ?? qualifier;
        const found = columns.get(table.toLowerCase()) ?? [];
        return found.length > 0
          ? [startingWith(found, part).map((column) => `${qualifier}.${column}`), word]
          : offer(tables, word);
      }
      const mentioned = [...aliasesIn(text).values()].flatMap((table) => columns.get(table.toLowerCase()) ?? []);
      const cased =
        word !== "" && word === word.toLowerCase() ? keywords.map((keyword) => keyword.toLowerCase()) : keywords;
      return offer(word === "" ? mentioned : [...mentioned, ...tables, ...cased], word);
    },
  };
}

async function fetchNames(agent: Agent, source: string | undefined): Promise<Names> {
  const [tables, views, found] = await Promise.all([
    agent.search({ source, kind: "table", detail: "names" }),
    agent.search({ source, kind: "view", detail: "names" }),
    agent.search({ source, kind: "column", detail: "names" }),
  ]);
  const columns = new Map<string, string[]>();
  const tableAt = found.columns.indexOf("table");
  const nameAt = found.columns.indexOf("name");
  for (const row of found.rows) {
    const table = String(row[tableAt] ?? "").toLowerCase();
    columns.set(table, [...(columns.get(table) ?? []), quoted(String(row[nameAt] ?? ""))]);
  }
  const names = [tables, views].flatMap(({ columns: headings, rows }) => {
    const at = headings.indexOf("name");
    return rows.map((row) => quoted(String(row[at] ?? "")));
  });
  return { tables: [...new Set(names)].sort(), columns };
}

/** Tables of a statement by their alias and by their own name, lower case. */
function aliasesIn(text: string): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const [, named = "", alias] of text.matchAll(/\b(?:from|join|,)\s+([\w."`]+)(?:\s+(?:as\s+)?([a-z_]\w*))?/gi)) {
    const table = (named.split(".").at(-1) ?? named).replace(/["`]/g, "");
    aliases.set(table.toLowerCase(), table);
    if (alias !== undefined && !isKeyword(alias)) aliases.set(alias.toLowerCase(), table);
  }
  return aliases;
}

const offer = (candidates: readonly string[], word: string): [string[], string] => [
  startingWith(candidates, word),
  word,
];

function startingWith(candidates: readonly string[], part: string): string[] {
  const wanted = part.toLowerCase();
  return [...new Set(candidates)].filter((candidate) => candidate.toLowerCase().startsWith(wanted));
}

/** A name that needs quotes gets them; a control character in one is never written to the terminal. */
const quoted = (name: string): string =>
  /^[a-z_][a-z0-9_$]*$/.test(name) ? name : `"${name.replaceAll('"', '""').replace(/[\p{Cc}\p{Cf}]/gu, "")}"`;
