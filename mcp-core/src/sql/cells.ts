/**
 * One cell, from the database's text to JSON text, exact to the character. It knows the forms of values and the cap on
 * a cell, nothing of rows, budgets or products.
 */
import type { Cell, CellForm } from "./database.js";
import { cutBytes, escapeInvisible, toJsonString } from "./json-text.js";

const integerText = /^(?:0|-?[1-9]\d{0,15})$/;
const numberText = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const maxJsonDepth = 64;

/** A cell as JSON, whole and exact; undefined when it is longer than the cap. */
export function toCellJson(cell: Cell, form: CellForm, maxCellBytes: number): string | undefined {
  if (cell === null) return "null";
  if (typeof cell !== "string")
    return cell.length <= bytesWithin(maxCellBytes) ? toBytesJson(cell, cell.length) : undefined;
  if (cell.length * 3 > maxCellBytes && Buffer.byteLength(cell) > maxCellBytes) return undefined;
  switch (form) {
    case "integer":
      return integerText.test(cell) && Number.isSafeInteger(Number(cell)) ? cell : toJsonString(cell);
    case "float":
      return numberText.test(cell) && Number.isFinite(Number(cell)) ? cell : toJsonString(cell);
    case "boolean":
      return cell === "true" || cell === "false" ? cell : toJsonString(cell);
    case "json":
      return toEmbeddedJson(cell) ?? toJsonString(cell);
    case "decimal":
    case "text":
    case "bytes":
      return toJsonString(cell);
  }
}

/**
 * The beginning of a cell that is longer than the cap: a string that ends in `…[4096 of 100000000 bytes]`, or base64 of
 * the first bytes beside the full count.
 */
export function toCutCellJson(cell: string | Uint8Array, maxCellBytes: number): string {
  if (typeof cell !== "string") return toBytesJson(cell, bytesWithin(maxCellBytes));
  const beginning = cutBytes(cell, maxCellBytes);
  return toJsonString(`${beginning}…[${Buffer.byteLength(beginning)} of ${Buffer.byteLength(cell)} bytes]`);
}

/** How many bytes have a base64 within the cap. */
const bytesWithin = (maxCellBytes: number): number => Math.floor(maxCellBytes / 4) * 3;

function toBytesJson(bytes: Uint8Array, count: number): string {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, count).toString("base64");
  return `{"base64":"${base64}","bytes":${bytes.length}}`;
}

const anySpace = /\s/;
const stringOrSpace = /("[^"\\]*(?:\\.[^"\\]*)*")|\s+/g;
const stringOrBracket = /"[^"\\]*(?:\\.[^"\\]*)*"|[[{]|[\]}]/g;

/** The cell's own JSON without its blanks, its numbers to the last digit; undefined when it is none or nested absurdly. */
function toEmbeddedJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  if (text.length > 2 * maxJsonDepth && isTooDeep(text)) return undefined;
  return escapeInvisible(anySpace.test(text) ? text.replace(stringOrSpace, "$1") : text);
}

/** Some clients' parsers give up on deep nesting, and with it on the whole reply. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  let deepest = 0;
  json.replace(stringOrBracket, (token) => {
    if (token === "[" || token === "{") deepest = Math.max(deepest, ++depth);
    else if (token === "]" || token === "}") depth--;
    return token;
  });
  return deepest > maxJsonDepth;
}
