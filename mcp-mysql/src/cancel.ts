/** Stops what one of our sessions is doing, from a second connection, after making sure that it is still ours. */
import type { Connected } from "./connect.js";
import type { Session } from "./session.js";

const cancelTimeoutMs = 2_000;

/**
 * Sends KILL QUERY for the session, unless `isStillOurs` says otherwise at the last moment. A number alone does not
 * identify a session behind a proxy or after a fail-over: the server must show it with the same client address.
 * Resolves when the server has been told; a server that cannot be told loses the connection instead.
 */
export async function cancelStatement(
  { session, origin, reach }: Connected,
  isStillOurs: () => boolean,
): Promise<void> {
  if (!session.isOpen) return;
  try {
    const second = await reach(AbortSignal.timeout(cancelTimeoutMs));
    const give = setTimeout(() => second.destroy(new Error("cancel timed out")), cancelTimeoutMs);
    try {
      await kill(second, { threadId: session.threadId, origin }, "QUERY", isStillOurs);
    } finally {
      clearTimeout(give);
      // Its good-bye is nothing to wait for.
      void second[Symbol.asyncDispose]();
    }
  } catch {
    if (isStillOurs()) session.destroy(new Error("the statement could not be stopped"));
  }
}

/**
 * Ends a session whose connection was lost while a statement ran on it: the server does not notice before it writes.
 * A server that cannot be reached is left to the statement's own time limit.
 */
export async function killLost({ session, origin, reach }: Connected): Promise<void> {
  try {
    const second = await reach(AbortSignal.timeout(cancelTimeoutMs));
    const give = setTimeout(() => second.destroy(new Error("kill timed out")), cancelTimeoutMs);
    await kill(second, { threadId: session.threadId, origin }, "CONNECTION").finally(() => clearTimeout(give));
    await second[Symbol.asyncDispose]();
  } catch {
    // Nobody waits for this, and nobody could do better.
  }
}

/** What to kill, and what the server must show of it. */
export interface Target {
  readonly threadId: number;
  readonly origin: string;
}

/** Kills a session, or only what it is doing, over another one. @throws when the server knows it as somebody else's */
export async function kill(
  over: Session,
  { threadId, origin }: Target,
  what: "QUERY" | "CONNECTION",
  isStillOurs = () => true,
): Promise<void> {
  const sql = `SELECT CONCAT(@@hostname, ':', @@port, ' ', host) FROM information_schema.processlist WHERE id = ${threadId}`;
  const [row] = await over.rows(sql);
  if (row === undefined || !isStillOurs()) return;
  if (row[0] !== origin) throw new Error("another server's session");
  await over.rows(`KILL ${what} ${threadId}`);
}
