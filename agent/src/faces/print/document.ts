/** A result that comes page by page, written as one document in any format. */
import type { QueryResult } from "../../result.js";
import type { Format } from "../../task.js";
import { formatResult, toJsonRows } from "./format.js";
import type { TableOptions } from "./table.js";

/** Pages in, text out; `end` closes what the format has to close. */
export interface ResultDocument {
  /** Rows of the pages so far. */
  readonly rowCount: number;
  page(result: QueryResult): string;
  end(): string;
}

/** A document in this format. */
export function createDocument(format: Format, options: TableOptions = {}): ResultDocument {
  let rowCount = 0;
  let isFirst = true;

  /** One array over all pages. */
  function jsonPart(result: QueryResult): string {
    const rows = toJsonRows(result).join(",\n ");
    return `${isFirst ? "[" : ""}${rowCount > 0 && rows !== "" ? ",\n " : ""}${rows}`;
  }

  return {
    get rowCount() {
      return rowCount;
    },
    page(result) {
      const isEmpty = !isFirst && result.rows.length === 0;
      const text =
        format === "json"
          ? jsonPart(result)
          : isEmpty
            ? ""
            : formatResult(result, format, { ...options, headings: isFirst, firstRow: rowCount + 1 });
      isFirst = false;
      rowCount += result.rows.length;
      return text;
    },
    end: () => (format !== "json" ? "" : isFirst ? "[]\n" : "]\n"),
  };
}
