/** An open source: a pool, and what can be asked through it. Wires the rooms of this folder; decides nothing itself. */
import type { Database, DatabaseOptions } from "@database-interface/mcp-core/sql";
import { createCatalog } from "./catalog.js";
import { check } from "./check.js";
import type { MysqlConfig } from "./config.js";
import { createConnector } from "./connect.js";
import { openCursor } from "./cursor.js";
import { explain } from "./explain.js";
import { grants } from "./grants.js";
import { createNameCheck } from "./guard-names.js";
import { createPool } from "./pool.js";
import { read } from "./read.js";
import type { Source } from "./source.js";
import { createWatchdog, watchOver } from "./watchdog.js";
import { createWriting } from "./writing.js";

/** A source that connects on first use; an unreachable server is the first call's error. */
export function openDatabase(config: MysqlConfig, options: DatabaseOptions): Database {
  const { poolSize: size, connectTimeoutMs: waitMs, log, schemas, columnRules = [], sessionContext = [] } = options;
  const watchdog = createWatchdog();
  const connect = watchOver(createConnector(config, options), watchdog);
  const pool = createPool({ size, waitMs, connect, watch: watchdog.watch, log });
  const source: Source = {
    pool,
    checkNames: createNameCheck(pool, config.database, columnRules.length > 0),
    database: config.database,
    schemas,
    columnRules,
    sessionContext,
  };
  return {
    catalog: createCatalog(source, schemas),
    check: check.bind(undefined, source),
    grants: grants.bind(undefined, source),
    read: read.bind(undefined, source),
    openCursor: openCursor.bind(undefined, source),
    explain: explain.bind(undefined, source),
    writing: createWriting(source),
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      // What could not be stopped on the way out is killed now.
      watchdog.close();
    },
  };
}
