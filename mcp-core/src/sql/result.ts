/**
 * A result as the compact JSON a model reads: columns and types once, rows as arrays, written from the database's text
 * while it streams, never more than the caps. It knows nothing of connections, tools or MCP.
 */
import { CodedError } from "../host/errors.js";
import { toCellJson, toCutCellJson } from "./cells.js";
import type { Cell, Column, RowSink } from "./database.js";
import { toJsonString } from "./json-text.js";
import type { Caps } from "./limits.js";

/** Writes one result or one page of it. */
export interface ResultWriter {
  /** Starts the result. Called once, before any row. */
  columns(columns: readonly Column[]): void;
  /** Writes a row, or says that it has no room: that row is not in the result. */
  add(cells: readonly Cell[]): boolean;
  readonly rowCount: number;
  /**
   * The whole result as JSON.
   * @throws CodedError `result_too_large` when not even the columns and one row of cut cells fit
   */
  finish(end?: ResultEnd): string;
}

/** How a result ends when it is not simply over. */
export interface ResultEnd {
  /** A row of this result was refused, so there is more. */
  readonly truncated?: boolean;
  /** The token of the next page. */
  readonly nextCursor?: string | undefined;
  /** What to do about it, where the usual hint does not fit. */
  readonly hint?: string | undefined;
}

type ResultCaps = Pick<Caps, "maxRows" | "maxBytes" | "maxCellBytes">;

const leastCellBytes = 32;
/** `],"row_count":…,"truncated":true,"truncated_cells":…,"next_cursor":"…","hint":"…","cached_ms_ago":…}` at its longest. */
const tailBytes = 510;

/** A writer bounded by the caps; `withTypes: false` for results whose columns have no type of their own. */
export function createResultWriter(caps: ResultCaps, { withTypes = true } = {}): ResultWriter {
  const rowTexts: string[] = [];
  const budget = caps.maxBytes - tailBytes;
  let columns: readonly Column[] = [];
  let head = "";
  let bytes = 0;
  let cutCells = 0;
  let fullBy: "rows" | "bytes" | undefined;
  let tooLarge = false;

  /** Writes the row with its cells cut ever shorter until it fits; only a page's first row is worth that. */
  function squeeze(cells: readonly Cell[]): Row | undefined {
    for (let cap = caps.maxCellBytes / 2; cap >= leastCellBytes; cap /= 2) {
      const row = writeRow(cells, columns, cap);
      if (bytes + row.bytes <= budget) return row;
    }
    return undefined;
  }

  return {
    columns(found) {
      columns = found;
      const names = found.map(({ name }) => toJsonString(name)).join(",");
      const types = withTypes ? `"types":[${found.map(({ type }) => toJsonString(type)).join(",")}],` : "";
      head = `{"columns":[${names}],${types}"rows":[`;
      bytes = Buffer.byteLength(head);
      tooLarge = bytes > budget;
    },
    add(cells) {
      if (tooLarge || fullBy !== undefined) return false;
      if (rowTexts.length >= caps.maxRows) {
        fullBy = "rows";
        return false;
      }
      const comma = rowTexts.length > 0 ? 1 : 0;
      let row: Row | undefined = writeRow(cells, columns, caps.maxCellBytes);
      if (bytes + row.bytes + comma > budget) {
        if (rowTexts.length > 0) {
          fullBy = "bytes";
          return false;
        }
        row = squeeze(cells);
        if (row === undefined) {
          tooLarge = true;
          return false;
        }
      }
      bytes += row.bytes + comma;
      cutCells += row.cut;
      rowTexts.push(row.json);
      return true;
    },
    get rowCount() {
      return rowTexts.length;
    },
    finish(end = {}) {
      if (tooLarge) throw resultTooLarge(columns.length, caps.maxBytes);
      const hint = end.hint ?? toHint(caps, end.truncated ? fullBy : undefined, cutCells);
      return [
        head,
        rowTexts.join(","),
        `],"row_count":${rowTexts.length}`,
        end.truncated ? ',"truncated":true' : "",
        cutCells > 0 ? `,"truncated_cells":${cutCells}` : "",
        end.nextCursor === undefined ? "" : `,"next_cursor":${toJsonString(end.nextCursor)}`,
        hint === undefined ? "" : `,"hint":${toJsonString(hint)}`,
        "}",
      ].join("");
    },
  };
}

/** A sink that fills a writer until it has no room; `truncated` once a row was refused. */
export function createResultSink(writer: ResultWriter): RowSink & { readonly truncated: boolean } {
  let truncated = false;
  return {
    columns: (columns) => writer.columns(columns),
    row(cells) {
      truncated ||= !writer.add(cells);
      return !truncated;
    },
    get truncated() {
      return truncated;
    },
  };
}

/** A row as JSON, its bytes, and how many of its cells are cut. */
interface Row {
  readonly json: string;
  readonly bytes: number;
  readonly cut: number;
}

function writeRow(cells: readonly Cell[], columns: readonly Column[], maxCellBytes: number): Row {
  let row = "[";
  let cut = 0;
  for (let index = 0; index < cells.length; index++) {
    const cell = cells[index] ?? null;
    let json = toCellJson(cell, columns[index]?.form ?? "text", maxCellBytes);
    if (json === undefined) {
      cut++;
      json = toCutCellJson(cell ?? "", maxCellBytes);
    }
    row += index === 0 ? json : `,${json}`;
  }
  row += "]";
  return { json: row, bytes: Buffer.byteLength(row), cut };
}

function toHint(caps: ResultCaps, fullBy: "rows" | "bytes" | undefined, cutCells: number): string | undefined {
  const hints: string[] = [];
  if (fullBy === "rows") {
    hints.push(`More than ${caps.maxRows} rows: aggregate or filter, or page with cursor:"start".`);
  }
  if (fullBy === "bytes") {
    hints.push(
      `More rows than fit ${caps.maxBytes} bytes: select fewer columns, aggregate, or page with cursor:"start".`,
    );
  }
  if (cutCells > 0) hints.push("Long values are cut: select a part of them to read on.");
  return hints.length > 0 ? hints.join(" ") : undefined;
}

function resultTooLarge(columnCount: number, maxBytes: number): CodedError {
  return new CodedError("result_too_large", `One row of ${columnCount} columns does not fit ${maxBytes} bytes.`, {
    hint: "Select fewer columns, or raise --max-bytes.",
  });
}
