/** What a database is told of the role whose SQL it writes, and what such SQL says the same way on every database. */

/** A role to be made by hand, in which the database itself holds what the source's settings promise. */
export interface GrantRequest {
  readonly role: string;
  /** It may write rows, where the source shows everything. */
  readonly mayWrite: boolean;
  /** What a statement of it may take, in milliseconds. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What stands for the password until whoever runs the SQL writes one. */
export const passwordPlaceholder = "CHANGE-ME";

/** A table or view by its parts. */
interface Named {
  readonly schema: string;
  readonly name: string;
}

/** Names of views that stand for tables, all in one schema: the table's own where no other has it. */
export function toViewNames(tables: readonly Named[]): (table: Named) => string {
  const isShared = ({ name }: Named) => tables.filter((other) => other.name === name).length > 1;
  return (table) => (isShared(table) ? `${table.schema}_${table.name}` : table.name);
}

/** Names in a comment, on one line whatever they hold. */
export const inComment = (...names: readonly string[]): string =>
  names.map((name) => JSON.stringify(name).slice(1, -1)).join(".");
