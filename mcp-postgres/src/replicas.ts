/**
 * A primary and its replicas as one database: queries and paged results are read from a replica that is fresh enough,
 * everything else, and whatever no replica can answer, from the primary.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import type { Database, DatabaseLog, RowSink, Writing } from "@database-interface/mcp-core/sql";
import { createFreshness, type Placed } from "./freshness.js";

/** An open server, and how to learn where it stands. */
export interface Server extends Placed {
  readonly database: Database;
}

export interface ReplicaOptions {
  readonly maxLagMs: number;
  readonly log: DatabaseLog;
}

/** The servers together; closing it closes them all. */
export function routeReads(primary: Server, replicas: readonly Server[], { maxLagMs, log }: ReplicaOptions): Database {
  const freshness = createFreshness({ primary, replicas, maxLagMs, log });
  let turn = 0;

  /** Runs on a replica in turn, and once more on the primary where the replica fails and nothing is delivered yet. */
  async function onReader<Result>(
    run: (database: Database) => Promise<Result>,
    mayRepeat: () => boolean = () => true,
  ): Promise<Result> {
    const fresh = freshness.fresh();
    const replica = fresh[turn++ % Math.max(fresh.length, 1)];
    if (replica === undefined) return await run(primary.database);
    try {
      return await run(replica.database);
    } catch (thrown) {
      if (!isReplicasOwn(thrown) || !mayRepeat()) throw thrown;
      freshness.failed(replica);
      log.warn("replica_failed", { replica: replica.label, code: thrown.code });
      return await run(primary.database);
    }
  }

  const { database } = primary;
  return {
    ...(database.grants === undefined ? {} : { grants: database.grants }),
    catalog: database.catalog,
    async check(options) {
      const [report, warnings] = await Promise.all([database.check(options), freshness.audit()]);
      return { ...report, warnings: [...report.warnings, ...warnings] };
    },
    async read(statement, sink, options) {
      let isDelivering = false;
      const watched: RowSink = {
        columns(columns) {
          isDelivering = true;
          sink.columns(columns);
        },
        row: (cells) => sink.row(cells),
      };
      await onReader(
        (reader) => reader.read(statement, watched, options),
        () => !isDelivering,
      );
    },
    openCursor: (statement, options) => onReader((reader) => reader.openCursor(statement, options)),
    explain: (statement, options) =>
      options.analyze ? onReader((reader) => reader.explain(statement, options)) : database.explain(statement, options),
    writing: database.writing && noticed(database.writing, freshness.written),
    async [Symbol.asyncDispose]() {
      await Promise.all([primary, ...replicas].map((server) => server.database[Symbol.asyncDispose]()));
    },
  };
}

/** Whether a failure says nothing of the statement: the replica is away, full, or gave way to what it has to apply. */
function isReplicasOwn(thrown: unknown): thrown is CodedError {
  if (!(thrown instanceof CodedError)) return false;
  return replicasOwn.has(thrown.code) || thrown.sqlstate === "40001";
}

const replicasOwn = new Set([
  "connection_failed",
  "connection_lost",
  "authentication_failed",
  "database_not_found",
  "tls_failed",
  "tls_required",
  "too_many_connections",
  "busy",
]);

/** The same, telling of every write that has ended, also of one that may have failed after all. */
function noticed(writing: Writing, written: () => void): Writing {
  return {
    plan: (statement, options) => writing.plan(statement, options),
    dryRun: (statement, options) => writing.dryRun(statement, options),
    run: (statement, sink, options) => writing.run(statement, sink, options).finally(written),
  };
}
