/** Results in every format: for people, for spreadsheets, for documents and for programs. Values keep every digit. */
import type { Cell, QueryResult } from "../../result.js";
import type { Format } from "../../task.js";
import { isNumericType, type TableOptions, toCellText, toTable, toVertical } from "./table.js";
import { toVisible } from "./text.js";

/** A result in a format, ending with a line break where it has any line. `headings: false` leaves them out of CSV and Markdown. */
export function formatResult(
  result: QueryResult,
  format: Format,
  options: TableOptions & { readonly headings?: boolean } = {},
): string {
  switch (format) {
    case "table":
      return `${toTable(result, options)}\n`;
    case "vertical":
      return `${toVertical(result, options)}\n`;
    case "markdown":
      return toMarkdown(result, options.headings ?? true);
    case "csv":
      return toCsv(result, options.headings ?? true);
    case "json":
      return `[${toJsonRows(result).join(",\n ")}]\n`;
    case "jsonl":
      return toJsonRows(result)
        .map((row) => `${row}\n`)
        .join("");
  }
}

/** @see https://www.rfc-editor.org/rfc/rfc4180 ; SQL NULL is an empty field, an empty text is `""`. */
function toCsv({ columns, rows }: QueryResult, headings: boolean): string {
  const lines = rows.map((row) => row.map((cell) => (cell === null ? "" : toField(String(cell)))).join(","));
  return [...(headings ? [columns.map(toField).join(",")] : []), ...lines].map((line) => `${line}\r\n`).join("");
}

const toField = (text: string): string =>
  text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function toMarkdown({ columns, types, rows }: QueryResult, headings: boolean): string {
  const toText = (text: string): string => text.replace(/[\\|<>`*[\]]|(?<!\w)_|_(?!\w)/g, "\\$&");
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const alignments = columns.map((_, index) => (isNumericType(types[index] ?? "") ? "--:" : "---"));
  const head = [line(columns.map((name) => toText(toVisible(name)))), line(alignments)];
  return [
    ...(headings ? head : []),
    ...rows.map((row) => line(row.map((cell) => (cell === null ? "" : toText(toCellText(cell)))))),
  ]
    .map((text) => `${text}\n`)
    .join("");
}

/** Each row as a JSON object; a second column of the same name gets a number. */
export function toJsonRows({ columns, types, rows }: QueryResult): string[] {
  const keys = distinct(columns).map((name) => JSON.stringify(name));
  return rows.map(
    (row) => `{${keys.map((key, index) => `${key}:${toJson(row[index] ?? null, types[index] ?? "")}`).join(",")}}`,
  );
}

/** A cell as JSON: what came as JSON (documents, binary with its length) goes on as it is. */
export function toJson(cell: Cell, type: string): string {
  const isEmbedded = typeof cell === "string" && /json|bytea|blob|binary/i.test(type) && isJsonContainer(cell);
  return isEmbedded ? cell : JSON.stringify(cell);
}

function isJsonContainer(text: string): boolean {
  if (!/^[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function distinct(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let free = name;
    for (let number = 2; taken.has(free); number += 1) free = `${name}_${number}`;
    taken.add(free);
    return free;
  });
}
