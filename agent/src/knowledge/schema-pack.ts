/**
 * The part of a schema a question needs, under a budget of tokens: all of it while it fits, else the tables whose names,
 * columns, values and comments are nearest to the question, with those their keys lead to.
 */
import type { SchemaIndex } from "./schema-index.js";
import type { TableOutline } from "./table-outline.js";
import { likeness, tokensOf, wordsOf } from "./words.js";

/** What a model is shown. */
export interface SchemaPack {
  readonly tables: readonly TableOutline[];
  readonly text: string;
  /** False where tables were left out. */
  readonly isWhole: boolean;
}

const neighbourShare = 0.4;
const namesShare = 0.15;

/** Chooses tables until the budget is used up; at least one, however long. */
export function packSchema(index: SchemaIndex, question: string, budgetTokens: number): SchemaPack {
  const { tables, names, isComplete } = index;
  const all = tables.map(({ text }) => text).join("\n\n");
  if (isComplete && tables.length === names.length && tokensOf(all) <= budgetTokens) {
    return { tables, text: all, isWhole: true };
  }
  const chosen: TableOutline[] = [];
  let left = budgetTokens * (1 - namesShare);
  for (const { table } of rank(tables, question)) {
    const cost = tokensOf(table.text);
    if (cost > left && chosen.length > 0) continue;
    left -= cost;
    chosen.push(table);
  }
  const others = names.filter((name) => !chosen.some((table) => table.name === name));
  const listed = fitting(others, budgetTokens * namesShare);
  const more = others.length - listed.length > 0 || !isComplete ? ", and more" : "";
  const rest = others.length === 0 && isComplete ? [] : [`Other tables, by name only: ${listed.join(", ")}${more}`];
  return { tables: chosen, text: [...chosen.map(({ text }) => text), ...rest].join("\n\n"), isWhole: false };
}

/** The tables by how near they are to the question; a table next to a near one is nearer itself. */
export function rank(
  tables: readonly TableOutline[],
  question: string,
): readonly { readonly table: TableOutline; readonly score: number }[] {
  const words = [...new Set(wordsOf(question))];
  const own = new Map(tables.map((table) => [table.name, scoreOf(table, words, tables)]));
  const scored = tables.map((table) => {
    const beside = Math.max(0, ...table.neighbours.map((name) => own.get(name) ?? 0));
    return { table, score: (own.get(table.name) ?? 0) + beside * neighbourShare };
  });
  return scored.sort((a, b) => b.score - a.score);
}

/** A word in the table's name counts most, then in a column's, then in values and comments; common words count less. */
function scoreOf(table: TableOutline, words: readonly string[], all: readonly TableOutline[]): number {
  return words.reduce((sum, word) => {
    const found = weightIn(table, word);
    if (found === 0) return sum;
    const holders = all.filter((one) => weightIn(one, word) > 0).length;
    return sum + found * Math.log(1 + all.length / holders);
  }, 0);
}

const cache = new WeakMap<
  TableOutline,
  { readonly name: string[]; readonly columns: string[]; readonly rest: string[] }
>();

function weightIn(table: TableOutline, word: string): number {
  let own = cache.get(table);
  if (own === undefined) {
    own = {
      name: wordsOf(table.name.split(".").at(-1) ?? table.name),
      columns: table.columns.flatMap(({ name }) => wordsOf(name)),
      rest: wordsOf(`${table.comment} ${table.columns.map(({ line }) => line).join(" ")}`),
    };
    cache.set(table, own);
  }
  const best = (list: readonly string[]): number => Math.max(0, ...list.map((one) => likeness(one, word)));
  return best(own.name) * 4 + best(own.columns) * 2 + best(own.rest);
}

function fitting(names: readonly string[], budgetTokens: number): readonly string[] {
  let left = budgetTokens;
  return names.filter((name) => {
    left -= tokensOf(`${name}, `);
    return left >= 0;
  });
}
