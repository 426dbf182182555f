/** An open source: a pool, and what can be asked through it. Wires the rooms of this folder; decides nothing itself. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { Database, DatabaseOptions } from "@database-interface/mcp-core/sql";
import { createCatalog } from "./catalog.js";
import { check } from "./check.js";
import type { MysqlConfig } from "./config.js";
import { createConnector } from "./connect.js";
import { openCursor } from "./cursor.js";
import { explain } from "./explain.js";
import { createNameCheck } from "./guard-names.js";
import { createPool } from "./pool.js";
import { read } from "./read.js";
import type { Source } from "./source.js";
import { watchOver } from "./watchdog.js";

/** A source that connects on first use; an unreachable server is the first call's error. */
export function openDatabase(config: MysqlConfig, options: DatabaseOptions): Database {
  if ((options.columnRules ?? []).length > 0) {
    throw new CodedError("config_invalid", "Columns cannot be hidden on this kind of database in this version.", {
      hint: "GRANT SELECT on the other columns only, to the user of this source.",
    });
  }
  const { poolSize: size, connectTimeoutMs: waitMs, log, schemas } = options;
  const pool = watchOver(createPool({ size, waitMs, connect: createConnector(config, options), log }));
  const source: Source = { pool, checkNames: createNameCheck(pool), database: config.database };
  return {
    catalog: createCatalog(source, schemas),
    check: check.bind(undefined, source),
    read: read.bind(undefined, source),
    openCursor: openCursor.bind(undefined, source),
    explain: explain.bind(undefined, source),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}
