/**
 * Parameters as text. A scalar is the same text whatever its type; an array is a PostgreSQL array, except for json and
 * text types, where it is JSON, as an object always is. Types are the server's, inferred from the statement.
 */

/** A value on its way through the driver, which would otherwise guess a type for it. */
export class Wrapped {
  readonly value: unknown;

  constructor(value: unknown) {
    this.value = value;
  }
}

/** Oids of the types that take JSON text: json, jsonb, text, varchar, bpchar, xml, unknown. */
const jsonTakers = new Set([114, 3802, 25, 1043, 1042, 142, 705]);

/** The text of one value for the type with this oid. */
export function toParameterText(value: unknown, type: number): string {
  const plain = value instanceof Wrapped ? value.value : value;
  if (Array.isArray(plain)) return jsonTakers.has(type) ? JSON.stringify(plain) : toArrayText(plain);
  return typeof plain === "object" && plain !== null ? JSON.stringify(plain) : String(plain);
}

/** `{1,NULL,"a \"b\""}`, nested as the value is. */
function toArrayText(values: readonly unknown[]): string {
  const items = values.map((value) => {
    if (value === null) return "NULL";
    if (Array.isArray(value)) return toArrayText(value);
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    return `"${text.replace(/[\\"]/g, "\\$&")}"`;
  });
  return `{${items.join(",")}}`;
}
