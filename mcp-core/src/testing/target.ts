/** What the conformance suite has to be given: a database it may fill, and the few words of dialect it cannot know. */
import type { CellForm, DatabaseKind, SourceConfig } from "../sql/database.js";

/** A value of each form, as SQL and as the cell it must arrive as. */
export interface ConformanceValue {
  readonly form: CellForm;
  /** An expression, such as `CAST(1.50 AS decimal(5,2))`. */
  readonly expression: string;
  readonly cell: string | Uint8Array;
}

/** A database under test, on a real server. */
export interface ConformanceTarget<Config extends SourceConfig = SourceConfig> {
  readonly kind: DatabaseKind<Config>;
  /** The URL of an empty database that the suite may fill; its user should be the mightiest there is. */
  readonly url: string;
  /** The schema unqualified names are found in. */
  readonly schema: string;
  /** Runs a script of any number of statements beside the database under test; the last one's rows. */
  run(script: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** How many statements with this marker in their text are running on the server. */
  running(marker: string): Promise<number>;
  /** Breaks every connection the database under test has, on the server's side. */
  disconnectAll(): Promise<void>;
  /** The mark of the parameter of this index, from 1. */
  parameter(index: number): string;
  /** At least one value of each form the database has. */
  readonly values: readonly ConformanceValue[];
  /** Statements of its own that change something, besides the usual ones. */
  readonly writes: readonly string[];
  /** A URL of the same form where no server listens. */
  readonly unreachableUrl: string;
}

/** A rule over a target, and its proof. */
export type TargetCase = readonly [name: string, run: (target: ConformanceTarget) => Promise<void>];
