/** Results as people read them: aligned columns that fit the terminal, or one value a line. */
import type { Cell, QueryResult } from "../../result.js";
import { plainStyle, type Style } from "./style.js";
import { fitText, pad, toVisible, widthOf } from "./text.js";

/** How a table is drawn. */
export interface TableOptions {
  /** Columns of the terminal; no limit by default. */
  readonly width?: number | undefined;
  readonly style?: Style | undefined;
  /** The number of the first row, where rows are numbered. Default 1. */
  readonly firstRow?: number;
}

type Rows = Pick<QueryResult, "columns" | "types" | "rows">;
const numericType =
  /^(?:(?:tiny|small|medium|big)?int(?:eger)?\d?|numeric|decimal|float\d?|double|real|money|oid|serial|year)\b/i;
const narrowest = 3;
const separator = " │ ";

/** Whether a type's values stand right-aligned, and can be drawn. */
export const isNumericType = (type: string): boolean => numericType.test(type);

/** A cell in one line. */
export const toCellText = (cell: Cell): string => (cell === null ? "NULL" : toVisible(String(cell)));

/** Aligned columns; one value a line where even the narrowest columns would not fit. */
export function toTable(result: Rows, options: TableOptions = {}): string {
  const { style = plainStyle, width = Number.POSITIVE_INFINITY } = options;
  const headings = result.columns.map(toVisible);
  const texts = result.rows.map((row) => headings.map((_, index) => toCellText(row[index] ?? null)));
  const wanted = headings.map((heading, index) =>
    texts.reduce((widest, row) => Math.max(widest, widthOf(row[index] ?? "")), widthOf(heading)),
  );
  const widths = shrink(wanted, width - (headings.length - 1) * separator.length - 2);
  if (widths === undefined) return toVertical(result, options);

  const line = (cells: readonly string[], dress: (text: string, index: number) => string, align: boolean): string =>
    ` ${cells
      .map((cell, index) => {
        const columnWidth = widths[index] ?? 0;
        const right = align && isNumericType(result.types[index] ?? "");
        return dress(pad(fitText(cell, columnWidth), columnWidth, right ? "right" : "left"), index);
      })
      .join(style("dim", separator))}`.trimEnd();
  const rule = style("dim", `─${widths.map((columnWidth) => "─".repeat(columnWidth)).join("─┼─")}─`);
  return [
    line(headings, (text) => style("bold", text), false),
    rule,
    ...texts.map((row, rowIndex) =>
      line(row, (text, index) => (result.rows[rowIndex]?.[index] === null ? style("dim", text) : text), true),
    ),
  ].join("\n");
}

/** One value a line, for rows too wide for a table. */
export function toVertical(
  result: Rows,
  { width = Number.POSITIVE_INFINITY, style = plainStyle, firstRow = 1 }: TableOptions = {},
): string {
  const headings = result.columns.map(toVisible);
  const widest = Math.min(
    headings.reduce((most, heading) => Math.max(most, widthOf(heading)), 0),
    Math.max(narrowest, Math.floor(width / 2)),
  );
  const room = Math.max(narrowest, width - widest - separator.length - 1);
  return result.rows
    .map((row, rowIndex) => {
      const values = headings.map((heading, index) => {
        const cell = row[index] ?? null;
        const text = fitText(toCellText(cell), room);
        const label = style("bold", pad(fitText(heading, widest), widest));
        return ` ${label}${style("dim", separator)}${cell === null ? style("dim", text) : text}`;
      });
      return [style("dim", fitText(`── row ${firstRow + rowIndex} ──`, Math.max(narrowest, width))), ...values].join(
        "\n",
      );
    })
    .join("\n");
}

/** Takes from the widest columns until the line fits; undefined when there is no way. */
function shrink(wanted: readonly number[], room: number): readonly number[] | undefined {
  const total = wanted.reduce((sum, width) => sum + width, 0);
  if (total <= room) return wanted;
  if (wanted.reduce((sum, width) => sum + Math.min(width, narrowest), 0) > room) return undefined;
  // The greatest common limit under which everything fits: columns below it keep their width.
  let low = narrowest;
  let high = Math.max(...wanted);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const sum = wanted.reduce((all, width) => all + Math.min(width, middle), 0);
    if (sum <= room) low = middle;
    else high = middle - 1;
  }
  return wanted.map((width) => Math.min(width, low));
}
