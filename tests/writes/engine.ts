/** What the tests of writing need to know of a database product. A further one is a file of these, and a row in `writes.test.ts`. */
import type { DatabaseKind, SourceConfig } from "../../mcp-core/src/sql/database.js";
import type { TestDatabase } from "../support/databases.js";

/** A write: its class, the rows it changes of the fixture, and what it names as its targets. */
export type WriteCase = readonly [sql: string, kind: string, rows: number, targets: readonly string[]];

/**
 * The fixture has the tables `orders` (id, total, note; eight rows, total ten times the id, note `n` and the id), `lines`
 * (id, order_id that follows its order; one row), the view `dear` of orders with a total over ten, the sequence
 * `numbers` and the function `touch` that writes.
 */
export interface WriteEngine<Config extends SourceConfig> {
  readonly title: string;
  readonly kind: DatabaseKind<Config>;
  createDatabase(): Promise<TestDatabase>;
  /** Makes the fixture anew. */
  fixture(name: string): string;
  /** One row of everything a write could have changed; fails once a part of it is dropped. */
  readonly checksum: string;
  /** The first parameter's mark. */
  readonly mark: string;
  /** What goes over the wire to commit, and for nothing else. */
  readonly commit: string;
  /** Writes that can be rolled back. */
  readonly writes: readonly WriteCase[];
  /** Writes that the engine commits whatever happens. */
  readonly committed: readonly WriteCase[];
  readonly warnings: readonly (readonly [sql: string, warning: RegExp])[];
  readonly refusals: readonly (readonly [sql: string, code: string])[];
  /** Writes that the schema does not allow, and what is said of them. */
  readonly failures: readonly (readonly [sql: string, code: string, message: RegExp])[];
  /** Ends the sessions that run a statement with this beginning; how many there were. */
  killRunning(database: TestDatabase, beginning: string): Promise<number>;
  /** A query whose rows say that its session, and its transaction, only read. */
  readonly readOnly: readonly [sql: string, rows: unknown];
}
