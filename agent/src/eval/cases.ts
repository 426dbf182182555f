/**
 * The cases of an evaluation, read from YAML: questions, and what their answers have to come to. One schema gives the types
 * and the messages about what does not fit. Knows nothing of files, models or databases.
 */
import * as v from "valibot";
import { parseDocument } from "yaml";
import { AgentError, nearest } from "../errors.js";

const cellSchema = v.union([v.string(), v.number(), v.bigint(), v.boolean(), v.null()]);
const tolerance = v.pipe(v.number(), v.minValue(0));

const caseSchema = v.strictObject({
  /** Names it in reports and for `--only`; `case 3` by default. */
  name: v.optional(v.pipe(v.string(), v.nonEmpty())),
  question: v.pipe(v.string(), v.nonEmpty()),
  /** What is said where the question is asked back. */
  reply: v.optional(v.string()),
  /** The statement whose rows are right. */
  sql: v.optional(v.pipe(v.string(), v.nonEmpty())),
  /** Or the rows themselves. */
  rows: v.optional(v.array(v.array(cellSchema))),
  /** Or that the database cannot answer it, and the model has to say so. */
  unanswerable: v.optional(v.literal(true)),
  /** The columns' names, where they matter; otherwise neither names nor the order of columns do. */
  columns: v.optional(v.array(v.string())),
  /** Whether the order of rows matters. */
  ordered: v.optional(v.boolean()),
  /** How far numbers may be apart. */
  tolerance: v.optional(tolerance),
  source: v.optional(v.string()),
  tags: v.optional(v.array(v.string()), []),
});

const casesSchema = v.strictObject({
  name: v.optional(v.string()),
  /** What holds for cases that do not say otherwise. */
  source: v.optional(v.string()),
  ordered: v.optional(v.boolean()),
  tolerance: v.optional(tolerance),
  cases: v.pipe(v.array(caseSchema), v.minLength(1)),
});

/** What a case's answer has to come to. */
export type Expectation =
  | { readonly kind: "sql"; readonly sql: string }
  | { readonly kind: "rows"; readonly rows: readonly (readonly v.InferOutput<typeof cellSchema>[])[] }
  | { readonly kind: "unanswerable" };

/** A case with its defaults. */
export interface Case {
  readonly name: string;
  readonly question: string;
  readonly reply: string | undefined;
  readonly expected: Expectation;
  readonly columns: readonly string[] | undefined;
  readonly ordered: boolean;
  readonly tolerance: number;
  readonly source: string | undefined;
  readonly tags: readonly string[];
}

/** All cases of a file. */
export interface CaseFile {
  readonly name: string;
  readonly cases: readonly Case[];
}

/** Reads cases. @throws AgentError `cases_invalid` with the place, and the nearest key to one there is not */
export function parseCases(text: string, label: string): CaseFile {
  const document = parseDocument(text, { intAsBigInt: true, prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const [where = "", ...rest] = error.message.split("\n\n");
    throw new AgentError("cases_invalid", `${label} is not YAML: ${where.replace(/:$/, "")}.`, {
      hint: rest.join("\n") || "Indent by spaces, and quote what begins with a special character.",
    });
  }
  const parsed = v.safeParse(casesSchema, toNumbers(plainValue(document, label)));
  if (!parsed.success) throw misfit(parsed.issues.find(isUnknownKey) ?? parsed.issues[0], label);
  const { cases, name = label, ...defaults } = parsed.output;
  const read = cases.map((one, index): Case => toCase(one, index, defaults, label));
  const seen = new Set<string>();
  for (const one of read) {
    if (seen.has(one.name)) throw new AgentError("cases_invalid", `${label}: two cases are named ${one.name}.`);
    seen.add(one.name);
  }
  return { name, cases: read };
}

/** A few lines of aliases may stand for more than any memory holds. */
function plainValue(document: ReturnType<typeof parseDocument>, label: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (cause) {
    throw new AgentError("cases_invalid", `${label} is not YAML that can be read: ${String(cause)}.`, { cause });
  }
}

type RawCase = v.InferOutput<typeof caseSchema>;

function toCase(
  one: RawCase,
  index: number,
  defaults: { ordered?: boolean | undefined; tolerance?: number | undefined; source?: string | undefined },
  label: string,
): Case {
  return {
    name: one.name ?? `case ${index + 1}`,
    question: one.question,
    reply: one.reply,
    expected: expectationOf(one, `${label}: cases.${index}`),
    columns: one.columns,
    ordered: one.ordered ?? defaults.ordered ?? false,
    tolerance: one.tolerance ?? defaults.tolerance ?? 0,
    source: one.source ?? defaults.source,
    tags: one.tags,
  };
}

function expectationOf({ sql, rows, unanswerable, columns }: RawCase, place: string): Expectation {
  const given = [sql, rows, unanswerable].filter((one) => one !== undefined);
  if (given.length !== 1) {
    throw new AgentError("cases_invalid", `${place} needs one of sql, rows and unanswerable, and has ${given.length}.`);
  }
  if (sql !== undefined) return { kind: "sql", sql };
  if (rows === undefined) return { kind: "unanswerable" };
  const width = columns?.length ?? rows[0]?.length;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd === -1) return { kind: "rows", rows };
  throw new AgentError("cases_invalid", `${place}.rows.${odd} has ${rows[odd]?.length} values instead of ${width}.`);
}

/** Integers are read exactly; those a number holds are numbers, as everything but rows wants them. */
function toNumbers(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(toNumbers);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toNumbers(inner)]));
}

const isUnknownKey = ({ type, expected }: v.BaseIssue<unknown>): boolean =>
  type === "strict_object" && expected === "never";

function misfit(issue: v.BaseIssue<unknown>, label: string): AgentError {
  const path = v.getDotPath(issue) ?? "";
  const place = path === "" ? label : `${label}: ${path}`;
  if (isUnknownKey(issue)) {
    const known = Object.keys(path.startsWith("cases.") ? caseSchema.entries : casesSchema.entries);
    const near = nearest(String(issue.path?.at(-1)?.key), known);
    return new AgentError("cases_invalid", `${place} is no key there is.`, {
      hint: near === undefined ? `The keys there are ${known.join(", ")}.` : `Did you mean ${near}?`,
    });
  }
  const isMissing = issue.received === "undefined" || (issue.type === "strict_object" && issue.expected !== "Object");
  return new AgentError("cases_invalid", `${place} ${isMissing ? "is missing" : "does not fit"}.`, {
    hint: `Expected ${issue.expected ?? "something else"}, received ${issue.received}.`,
  });
}
