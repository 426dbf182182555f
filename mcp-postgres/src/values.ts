/**
 * Types: from the oids and modifiers of a result to column names and forms, and from the server's text to cells. What
 * is built in is known here; every other type is asked for once and remembered.
 */
import type { Cell, CellForm, Column } from "@database-interface/mcp-core/sql";
import type { TextRow } from "./session.js";
import type { Field } from "./wire.js";

/** Built-in types that need no question, as format_type() writes them: oid, oid of the array, name, form. */
const builtIn: readonly (readonly [oid: number, arrayOid: number, name: string, form: CellForm])[] = [
  [16, 1000, "boolean", "boolean"],
  [17, 1001, "bytea", "bytes"],
  [18, 1002, '"char"', "text"],
  [19, 1003, "name", "text"],
  [20, 1016, "bigint", "integer"],
  [21, 1005, "smallint", "integer"],
  [23, 1007, "integer", "integer"],
  [25, 1009, "text", "text"],
  [26, 1028, "oid", "integer"],
  [114, 199, "json", "json"],
  [142, 143, "xml", "text"],
  [600, 1017, "point", "text"],
  [650, 651, "cidr", "text"],
  [700, 1021, "real", "float"],
  [701, 1022, "double precision", "float"],
  [790, 791, "money", "text"],
  [829, 1040, "macaddr", "text"],
  [869, 1041, "inet", "text"],
  [1042, 1014, "character", "text"],
  [1043, 1015, "character varying", "text"],
  [1082, 1182, "date", "text"],
  [1083, 1183, "time without time zone", "text"],
  [1114, 1115, "timestamp without time zone", "text"],
  [1184, 1185, "timestamp with time zone", "text"],
  [1186, 1187, "interval", "text"],
  [1266, 1270, "time with time zone", "text"],
  [1560, 1561, "bit", "text"],
  [1562, 1563, "bit varying", "text"],
  [1700, 1231, "numeric", "decimal"],
  [2249, 2287, "record", "text"],
  [2278, 0, "void", "text"],
  [2950, 2951, "uuid", "text"],
  [3614, 3643, "tsvector", "text"],
  [3802, 3807, "jsonb", "json"],
];

const formOf = new Map(builtIn.map(([oid, , , form]) => [oid, form]));
const nameOf = new Map(
  builtIn.flatMap(([oid, arrayOid, name]): [number, string][] => [
    [oid, name],
    [arrayOid, `${name}[]`],
  ]),
);
/** Types whose name takes its modifier in a way that is known here: how it is written. */
const modified = new Map<string, (name: string, modifier: number) => string>([
  ["numeric", (name, modifier) => `${name}(${(modifier - 4) >> 16},${((((modifier - 4) & 0x7ff) ^ 1024) - 1024) | 0})`],
  ["character", (name, modifier) => `${name}(${modifier - 4})`],
  ["character varying", (name, modifier) => `${name}(${modifier - 4})`],
  ["bit", (name, modifier) => `${name}(${modifier})`],
  ["bit varying", (name, modifier) => `${name}(${modifier})`],
  ["time without time zone", withPrecision],
  ["time with time zone", withPrecision],
  ["timestamp without time zone", withPrecision],
  ["timestamp with time zone", withPrecision],
]);

function withPrecision(name: string, modifier: number): string {
  return name.replace(/^\w+/, (word) => `${word}(${modifier})`);
}

/** Names of the types met so far that are not built in, for the life of a source. */
export type TypeNames = Map<string, string>;

/** What a query for {@link namesSql} has to find before {@link toColumns} can answer. */
export function unknownTypes(fields: readonly Field[], names: TypeNames): readonly Field[] {
  return fields.filter((field) => typeName(field, names) === undefined);
}

/** Asks for types by oid and modifier, two arrays of equal length, and gives oid, modifier and name. */
export const namesSql = `
  SELECT t.oid, t.modifier, pg_catalog.format_type(t.oid, t.modifier)
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[])) AS t (oid, modifier)`;

/** Remembers the answer to {@link namesSql}. */
export function learnTypes(rows: readonly TextRow[], names: TypeNames): void {
  for (const [oid, modifier, name] of rows) names.set(`${oid}:${modifier}`, name ?? "unknown");
}

/** The columns of a result; every type must be known by now. */
export function toColumns(fields: readonly Field[], names: TypeNames): readonly Column[] {
  return fields.map((field) => ({
    name: field.name,
    type: typeName(field, names) ?? "unknown",
    form: formOf.get(field.type) ?? "text",
  }));
}

function typeName({ type, modifier }: Field, names: TypeNames): string | undefined {
  const name = nameOf.get(type);
  if (name === undefined) return names.get(`${type}:${modifier}`);
  if (modifier === -1) return name;
  const element = name.replace("[]", "");
  const written = modified.get(element)?.(element, modifier);
  return written === undefined ? names.get(`${type}:${modifier}`) : name.replace(element, written);
}

/** How one column's texts become cells; undefined where they already are. */
export type CellReader = ((text: string) => Cell) | undefined;

/** The readers of a result's columns. */
export function cellReaders(columns: readonly Column[]): readonly CellReader[] {
  return columns.map(({ form }) => {
    if (form === "boolean") return (text) => (text === "t" ? "true" : "false");
    // bytea_output is hex on every session: \x and two digits a byte.
    return form === "bytes" ? (text) => new Uint8Array(Buffer.from(text.slice(2), "hex")) : undefined;
  });
}

/** A row's cells. */
export function toCells(row: TextRow, readers: readonly CellReader[]): readonly Cell[] {
  return row.map((text, index) => (text === null ? null : (readers[index]?.(text) ?? text)));
}
