/**
 * A few of the rows that a write changes, before and after, inside the transaction of its dry run. The statement's own
 * pieces are put together anew; where the server does not take that, there is no sample and nothing is lost.
 */
import type { DryRun, RowSample } from "@database-interface/mcp-core/sql";
import { errnoOf } from "./errors.js";
import { bind, toLiteral } from "./parameters.js";
import type { Row, Session } from "./session.js";
import { timeoutErrnos } from "./transaction.js";
import { toColumn } from "./values.js";
import type { ApprovedWrite } from "./write-plan.js";
import type { Span } from "./write-shape.js";

const sampleRows = 5;

/** Rows as they were, to be compared once the write has run. */
export async function sampleBefore(session: Session, write: ApprovedWrite): Promise<RowSample | undefined> {
  const { sampled } = write;
  if (sampled === undefined || sampled.verb === "insert") return undefined;
  const rows = `SELECT * FROM ${pieceOf(write, sampled.table)} ${pieceOf(write, sampled.condition)}`;
  return await sample(session, `SELECT * FROM (${rows}\n) AS sample LIMIT ${sampleRows}`);
}

/** What a dry run shows, once the write has run in it. */
export async function sampleAfter(
  session: Session,
  write: ApprovedWrite,
  before: RowSample | undefined,
): Promise<Pick<DryRun, "before" | "after">> {
  switch (write.sampled?.verb) {
    case "update": {
      const after = before && (await sameRows(session, write, before));
      return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
    }
    case "delete":
      return before === undefined ? {} : { before };
    case "insert": {
      const after = await insertedRows(session, write);
      return after === undefined ? {} : { after };
    }
    case undefined:
      return {};
  }
}

/** The same rows by their primary key; undefined without one, or where it is what changed. */
async function sameRows(
  session: Session,
  { table }: ApprovedWrite,
  { columns, rows }: RowSample,
): Promise<RowSample | undefined> {
  if (table === undefined || table.key.length === 0 || rows.length === 0) return undefined;
  const places = table.key.map((key) => columns.findIndex(({ name }) => name === key));
  if (places.includes(-1)) return undefined;
  const keys = rows.map((row) => `(${places.map((place) => toKeyLiteral(row[place] ?? null)).join(", ")})`);
  const names = table.key.map(quoted).join(", ");
  const sql = `SELECT * FROM ${quoted(table.schema)}.${quoted(table.name)} WHERE (${names}) IN (${keys.join(", ")})`;
  const found = await sample(session, sql);
  if (found === undefined || found.rows.length !== rows.length) return undefined;
  const isSame = (one: Row, other: Row) => places.every((place) => String(one[place]) === String(other[place]));
  const order = rows.map((row) => found.rows.find((other) => isSame(row, other)));
  return { columns: found.columns, rows: order.filter((row) => row !== undefined) };
}

const toKeyLiteral = (cell: Row[number]): string =>
  typeof cell === "string" || cell === null ? toLiteral(cell) : `x'${Buffer.from(cell).toString("hex")}'`;

/** MariaDB tells what it inserted (10.5); the statement runs once more for it, of a query a few rows. */
async function insertedRows(session: Session, write: ApprovedWrite): Promise<RowSample | undefined> {
  const { sampled } = write;
  if (!session.isMariadb || sampled?.verb !== "insert") return undefined;
  await session.send({ sql: "ROLLBACK TO SAVEPOINT before_write" });
  const { query, end } = sampled;
  const [from, to] = query ?? [end, end];
  const few = query === undefined ? "" : `SELECT * FROM (${pieceOf(write, query)}\n) AS sample LIMIT ${sampleRows} `;
  return await sample(session, `${pieceOf(write, [0, from])}${few}${pieceOf(write, [to, end])}\nRETURNING *`);
}

/** The first rows of a statement; undefined where the server does not take it. */
async function sample(session: Session, sql: string): Promise<RowSample | undefined> {
  let columns: RowSample["columns"] = [];
  const rows: Row[] = [];
  try {
    await session.send({
      sql,
      onFields: (fields) => {
        columns = fields.map(toColumn);
      },
      onRow: (row) => {
        if (rows.length < sampleRows) rows.push(row);
      },
    });
    return { columns, rows };
  } catch (thrown) {
    // Whoever may write may not be allowed to read; a statement that was stopped is another matter.
    const errno = errnoOf(thrown);
    if (errno === undefined || errno === 1317 || timeoutErrnos.includes(errno)) throw thrown;
    return undefined;
  }
}

/** A piece of the statement with its parameters in place. */
function pieceOf({ callerSql, markers, params }: ApprovedWrite, [from, to]: Span): string {
  const own = markers.flatMap((marker, index) => (marker.start >= from && marker.end <= to ? [index] : []));
  const inside = own.flatMap((index) => markers[index] ?? []);
  const values = own.map((index) => params[index] ?? null);
  return bind(callerSql, to, inside, values, [{ start: 0, end: from, text: "" }]).sql;
}

const quoted = (name: string): string => `\`${name.replaceAll("`", "``")}\``;
