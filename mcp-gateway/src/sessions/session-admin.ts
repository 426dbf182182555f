/** Everybody's sessions, for administrators: they see whose and where to, never a reference or a password. */
import { CodedError } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { connectionView } from "./session.js";
import { type FoundSession, type SessionRecords, sessionNotFound } from "./session-records.js";
import type { Sessions } from "./sessions.js";

const { server: _server, ...connectionEntries } = connectionView.entries;

/** A session, as an administrator sees it. */
export const adminSessionView = v.object({
  id: v.string(),
  principal: v.string(),
  label: v.optional(v.string()),
  opened_at: v.string(),
  age_s: v.number(),
  /** It ends after so many seconds unless it is used. */
  ttl_s: v.number(),
  connections: v.array(v.object(connectionEntries)),
});
export type AdminSessionView = v.InferInput<typeof adminSessionView>;

/** All methods @throws CodedError `store_unavailable` */
export interface SessionAdmin {
  /** `unreadable`: those of a key that is missing here, or damaged. */
  list(): Promise<{ sessions: AdminSessionView[]; unreadable: number }>;
  /** @throws CodedError `session_not_found` */
  close(id: string, by: string): Promise<void>;
}

export function createSessionAdmin({
  records,
  sessions,
  now = Date.now,
}: {
  readonly records: SessionRecords;
  readonly sessions: Sessions;
  readonly now?: (() => number) | undefined;
}): SessionAdmin {
  /** Walks through everything: for people. */
  async function readAll() {
    const names = await records.all();
    const read = await Promise.all(names.map((name) => records.peek(name).catch(unreadable)));
    return {
      found: read.filter((one) => one !== undefined && one !== "unreadable"),
      unreadable: read.filter((one) => one === "unreadable").length,
    };
  }

  async function view({ record, session }: FoundSession): Promise<AdminSessionView> {
    const { id, principal, label, openedAt, endsAt, connections } = session;
    const left = Math.min((await records.remainingMs(record)) ?? 0, endsAt - now());
    return {
      id,
      principal,
      ...(label === undefined ? {} : { label }),
      opened_at: new Date(openedAt).toISOString(),
      age_s: Math.max(0, Math.round((now() - openedAt) / 1_000)),
      ttl_s: Math.max(0, Math.round(left / 1_000)),
      connections: connections.map(({ addedAt, password: _, ...kept }) => ({
        ...kept,
        added_at: new Date(addedAt).toISOString(),
      })),
    };
  }

  return {
    async list() {
      const { found, unreadable } = await readAll();
      const views = await Promise.all(found.map(view));
      return { sessions: views.sort((a, b) => (a.opened_at < b.opened_at ? -1 : 1)), unreadable };
    },
    async close(id, by) {
      const one = (await readAll()).found.find(({ session }) => session.id === id);
      if (one === undefined) throw sessionNotFound();
      await sessions.close(one.session.principal, id, by);
    },
  };
}

function unreadable(error: unknown): "unreadable" {
  if (error instanceof CodedError && (error.code === "key_unknown" || error.code === "record_damaged"))
    return "unreadable";
  throw error;
}
