/** Results for those who get them: as an event's own copy, and as much of one as a prompt has room for. */
import type { QueryResult } from "./result.js";

/** A result as its event has it: copied, because events are the listener's own. */
export const toRows = ({ nextCursor: _, ...result }: QueryResult) => ({
  ...result,
  columns: [...result.columns],
  types: [...result.types],
  rows: result.rows.map((row) => [...row]),
});

/** As many rows as fit, as JSON, and how many there are: what is left out is said, never cut inside a row. */
export function toPromptRows({ columns, rows, rowCount, truncated }: QueryResult, budgetCharacters: number): string {
  const shown: string[] = [];
  let left = budgetCharacters;
  for (const row of rows) {
    const text = JSON.stringify(row);
    left -= text.length + 1;
    if (left < 0) break;
    shown.push(text);
  }
  const more = shown.length < rows.length ? `,"shown":${shown.length}` : "";
  const count = `"row_count":${rowCount}${truncated ? ',"there_are_more":true' : ""}`;
  return `{"columns":${JSON.stringify(columns)},"rows":[${shown.join(",")}],${count}${more}}`;
}
