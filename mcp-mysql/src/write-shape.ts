/** What a write is, as the guard has understood it and the rooms behind it use it. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { WrittenName } from "./token-reader.js";

/** A statement that may write. */
export interface WriteShape {
  /** Such as `update` or `create index`. */
  readonly kind: string;
  /** Tables it writes to, and other objects it makes, changes or drops. */
  readonly targets: readonly WrittenName[];
  readonly warnings: readonly string[];
  /** Tables it reads, as far as they must be visible. */
  readonly reads: { readonly places: readonly WrittenName[]; readonly commonTables: ReadonlySet<string> };
  /** The engine commits it whatever happens: it changes the schema. */
  readonly commitsAtOnce: boolean;
  /** An error can leave a part of it done. */
  readonly isPartial: boolean;
  /** How a few of its rows can be shown. */
  readonly sampled?: SampledRows | undefined;
}

/** Offsets into the statement, the end exclusive. */
export type Span = readonly [from: number, to: number];

/** What a sample of a write's rows is made of. */
export type SampledRows =
  | { readonly verb: "update" | "delete"; readonly table: Span; readonly condition: Span }
  | { readonly verb: "insert"; readonly query: Span | undefined; readonly end: number };

/** What a grammar says of its statement. */
export type Reading = Omit<WriteShape, "reads"> & { readonly reads: readonly WrittenName[] };

/** The refusal of every other statement. */
export const refusedWrite = (): CodedError =>
  new CodedError("not_allowed", "Only writes to data and ordinary changes of the schema are allowed.", {
    hint: "INSERT, REPLACE, UPDATE, DELETE, TRUNCATE; CREATE, ALTER, DROP, RENAME of tables, indexes, views and sequences; CREATE DATABASE.",
  });
