/**
 * One session: everything a person or a program does with databases under one reference id, each as a run with events.
 * It only gathers; look-ups, graphs and the store are rooms of their own.
 */
import type { Answer, SessionView } from "./answer.js";
import type { Approval, Decision } from "./approval.js";
import type { DatabaseCalls, QueryRequest } from "./database-calls.js";
import { AgentError } from "./errors.js";
import type { GatewayConnection } from "./gateway/connection.js";
import { connectOne, type InspectRequest, inspectAll, queryOnce, verifyAll } from "./look-ups.js";
import type { ConnectionReport, InspectionReport, Report } from "./report.js";
import type { QueryResult } from "./result.js";
import type { Runner, RunSettings } from "./run.js";
import { type Emit, type Ended, type Run, startRun } from "./run-stream.js";
import { parseTask, planTask, type TaskInput } from "./task.js";

/** What every run takes: a signal, and the source where it is one's business. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly source?: string | undefined;
}

/** A database to add. */
export interface ConnectRequest {
  /** A secret from here on: it goes to the gateway and nowhere else. */
  readonly url: string;
  /** How it is called from now on; by default after the database. */
  readonly name?: string | undefined;
}

/** A session. Runs that are checkpointed follow one another: a second at the same time is refused, `session_busy`. */
export interface Session {
  /** The reference id: the LangGraph thread everything is checkpointed under. */
  readonly id: string;
  /** Adds a database, if it answers; its URL stays in memory. Its result rejects with `usage` where the gateway takes none. */
  connect(database: ConnectRequest, options?: RunOptions): Run<readonly ConnectionReport[]>;
  /** Whether its databases answer, and what they are; connects where nothing is connected yet. */
  verify(options?: RunOptions): Run<readonly ConnectionReport[]>;
  /** Tables in full, or what a search finds. */
  inspect(request?: InspectRequest): Run<readonly InspectionReport[]>;
  /** One read statement's rows. */
  query(sql: string, request?: QueryRequest): Run<QueryResult>;
  /** One write statement: tried and rolled back, shown to a human, and run with their yes. */
  execute(sql: string, request?: RunOptions & { readonly params?: readonly unknown[] | undefined }): Run<Answer>;
  /** A task through the workflow. @throws AgentError `task_invalid`, before anything has run */
  run(task: TaskInput, options?: RunOptions): Promise<Run<Report>>;
  /** A question in words: answered with rows, the statement that gave them, and what to mind about it. Needs a model. */
  ask(question: string, options?: RunOptions): Run<Answer>;
  /** A message to a model that uses the tools as it sees fit. Needs a model. */
  chat(message: string, options?: RunOptions): Run<Answer>;
  /** What a human is asked, whichever process asked. */
  pending(): Promise<readonly Approval[]>;
  /** Answers one of those; the run goes on. Its result rejects with `approval_unknown` where nothing of this name is asked. */
  answer(approval: string, decision: Decision, options?: RunOptions): Run<Answer>;
  /** Goes on with a run whose process died; what may have been written is looked up, never written again. */
  resume(options?: RunOptions): Run<Answer>;
  /** Everything that is kept of it. */
  show(): Promise<SessionView>;
}

/** What a session stands on. */
export interface SessionParts {
  readonly connection: GatewayConnection;
  readonly databases: DatabaseCalls;
  loadRunner(): Promise<Runner>;
}

/** The session of this reference id. */
export function createSession(id: string, { connection, databases, loadRunner }: SessionParts): Session {
  const start = <Result>(
    signal: AbortSignal | undefined,
    work: (runner: Runner, settings: RunSettings) => Promise<Ended<Result>>,
  ): Run<Result> => startRun(id, signal, async (emit) => work(await loadRunner(), { session: id, signal, emit }));
  const look = <Result>(signal: AbortSignal | undefined, work: (emit: Emit) => Promise<Ended<Result>>) =>
    startRun(id, signal, work);

  return {
    id,
    connect: (database, { signal } = {}) =>
      look(signal, (emit) => connectOne(connection, databases, { ...database, signal }, emit)),
    verify: (options = {}) => look(options.signal, (emit) => verifyAll(databases, options, emit)),
    inspect: (request = {}) => look(request.signal, (emit) => inspectAll(databases, request, emit)),
    query: (sql, request = {}) => look(request.signal, (emit) => queryOnce(databases, sql, request, emit)),
    execute: (sql, { signal, ...request } = {}) =>
      start(signal, (runner, settings) => runner.converse({ job: "execute", text: sql, ...request }, settings)),
    async run(given, { signal } = {}) {
      const task = parseTask(given);
      const names = task.connections?.map(({ name }) => name) ?? (await databases.sources({ signal }));
      const plan = planTask(task, names);
      return start(signal, (runner, settings) => runner.runTask(plan, settings));
    },
    ask: (text, { signal, source } = {}) =>
      start(signal, (runner, settings) => runner.converse({ job: "ask", text, source }, settings)),
    chat: (text, { signal, source } = {}) =>
      start(signal, (runner, settings) => runner.converse({ job: "chat", text, source }, settings)),
    pending: async () => (await (await loadRunner()).view(id))?.approvals ?? [],
    answer: (approval, decision, { signal } = {}) =>
      start(signal, (runner, settings) => runner.answer(approval, decision, settings)),
    resume: ({ signal } = {}) => start(signal, (runner, settings) => runner.resume(settings)),
    async show() {
      const view = await (await loadRunner()).view(id);
      if (view === undefined) throw unknownSession();
      return view;
    },
  };
}

/** Said of every reference id that opens nothing here: unknown, expired, or another's. */
export const unknownSession = (): AgentError =>
  new AgentError("session_unknown", "There is no session with this reference id.", {
    hint: "It may have expired, or be kept in another --store. db-agent sessions list shows what is there.",
  });
