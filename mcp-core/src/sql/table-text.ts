/**
 * A table's description as few tokens of DDL-like text. Names, types and expressions come from the catalogue, which its
 * users wrote: each stays on its line, comments in quotes, every character visible.
 */
import type { ColumnDescription, ForeignKey, TableDescription } from "./catalog-objects.js";
import { type IdentifierQuote, quoteName, quoteTable } from "./identifiers.js";
import { toIndentedLines, toJsonString, toOneLine } from "./json-text.js";

const commentLength = 300;
const enumValues = 50;

/** The whole description. */
export function toTableText(table: TableDescription, quote: IdentifierQuote): string {
  const names = (list: readonly string[]) => list.map((name) => quoteName(name, quote)).join(", ");
  const lines = [
    `${toOneLine(table.kind)} ${quoteTable(table, quote)}${toSize(table)}${toComment(table.comment)}`,
    ...table.columns.map((column) => `  ${toColumnText(column, quote)}`),
    ...(table.primaryKey?.length ? [`primary key (${names(table.primaryKey)})`] : []),
    ...table.constraints.map((constraint) => toOneLine(constraint)),
    ...table.references.map(
      (key) =>
        `foreign key (${names(key.columns)}) references ${toOtherSide(key, quote)} (${names(key.referencedColumns)})` +
        (key.actions === undefined ? "" : ` ${toOneLine(key.actions)}`),
    ),
    ...table.referencedBy.map(
      (key) => `referenced by ${toOtherSide(key, quote)} (${names(key.columns)}) on (${names(key.referencedColumns)})`,
    ),
    ...table.indexes.map(({ name, definition }) =>
      definition.includes(name) ? toOneLine(definition) : `index ${quoteName(name, quote)} ${toOneLine(definition)}`,
    ),
    ...(table.viewDefinition === undefined ? [] : ["as", toIndentedLines(table.viewDefinition.trim(), "  ")]),
  ];
  return lines.join("\n");
}

function toColumnText(column: ColumnDescription, quote: IdentifierQuote): string {
  const shown = column.values?.slice(0, enumValues).map((value) => `'${toOneLine(value, 200).replaceAll("'", "''")}'`);
  const more = (column.values?.length ?? 0) > enumValues ? ", …" : "";
  return [
    quoteName(column.name, quote),
    toOneLine(column.type, 200),
    column.nullable ? "" : "not null",
    column.default === undefined ? "" : `default ${toOneLine(column.default, 300)}`,
    shown === undefined ? "" : `in (${shown.join(", ")}${more})`,
  ]
    .filter((word) => word !== "")
    .join(" ")
    .concat(toComment(column.comment));
}

function toComment(comment: string | undefined): string {
  if (comment === undefined || comment === "") return "";
  return ` -- ${toJsonString(comment.length > commentLength ? `${comment.slice(0, commentLength)}…` : comment)}`;
}

/** The other table; in a reference both ways it is the one the key's `schema` and `table` name. */
function toOtherSide(key: ForeignKey, quote: IdentifierQuote): string {
  return quoteTable({ schema: key.schema, name: key.table }, quote);
}

function toSize({ rowEstimate, sizeBytes }: TableDescription): string {
  const parts = [
    rowEstimate === undefined ? "" : `about ${rowEstimate.toLocaleString("en-US")} rows`,
    sizeBytes === undefined ? "" : toSizeText(sizeBytes),
  ].filter((part) => part !== "");
  return parts.length > 0 ? ` (${parts.join(", ")})` : "";
}

function toSizeText(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? size : size.toPrecision(size < 10 ? 2 : 3)} ${units[unit]}`;
}
