/**
 * Which columns may not be seen, or only masked: the rules of `--deny-columns` and `--mask`, read and matched. Knows
 * nothing of statements: how a rule is held is each database's business.
 */
import { CodedError } from "../host/errors.js";

/** What is left of a masked value: nothing, its last four characters, or a keyed hash that is equal for equal values. */
export const maskKinds = ["full", "last4", "hash"] as const;
export type MaskKind = (typeof maskKinds)[number];

/** One rule; `*` in a part stands for any characters. */
export interface ColumnRule {
  /** As the operator wrote it. */
  readonly text: string;
  /** Any schema when absent. */
  readonly schema: string | undefined;
  readonly table: string;
  readonly column: string;
  /** Absent: the column is denied. */
  readonly mask: MaskKind | undefined;
}

/** A column by its full name. */
export interface ColumnName {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
}

/**
 * The rules of `table.column`, `schema.table.column` and `*.column`, denied ones first; masks are written
 * `table.column=kind`.
 * @throws CodedError `config_invalid`
 */
export function parseColumnRules(denied: readonly string[], masked: readonly string[] = []): readonly ColumnRule[] {
  return Object.freeze([
    ...denied.map((text) => toRule(text, text, undefined)),
    ...masked.map((text) => {
      const at = text.lastIndexOf("=");
      const kind = maskKinds.find((known) => known === text.slice(at + 1).trim());
      if (at > 0 && kind !== undefined) return toRule(text, text.slice(0, at), kind);
      throw new CodedError("config_invalid", `The mask ${JSON.stringify(text.slice(0, 80))} names no way of masking.`, {
        hint: `Write table.column=${maskKinds.join(", or =")}.`,
      });
    }),
  ]);
}

const part = /"((?:[^"]|"")+)"|([^".\s]+)/y;

function toRule(text: string, name: string, mask: MaskKind | undefined): ColumnRule {
  const parts: string[] = [];
  const trimmed = name.trim();
  for (part.lastIndex = 0; ; ) {
    const found = part.exec(trimmed);
    if (found === null) break;
    parts.push((found[1]?.replaceAll('""', '"') ?? found[2] ?? "").toLowerCase());
    const [column = "", table = "", schema] = [...parts].reverse();
    if (part.lastIndex >= trimmed.length && (parts.length === 2 || parts.length === 3)) {
      return Object.freeze({ text, schema, table, column, mask });
    }
    if (trimmed[part.lastIndex] !== ".") break;
    part.lastIndex++;
  }
  throw new CodedError("config_invalid", `The column rule ${JSON.stringify(text.slice(0, 80))} names no column.`, {
    hint: "Write table.column, schema.table.column, or *.column for every table.",
  });
}

/** The rule for a column, the first that fits: a denial before a mask. Case makes no difference: a rule rather holds too much. */
export function ruleFor(rules: readonly ColumnRule[], { schema, table, column }: ColumnName): ColumnRule | undefined {
  return rules.find(
    (rule) =>
      matches(rule.column, column) &&
      matches(rule.table, table) &&
      (rule.schema === undefined || matches(rule.schema, schema)),
  );
}

function matches(pattern: string, name: string): boolean {
  const lower = name.toLowerCase();
  if (!pattern.includes("*")) return pattern === lower;
  const source = pattern.split("*").map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${source.join(".*")}$`, "s").test(lower);
}

/**
 * A column in a list of columns: itself without a rule, nothing when it is denied, else what its rule leaves of it,
 * under its own name.
 * @param name - The column, quoted.
 * @param masks - What each kind of mask leaves of it, as an expression in the database's dialect.
 */
export function toShownColumn(
  rule: ColumnRule | undefined,
  name: string,
  masks: Readonly<Record<MaskKind, string>>,
): readonly string[] {
  if (rule === undefined) return [name];
  return rule.mask === undefined ? [] : [`${masks[rule.mask]} AS ${name}`];
}
