/** A session and its connections as they are kept, and as their owner sees them. No password is in any of them. */
import { randomBytes } from "node:crypto";
import * as v from "valibot";

const idPrefix = "s-";

/** A public id, shown in place of the reference. */
export const newSessionId = (): string => `${idPrefix}${randomBytes(5).toString("hex")}`;

/** References are 22 characters long. */
export const isSessionId = (handle: string): boolean => handle.length === 12 && handle.startsWith(idPrefix);

/** A database of a session, as it is kept; the password is sealed for this session alone. */
const keptConnection = v.object({
  name: v.string(),
  template: v.string(),
  host: v.string(),
  port: v.number(),
  database: v.string(),
  user: v.string(),
  addedAt: v.number(),
  /** Sealed; opens with the session's reference only. */
  password: v.string(),
});

/** What is sealed under a session's name. */
export const keptSession = v.object({
  /** Shown in lists, in place of the reference, which nobody has but who opened it. */
  id: v.string(),
  principal: v.string(),
  label: v.optional(v.string()),
  openedAt: v.number(),
  /** Milliseconds since 1970 at which it ends whatever happens. */
  endsAt: v.number(),
  connections: v.array(keptConnection),
});

export type KeptConnection = Readonly<v.InferOutput<typeof keptConnection>>;
export type KeptSession = Readonly<v.InferOutput<typeof keptSession>>;

/** A connection, as its owner sees it. */
export const connectionView = v.object({
  name: v.string(),
  template: v.string(),
  server: v.string(),
  host: v.string(),
  port: v.number(),
  database: v.string(),
  user: v.string(),
  added_at: v.string(),
});

/** A session, as its owner sees it. */
export const sessionView = v.object({
  id: v.string(),
  label: v.optional(v.string()),
  opened_at: v.string(),
  /** It ends after so many seconds without a call. */
  idle_timeout_s: v.number(),
  /** It ends then at the latest. */
  ends_at: v.string(),
  connections: v.array(connectionView),
});

export type ConnectionView = Readonly<v.InferOutput<typeof connectionView>>;
export type SessionView = Readonly<v.InferOutput<typeof sessionView>>;
