/** The gateway's tools as plain calls: a statement's rows, a page, a look-up. Loads no LangChain. */
import { AgentError } from "./errors.js";
import type { CallOptions, GatewayConnection } from "./gateway/connection.js";
import { parseChecks, type SourceCheck, unreachable } from "./graphs/verify.js";
import { parseQueryReply, type QueryResult } from "./result.js";

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

/** A plan, and what is wrong with it in words. */
export interface ExplainRequest extends CallOptions {
  readonly params?: readonly unknown[] | undefined;
  readonly source?: string | undefined;
}

/** Calls to the databases. */
export interface DatabaseCalls {
  /** The names of the databases. */
  sources(options?: Pick<CallOptions, "signal">): Promise<readonly string[]>;
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
  /** A statement's plan as text; the statement does not run. */
  explain(sql: string, request?: ExplainRequest): Promise<string>;
}

/** The calls on this connection. */
export function createDatabaseCalls(connection: GatewayConnection): DatabaseCalls {
  return {
    sources: (options) => connection.sources(options),
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
    explain: (sql, { params, source, ...callOptions } = {}) =>
      connection.call("explain", { sql, params, source }, callOptions),
  };
}
