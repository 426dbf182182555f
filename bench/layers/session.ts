/** What sessions with one layer have in common on both engines. */
import { setTimeout as sleep } from "node:timers/promises";
import { type LayerSession, maxCallMs, type Reply } from "./engine.js";

export const answered = (text: string): Reply => ({ text, ending: "answered" });
export const failed = (thrown: unknown): Reply => {
  const code = typeof thrown === "object" && thrown !== null && "code" in thrown ? thrown.code : undefined;
  return { text: `${code}: ${String(thrown)}`, ending: "failed" };
};

/** The most memory that the server used for a session, in bytes. */
export interface Memory {
  readonly peakBytes: number;
  stop(): void;
}

/** Reads it again and again; what cannot be read counts as nothing. */
export function watchMemory(read: () => number | Promise<number>, everyMs: number): Memory {
  let peakBytes = 0;
  const timer = setInterval(async () => {
    const bytes = await Promise.resolve()
      .then(read)
      .catch(() => 0); // it is gone
    peakBytes = Math.max(peakBytes, bytes);
  }, everyMs);
  return {
    get peakBytes() {
      return peakBytes;
    },
    stop: () => clearInterval(timer),
  };
}

/** The product as it is. */
export function wholeSession(
  database: AsyncDisposable,
  run: (sql: string) => Promise<{ readonly rows: unknown }>,
  { sessionSql, memory }: { readonly sessionSql: string; readonly memory: Memory },
): LayerSession {
  const textOf = async (sql: string) => JSON.stringify((await run(sql)).rows);
  return {
    async call(sql) {
      const startedAt = performance.now();
      const reply = await textOf(sql).then(answered, failed);
      return performance.now() - startedAt > maxCallMs ? { ...reply, ending: "cut" } : reply;
    },
    left: () => textOf(sessionSql),
    peakBytes: () => memory.peakBytes,
    async [Symbol.asyncDispose]() {
      memory.stop();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** A server may not notice that a client is gone; a session that cannot be stopped goes with the server. */
export async function untilGone(isGone: () => Promise<boolean>, stop: () => Promise<void>): Promise<void> {
  for (let round = 0; round < 50 && !(await isGone().catch(() => true)); round++) {
    if (round % 10 === 0) await stop().catch(() => {});
    await sleep(20);
  }
}
