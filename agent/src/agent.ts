/**
 * The core behind every face: one gateway connection, statements and look-ups over it, and runs of the workflow as a
 * stream of events. LangChain and LangGraph are loaded by the first run, not before.
 */
import { randomUUID } from "node:crypto";
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import { AgentError } from "./errors.js";
import { type CallOptions, createConnection, type GatewayConnection } from "./gateway/connection.js";
import type { GatewaySpec } from "./gateway/launch.js";
import { parseChecks, type SourceCheck, unreachable } from "./graphs/verify.js";
import type { Report } from "./report.js";
import { parseQueryReply, type QueryResult } from "./result.js";
import type { Run, Runner } from "./run.js";
import { parseTask, planTask, type TaskInput } from "./task.js";
import { readVersion } from "./version.js";

/** What an agent is made of. */
export interface AgentOptions {
  /**
   * A running gateway (`url`, `token?`), or one to start: with `databases` by name, or with a `config` file of its own.
   */
  readonly gateway: GatewaySpec;
  /** Where runs are checkpointed; in memory by default. */
  readonly store?: BaseCheckpointSaver;
}

/** A statement and where it runs. */
export interface QueryRequest extends CallOptions {
  readonly params?: readonly unknown[] | undefined;
  /** The source; needed when there are several. */
  readonly source?: string | undefined;
  /** Rows at most; the server's own limit holds as well. */
  readonly maxRows?: number | undefined;
}

/** What to look for in a catalogue. */
export interface SearchRequest extends CallOptions {
  readonly source?: string | undefined;
  readonly pattern?: string | undefined;
  readonly kind?: string | undefined;
  readonly schema?: string | undefined;
  readonly detail?: "names" | "summary" | "full" | undefined;
}

/** The agent. Connects on first use; dispose it to end what it started. */
export interface Agent extends AsyncDisposable {
  readonly connection: GatewayConnection;
  /** The names of the databases. */
  sources(): Promise<readonly string[]>;
  /** Whether a database answers, and what it is. @throws AgentError with the reason when it is down */
  check(source?: string, options?: CallOptions): Promise<SourceCheck>;
  /** One statement's rows. @throws AgentError with the database's code and hint */
  query(sql: string, request?: QueryRequest): Promise<QueryResult>;
  /** The same, page by page in one snapshot, to the end. */
  pages(sql: string, request?: QueryRequest): AsyncGenerator<QueryResult, void, undefined>;
  /** Fetches the page a `nextCursor` stands for. */
  nextPage(cursor: string, request?: Pick<QueryRequest, "source" | "signal">): Promise<QueryResult>;
  search(request?: SearchRequest): Promise<QueryResult>;
  /** A table as text, close to its DDL. */
  describe(table: string, request?: CallOptions & { readonly source?: string | undefined }): Promise<string>;
  /**
   * Runs a task through the workflow. Iterate the run for its events; `report` settles when it is over.
   * @throws AgentError `task_invalid`, before anything has run
   */
  run(task: TaskInput, options?: { readonly session?: string; readonly signal?: AbortSignal }): Promise<Run>;
  /** The report of a session's last run; undefined for an unknown reference id. */
  recall(session: string): Promise<Report | undefined>;
}

/** Makes an agent; nothing is connected, started or loaded yet. */
export function createAgent(options: AgentOptions): Agent {
  const connection = createConnection(options.gateway, readVersion());
  let runner: Promise<Runner> | undefined;

  function loadRunner(): Promise<Runner> {
    runner ??= import("./run.js").then(({ createRunner }) => createRunner(connection, options.store));
    return runner;
  }

  const agent: Agent = {
    connection,
    sources: () => connection.sources(),
    async check(source, callOptions = {}) {
      const reply = await connection.call("check_connection", { source }, callOptions);
      const error = unreachable(reply, source ?? "");
      if (error !== undefined) throw error;
      const checks = parseChecks(reply);
      const found = checks.find((check) => check.source === source) ?? checks[0];
      if (found === undefined) throw new AgentError("source_unknown", "The gateway has no database.");
      return found;
    },
    async query(sql, { params, source, maxRows, ...callOptions } = {}) {
      return parseQueryReply(await connection.call("query", { sql, params, source, max_rows: maxRows }, callOptions));
    },
    async *pages(sql, { params, source, maxRows, ...callOptions } = {}) {
      const first = { sql, params, source, max_rows: maxRows, cursor: "start" };
      let page = parseQueryReply(await connection.call("query", first, callOptions));
      for (;;) {
        yield page;
        if (page.nextCursor === undefined) return;
        const next = { cursor: page.nextCursor, source, max_rows: maxRows };
        page = parseQueryReply(await connection.call("query", next, callOptions));
      }
    },
    async nextPage(cursor, { source, ...callOptions } = {}) {
      return parseQueryReply(await connection.call("query", { cursor, source }, callOptions));
    },
    async search({ source, pattern, kind, schema, detail, ...callOptions } = {}) {
      return parseQueryReply(
        await connection.call("search_objects", { source, pattern, kind, schema, detail }, callOptions),
      );
    },
    describe: (table, { source, ...callOptions } = {}) =>
      connection.call("describe_table", { table, source }, callOptions),
    async run(given, runOptions = {}) {
      const task = parseTask(given);
      const names = task.connections?.map(({ name }) => name) ?? (await connection.sources());
      const plan = planTask(task, names);
      const { start } = await loadRunner();
      return start(plan, { session: runOptions.session ?? randomUUID(), signal: runOptions.signal });
    },
    async recall(session) {
      return (await loadRunner()).recall(session);
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
  return agent;
}
