/**
 * The core behind every face: one gateway connection, calls over it, and sessions by reference id. LangChain and
 * LangGraph are loaded by the first run, not before.
 */
import type { BaseCheckpointSaver } from "@langchain/langgraph";
import type { SessionEntry } from "./answer.js";
import { createDatabaseCalls, type DatabaseCalls } from "./database-calls.js";
import { createConnection, type GatewayConnection } from "./gateway/connection.js";
import type { GatewaySpec } from "./gateway/launch.js";
import { createKnowledge } from "./knowledge/knowledge.js";
import { knowledgeFolder, type Notes, openNotes } from "./knowledge/notes.js";
import { createModelCaller, type ModelSetting } from "./model/model-caller.js";
import { chooseModels } from "./model/model-choice.js";
import { type PolicyInput, parsePolicy } from "./policy.js";
import { newReference } from "./reference.js";
import type { Report } from "./report.js";
import type { Runner } from "./run.js";
import type { Run } from "./run-stream.js";
import { createSession, type Session, unknownSession } from "./session.js";
import type { TaskInput } from "./task.js";
import { readVersion } from "./version.js";

/** What an agent is made of. */
export interface AgentOptions {
  /**
   * A running gateway (`url`, `token?`), or one to start: with `databases` by name, or with a `config` file of its own.
   */
  readonly gateway: GatewaySpec;
  /** Where sessions are kept: `memory` (default), `file`, `file:<folder>`, `redis://…`, or a checkpointer of one's own. */
  readonly store?: BaseCheckpointSaver | string;
  /** What answers questions: a model, or names of them, the next for when one fails. By default the environment's. */
  readonly model?: ModelSetting | readonly ModelSetting[];
  /** How far the agent goes by itself, and what a model gets to see. */
  readonly policy?: PolicyInput;
  /** The folder of notes and examples; by default `DB_AGENT_KNOWLEDGE`, else below the user's configuration. */
  readonly knowledge?: string;
  /** What a named store is sealed with, as `MCP_KEYS` has it; by default those of the environment. */
  readonly keys?: string;
}

/** Whose a session is, and under which reference id. */
export interface SessionOptions {
  /** A session opened with an owner is unknown to everybody else. */
  readonly owner?: string | undefined;
}

/** The agent. Connects on first use; close it to end what it started. */
export interface Agent extends DatabaseCalls, AsyncDisposable {
  readonly connection: GatewayConnection;
  /** What people know of the databases: notes, and approved questions with their statements. */
  readonly notes: Notes;
  /** A new session, or the one of a reference id. @throws AgentError `session_unknown`, also for another owner's */
  session(reference?: string, options?: SessionOptions): Promise<Session>;
  /** The sessions that are kept, latest first. */
  sessions(options?: SessionOptions): Promise<readonly SessionEntry[]>;
  /** Forgets a session. @throws AgentError `session_unknown` */
  deleteSession(reference: string, options?: SessionOptions): Promise<void>;
  /**
   * Runs a task through the workflow, under a reference id of its own where none is given.
   * @throws AgentError `task_invalid`, before anything has run
   */
  run(task: TaskInput, options?: { readonly session?: string; readonly signal?: AbortSignal }): Promise<Run<Report>>;
  /** The report of a session's last run; undefined for an unknown reference id. */
  recall(session: string): Promise<Report | undefined>;
  /** Ends what was started: the gateway, the store. The same as its dispose. */
  close(): Promise<void>;
}

/** Makes an agent; nothing is connected, started or loaded yet. */
export function createAgent(options: AgentOptions): Agent {
  const connection = createConnection(options.gateway, readVersion());
  const databases = createDatabaseCalls(connection);
  const store = once(async () => {
    const { openCheckpointer } = await import("./sessions.js");
    return openCheckpointer(options.store ?? "memory", options.keys, process.env);
  });
  const policy = parsePolicy(options.policy ?? {});
  const notes = openNotes(options.knowledge ?? knowledgeFolder(process.env));
  const knowledge = createKnowledge(databases, notes, policy);
  const runner = once(async (): Promise<Runner> => {
    const [{ createRunner }, { createToolboxLoader }, opened] = await Promise.all([
      import("./run.js"),
      import("./tools.js"),
      store(),
    ]);
    const models = createModelCaller(() => [options.model ?? chooseModels(process.env)].flat());
    return createRunner({ databases, models, knowledge, policy, loadTools: createToolboxLoader(connection) }, opened);
  });
  const at = (id: string): Session => createSession(id, { connection, databases, loadRunner: runner });

  async function assertKnown(reference: string, owner: string | undefined): Promise<void> {
    const view = await (await runner()).view(reference);
    if (view === undefined || view.owner !== owner) throw unknownSession();
  }

  async function close(): Promise<void> {
    await connection[Symbol.asyncDispose]();
    await (await store.started()?.catch(() => undefined))?.[Symbol.asyncDispose](); // one that never opened is closed
  }

  return {
    ...databases,
    connection,
    notes,
    async session(reference, { owner } = {}) {
      if (reference !== undefined) {
        await assertKnown(reference, owner);
        return at(reference);
      }
      const id = newReference();
      await (await runner()).create(id, owner);
      return at(id);
    },
    async sessions({ owner } = {}) {
      const { list } = await store();
      const entries = await list();
      const { view } = await runner();
      const owners = await Promise.all(entries.map(async ({ session }) => (await view(session))?.owner));
      return entries.filter((_, index) => owners[index] === owner);
    },
    async deleteSession(reference, { owner } = {}) {
      await assertKnown(reference, owner);
      await (await store()).checkpointer.deleteThread(reference);
    },
    run: (task, { session = newReference(), signal } = {}) => at(session).run(task, { signal }),
    recall: async (session) => (await (await runner()).view(session))?.report,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Makes something when it is first asked for, and once; a failure is forgotten, so that the next one tries anew. */
function once<T>(make: () => Promise<T>): (() => Promise<T>) & { started(): Promise<T> | undefined } {
  let made: Promise<T> | undefined;
  const get = (): Promise<T> => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
  return Object.assign(get, { started: () => made });
}
