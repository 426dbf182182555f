/** An open source: a pool and what can be asked through it. Wires the rooms of this folder; decides nothing itself. */
import type { Database, DatabaseOptions } from "@database-interface/mcp-core/sql";
import { cancelStatement } from "./cancel.js";
import { createCatalog } from "./catalog.js";
import { check } from "./check.js";
import type { PostgresConfig } from "./config.js";
import { createConnector } from "./connect.js";
import { openCursor } from "./cursor.js";
import { explain } from "./explain.js";
import { grants } from "./grants.js";
import { createNameMemory } from "./guard-memory.js";
import { createPool } from "./pool.js";
import { findPosition } from "./position.js";
import { read } from "./read.js";
import { routeReads, type Server } from "./replicas.js";
import type { Source } from "./source.js";
import { createWriting } from "./writing.js";

/** A pool that connects on first use, one for each replica besides; never throws for an unreachable server. */
export function openDatabase(config: PostgresConfig, options: DatabaseOptions): Database {
  const primary = openServer(config, options);
  if (config.replicas.length === 0) return primary.database;
  const replicas = config.replicas.map((replica) =>
    openServer({ ...config, endpoints: [replica], target: "any" }, options),
  );
  return routeReads(primary, replicas, { maxLagMs: config.maxReplicaLagMs, log: options.log });
}

function openServer(config: PostgresConfig, options: DatabaseOptions): Server {
  const pool = createPool({
    size: options.poolSize,
    waitMs: options.connectTimeoutMs,
    connect: createConnector(config, options),
    stop: (session, cut) =>
      cancelStatement(session, config.tls, () => {
        const isOurs = session.isOpen;
        cut();
        return isOurs;
      }),
    log: options.log,
  });
  const source: Source = {
    pool,
    tls: config.tls,
    typeNames: new Map(),
    names: createNameMemory(),
    schemas: options.schemas,
    columnRules: options.columnRules ?? [],
    sessionContext: options.sessionContext ?? [],
  };
  const database: Database = {
    catalog: createCatalog(source, options.schemas),
    check: (callOptions) => check(source, callOptions),
    grants: (request) => grants(source, request),
    read: (statement, sink, readOptions) => read(source, statement, sink, readOptions),
    openCursor: (statement, readOptions) => openCursor(source, statement, readOptions),
    explain: (statement, explainOptions) => explain(source, statement, explainOptions),
    writing: createWriting(source),
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
  const [endpoint] = config.endpoints;
  return {
    label: `${endpoint?.host}:${endpoint?.port}`,
    database,
    position: (signal) => findPosition(source, signal),
  };
}
