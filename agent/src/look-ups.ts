/**
 * What a session does without any graph or model: verify its databases, look into them, run one statement; each told as
 * events on its way. Loads no LangChain.
 */
import type { DatabaseCalls, QueryRequest, SearchRequest } from "./database-calls.js";
import { AgentError, toErrorReport } from "./errors.js";
import type { GatewayConnection } from "./gateway/connection.js";
import { isDatabaseUrl, nameSource } from "./gateway/sources.js";
import { describeSourceCheck } from "./graphs/verify.js";
import type { ConnectionReport, InspectionReport } from "./report.js";
import type { QueryResult } from "./result.js";
import { toRows } from "./rows.js";
import type { Emit, Ended } from "./run-stream.js";

/** What to look up: tables in full, else objects by the search. */
export interface InspectRequest extends SearchRequest {
  readonly tables?: readonly string[] | undefined;
}

/** Adds a database to the gateway; one that does not answer is taken out again. */
export async function connectOne(
  connection: GatewayConnection,
  databases: DatabaseCalls,
  {
    url,
    name,
    signal,
  }: { readonly url: string; readonly name?: string | undefined; readonly signal?: AbortSignal | undefined },
  emit: Emit,
): Promise<Ended<readonly ConnectionReport[]>> {
  if (!isDatabaseUrl(url)) {
    throw new AgentError("usage", "That is no database URL.", {
      hint: "Write postgres://user@host/database or mysql://user@host/database.",
    });
  }
  const source = name ?? nameSource(url, await connection.sources({ signal }));
  emit({ type: "status", connection: source, state: "connecting" });
  const remove = await connection.addDatabase(source, url);
  const verified = await verifyAll(databases, { source, signal }, emit).catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  if (!verified.ok) await remove();
  return verified;
}

/** Whether the databases answer, all at the same time. */
export async function verifyAll(
  databases: DatabaseCalls,
  { source, signal }: { readonly source?: string | undefined; readonly signal?: AbortSignal | undefined },
  emit: Emit,
): Promise<Ended<readonly ConnectionReport[]>> {
  const reports = await Promise.all(
    (await namesOf(databases, source, signal)).map(async (name): Promise<ConnectionReport> => {
      emit({ type: "status", connection: name, state: "verifying" });
      try {
        const check = await databases.check(name === "" ? undefined : name, { signal });
        const found = check.source ?? name;
        emit({ type: "status", connection: found, state: "up", message: describeSourceCheck(check) });
        return { name: found, state: "up", check };
      } catch (thrown) {
        signal?.throwIfAborted();
        const error = toErrorReport(thrown);
        emit({ type: "error", connection: name, error, willRetry: false });
        emit({ type: "status", connection: name, state: "down" });
        return { name, state: "down", error };
      }
    }),
  );
  const up = reports.filter(({ state }) => state === "up").length;
  return { result: reports, ok: up === reports.length, connections: { up, down: reports.length - up } };
}

/** Tables in full, or the objects a search finds, on one database or on each. */
export async function inspectAll(
  databases: DatabaseCalls,
  { source, tables = [], ...search }: InspectRequest,
  emit: Emit,
): Promise<Ended<readonly InspectionReport[]>> {
  const { signal } = search;
  async function lookUp(connection: string, subject: string): Promise<InspectionReport> {
    const at = connection === "" ? undefined : connection;
    try {
      return subject === "objects"
        ? { connection, subject, objects: await databases.search({ kind: "table", ...search, source: at }) }
        : { connection, subject, description: await databases.describe(subject, { source: at, signal }) };
    } catch (thrown) {
      signal?.throwIfAborted();
      const error = toErrorReport(thrown);
      emit({ type: "error", connection, error, willRetry: false });
      return { connection, subject, error };
    }
  }
  const found = await Promise.all(
    (await namesOf(databases, source, signal)).map(async (name) => {
      emit({ type: "status", connection: name, state: "inspecting" });
      const subjects = tables.length === 0 ? ["objects"] : tables;
      const inspections = await Promise.all(subjects.map((subject) => lookUp(name, subject)));
      emit({ type: "status", connection: name, state: "inspected" });
      return inspections;
    }),
  );
  const result = found.flat();
  return { result, ok: result.every(({ error }) => error === undefined) };
}

/** One statement's rows. */
export async function queryOnce(
  databases: DatabaseCalls,
  sql: string,
  request: QueryRequest,
  emit: Emit,
): Promise<Ended<QueryResult>> {
  const statement = "query";
  const connection = await oneSource(databases, request.source, request.signal);
  emit({ type: "sql", statement, connection, sql });
  const startedAt = performance.now();
  const result = await databases.query(sql, {
    ...request,
    onProgress(progress) {
      emit({ type: "progress", statement, ...progress });
      request.onProgress?.(progress);
    },
  });
  const ms = Math.round(performance.now() - startedAt);
  emit({ ...toRows(result), type: "rows", statement, connection, ms });
  return { result, ok: true, statements: { ok: 1, failed: 0, skipped: 0 } };
}

/** The source a statement runs on where it names none. @throws AgentError `source_required` where there are several */
export async function oneSource(
  databases: Pick<DatabaseCalls, "sources">,
  given: string | undefined,
  signal: AbortSignal | undefined,
): Promise<string> {
  if (given !== undefined) return given;
  const names = await databases.sources({ signal });
  if (names.length < 2) return names[0] ?? "";
  throw new AgentError("source_required", "There are several databases: which one?", {
    hint: `source may be ${names.join(", ")}.`,
  });
}

/** A gateway that names no source has one, which needs no name. */
async function namesOf(
  databases: Pick<DatabaseCalls, "sources">,
  source: string | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  if (source !== undefined) return [source];
  const names = await databases.sources({ signal });
  return names.length === 0 ? [""] : names;
}
