/**
 * One cell, from the database's text to JSON text, exact to the character. It knows the forms of values and the cap on
 * a cell, nothing of rows, budgets or products.
 */
import type { Cell, CellForm } from "./database.js";
import { cutBytes, escapeInvisible, toJsonString } from "./json-text.js";

/** A cell as JSON text; `cut` when only its beginning fitted the cap. */
export interface WrittenCell {
  readonly json: string;
  readonly cut: boolean;
}

const integerText = /^(?:0|-?[1-9]\d{0,15})$/;
const numberText = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const maxJsonDepth = 64;

/**
 * Writes one cell. What is longer than `maxCellBytes` becomes a string of its beginning that ends in
 * `…[4096 of 100000000 bytes]`, or base64 of its first bytes beside the full count.
 */
export function writeCell(cell: Cell, form: CellForm, maxCellBytes: number): WrittenCell {
  if (cell === null) return whole("null");
  if (typeof cell !== "string") return writeBytes(cell, maxCellBytes);
  if (cell.length * 3 > maxCellBytes && Buffer.byteLength(cell) > maxCellBytes)
    return writeBeginning(cell, maxCellBytes);
  switch (form) {
    case "integer":
      return whole(integerText.test(cell) && Number.isSafeInteger(Number(cell)) ? cell : toJsonString(cell));
    case "float":
      return whole(numberText.test(cell) && Number.isFinite(Number(cell)) ? cell : toJsonString(cell));
    case "boolean":
      return whole(cell === "true" || cell === "false" ? cell : toJsonString(cell));
    case "json":
      return whole(toEmbeddedJson(cell) ?? toJsonString(cell));
    case "decimal":
    case "text":
    case "bytes":
      return whole(toJsonString(cell));
  }
}

const whole = (json: string): WrittenCell => ({ json, cut: false });

function writeBeginning(text: string, maxCellBytes: number): WrittenCell {
  const beginning = cutBytes(text, maxCellBytes);
  const mark = `…[${Buffer.byteLength(beginning)} of ${Buffer.byteLength(text)} bytes]`;
  return { json: toJsonString(beginning + mark), cut: true };
}

function writeBytes(bytes: Uint8Array, maxCellBytes: number): WrittenCell {
  const kept = Math.min(bytes.length, Math.floor(maxCellBytes / 4) * 3);
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, kept).toString("base64");
  return { json: `{"base64":"${base64}","bytes":${bytes.length}}`, cut: kept < bytes.length };
}

const stringOrSpace = /("[^"\\]*(?:\\.[^"\\]*)*")|\s+/g;
const stringOrBracket = /"[^"\\]*(?:\\.[^"\\]*)*"|[[{]|[\]}]/g;

/** The cell's own JSON without its blanks, its numbers to the last digit; undefined when it is none or nested absurdly. */
function toEmbeddedJson(text: string): string | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  if (isTooDeep(text)) return undefined;
  return escapeInvisible(text.replace(stringOrSpace, "$1"));
}

/** Some clients' parsers give up on deep nesting, and with it on the whole reply. */
function isTooDeep(json: string): boolean {
  let depth = 0;
  for (const [token] of json.matchAll(stringOrBracket)) {
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
    if (depth > maxJsonDepth) return true;
  }
  return false;
}
