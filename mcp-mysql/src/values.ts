/**
 * Types: from the server's result metadata to column names and forms, and from its bytes to cells. Results come over the
 * text protocol, so every value is the server's own text; nothing is parsed.
 */
import type { Cell, CellForm, Column } from "@database-interface/mcp-core/sql";
import type { FieldInfo, TypeCastFunction } from "mariadb";
import { toCallerText } from "./parameters.js";

/** Bits of a field's flags (protocol, column definition). */
const unsignedFlag = 32;
const zerofillFlag = 64;
const enumFlag = 256;
const setFlag = 2048;
/** The collation of binary strings. */
const binaryCollation = 63;
/** Bytes of a character at most in what the server sends: utf8mb4, whatever the column's own character set. */
const bytesPerCharacter = 4;

const integers: Readonly<Record<string, string>> = {
  TINY: "tinyint",
  SHORT: "smallint",
  INT24: "mediumint",
  INT: "int",
  BIGINT: "bigint",
};
const decimals = new Set(["DECIMAL", "NEWDECIMAL"]);
const temporals: Readonly<Record<string, string>> = {
  TIME: "time",
  TIME2: "time",
  DATETIME: "datetime",
  DATETIME2: "datetime",
  TIMESTAMP: "timestamp",
  TIMESTAMP2: "timestamp",
};
const blobs = new Set(["BLOB", "TINY_BLOB", "MEDIUM_BLOB", "LONG_BLOB"]);

/** The column as results show it. */
export function toColumn(field: FieldInfo): Column {
  return { name: toCallerText(field.name()), type: typeOf(field), form: formOf(field) };
}

function formOf(field: FieldInfo): CellForm {
  const { type } = field;
  if (integers[type] !== undefined || type === "YEAR") return "integer";
  if (decimals.has(type)) return "decimal";
  if (type === "FLOAT" || type === "DOUBLE") return "float";
  if (isJson(field)) return "json";
  return isBinary(field) ? "bytes" : "text";
}

function typeOf(field: FieldInfo): string {
  const { type, scale, columnLength } = field;
  const integer = integers[type];
  // By convention of both servers tinyint(1) is how a boolean is declared.
  if (integer !== undefined) return attributed(type === "TINY" && columnLength === 1 ? "tinyint(1)" : integer, field);
  if (decimals.has(type)) return attributed(`decimal(${precisionOf(field)},${scale})`, field);
  if (type === "FLOAT" || type === "DOUBLE") return attributed(type.toLowerCase(), field);
  if (isJson(field)) return "json";
  const temporal = temporals[type];
  if (temporal !== undefined) return scale >= 1 && scale <= 6 ? `${temporal}(${scale})` : temporal;
  if (type === "DATE" || type === "NEWDATE") return "date";
  if (type === "BIT") return `bit(${columnLength})`;
  if ((field.flags & enumFlag) !== 0 || type === "ENUM") return "enum";
  if ((field.flags & setFlag) !== 0 || type === "SET") return "set";
  if (field.dataTypeName !== undefined) return field.dataTypeName;
  if (type === "YEAR" || type === "NULL" || type === "GEOMETRY") return type.toLowerCase();
  return stringType(field);
}

function stringType(field: FieldInfo): string {
  const binary = isBinary(field);
  const length = binary ? field.columnLength : Math.floor(field.columnLength / bytesPerCharacter);
  if (blobs.has(field.type)) {
    const size = length <= 255 ? "tiny" : length <= 65_535 ? "" : length <= 16_777_215 ? "medium" : "long";
    return `${size}${binary ? "blob" : "text"}`;
  }
  const isFixed = field.type === "STRING";
  return `${isFixed ? "" : "var"}${binary ? "binary" : "char"}(${length})`;
}

function attributed(name: string, { flags }: FieldInfo): string {
  const unsigned = (flags & unsignedFlag) !== 0 ? " unsigned" : "";
  return `${name}${unsigned}${(flags & zerofillFlag) !== 0 ? " zerofill" : ""}`;
}

/** The length counts a sign and a point where there can be one. */
function precisionOf({ columnLength, scale, flags }: FieldInfo): number {
  return columnLength - (scale > 0 ? 1 : 0) - ((flags & unsignedFlag) !== 0 ? 0 : 1);
}

/** MySQL has a type of its own; MariaDB's is a text that its extended metadata calls json. */
const isJson = (field: FieldInfo): boolean => field.type === "JSON" || field.isDataTypeFormatJson();

function isBinary(field: FieldInfo): boolean {
  if (field.type === "GEOMETRY") return true;
  const isString = blobs.has(field.type) || /^(VAR_STRING|STRING|VARCHAR)$/.test(field.type);
  return isString && field.collation?.index === binaryCollation && !/^(uuid|inet\d)$/.test(field.dataTypeName ?? "");
}

type Reader = (field: FieldInfo) => Cell;

/** How a column is read, decided at its first cell. */
const readers = new WeakMap<FieldInfo, Reader>();

/** The driver's hook for every cell: the text as it came, bytes of binary columns, bits as digits. */
export const readCell: TypeCastFunction = (field) => {
  let reader = readers.get(field);
  if (reader === undefined) {
    reader = readerOf(field);
    readers.set(field, reader);
  }
  // A Uint8Array is a Buffer here; the driver's type names only the latter.
  return reader(field) as string | Buffer | null;
};

function readerOf(field: FieldInfo): Reader {
  if (field.type === "BIT") return ({ columnLength }) => toDigits(field.buffer(), columnLength);
  return formOf(field) === "bytes" ? () => field.buffer() : () => field.string();
}

/** A BIT value as that many binary digits, the form of a b'…' literal. */
function toDigits(bytes: Buffer | null, length: number): string | null {
  if (bytes === null) return null;
  const digits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return digits.padStart(length, "0").slice(-length);
}
