/**
 * The few values a category-like column has, for a model to write predicates with. Read by a plain query, so that denied
 * columns give none and masks stay masks; and only from columns that hold categories: a value that could be a person's or
 * a secret never gets into a prompt from here.
 */
import type { DatabaseCalls } from "../database-calls.js";
import { isAbort } from "../errors.js";
import type { ColumnOutline, TableOutline } from "./table-outline.js";
import { wordsOf } from "./words.js";

const sampledRows = 300;
const minRows = 20;
const maxValues = 12;
const maxValueLength = 40;
/** Each value stands for this many rows at least, on average. */
const minRepetition = 5;

/** Words in names of columns whose values are somebody's, however often they repeat. */
const personal = new Set(
  (
    "name firstname lastname surname username user login nick email mail phone telephone mobile fax street address zip " +
    "postcode birth birthday birthdate dob age gender sex ssn passport iban bic account card credit tax password passwd " +
    "pwd secret token key hash salt pin ip location latitude longitude note comment body text message title description " +
    "diagnosis religion ethnicity salary income"
  )
    .split(" ")
    .flatMap(wordsOf),
);

/** By column, the values there are; nothing for columns that are no categories, and for tables that cannot be read. */
export async function sampleValues(
  databases: Pick<DatabaseCalls, "query">,
  source: string,
  table: TableOutline,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const candidates = table.columns.filter(mayBeCategory);
  const values = new Map<string, readonly string[]>();
  if (candidates.length === 0) return values;
  const sql = `SELECT ${candidates.map(({ name }) => name).join(", ")} FROM ${table.name} LIMIT ${sampledRows}`;
  try {
    const { rows } = await databases.query(sql, { source: source || undefined, maxRows: sampledRows, signal });
    for (const [index, { name }] of candidates.entries()) {
      const found = categoriesOf(rows.map((row) => row[index] ?? null));
      if (found !== undefined) values.set(name, found);
    }
  } catch (error) {
    if (isAbort(error) || signal?.aborted) throw error;
  }
  return values;
}

/** Whether a column's values may stand in a prompt, if they turn out to be categories: texts, visible, nobody's own. */
export function mayBeCategory({ name, type, isHidden, hasValues }: ColumnOutline): boolean {
  if (isHidden || hasValues || !/char|text|enum|string|citext/i.test(type)) return false;
  return !wordsOf(name).some((word) => personal.has(word));
}

/** The distinct values, if they repeat as categories do. */
function categoriesOf(cells: readonly unknown[]): readonly string[] | undefined {
  const texts = cells.filter((cell) => typeof cell === "string");
  const distinct = [...new Set(texts)];
  const repeats = texts.length >= minRows && texts.length >= distinct.length * minRepetition;
  if (!repeats || distinct.length > maxValues || distinct.length === 0) return undefined;
  if (distinct.some((value) => value.length > maxValueLength || /@|\d{4,}|\*\*\*/.test(value))) return undefined;
  return distinct.sort();
}
