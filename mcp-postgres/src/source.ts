/** What an open source is to the files that work on it. */
import type { ColumnRule } from "@database-interface/mcp-core/sql";
import type { TlsConfig } from "./config.js";
import type { NameMemory } from "./guard-memory.js";
import type { Pool } from "./pool.js";
import type { TypeNames } from "./values.js";

/** What every call on a source uses. */
export interface Source {
  readonly pool: Pool;
  readonly tls: TlsConfig;
  readonly typeNames: TypeNames;
  /** What the guard has learnt of the catalogue. */
  readonly names: NameMemory;
  /** Schemas whose tables may be read; all when absent. */
  readonly schemas: readonly string[] | undefined;
  /** Columns that are denied or masked; mostly none. */
  readonly columnRules: readonly ColumnRule[];
  /** Settings that carry who calls; mostly none. */
  readonly sessionContext: readonly string[];
}
