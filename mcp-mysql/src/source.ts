/** What an open source is to the files that work on it. */
import type { ColumnRule } from "@database-interface/mcp-core/sql";
import type { NameCheck } from "./guard-names.js";
import type { Pool } from "./pool.js";

/** What every call on a source uses. */
export interface Source {
  readonly pool: Pool;
  readonly checkNames: NameCheck;
  /** The current database of its sessions. */
  readonly database: string;
  /** Schemas that may be named; all when absent. */
  readonly schemas: readonly string[] | undefined;
  /** Columns that are denied or masked; mostly none. */
  readonly columnRules: readonly ColumnRule[];
  /** Variables that carry who calls; mostly none. */
  readonly sessionContext: readonly string[];
}
