/**
 * Stops statements that outlive us. The server does not notice a client that was killed, so a small process of ours
 * holds a pipe from this one and the numbers of sessions that have been busy for a while; when the pipe ends, however
 * we died, it kills those. It starts with the first such session, and ends when there has been none for a while.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Target } from "./cancel.js";
import type { Address, Connected } from "./connect.js";
import type { Pool } from "./pool.js";

/** A line to the watchdog's process: sessions are numbered by us. */
export type Order = { readonly watch: number; readonly target: Target & Address } | { readonly forget: number };

/** Quick statements end by themselves before anybody could kill them. */
const busyMs = 50;
/** Its start takes longer than its work: it stays for as long as another slow statement is likely. */
const idleMs = 1_800_000;

/** The built package has it; run from source there is none. */
const program = fileURLToPath(new URL("./watchdog-process.js", import.meta.url));

/** The same pool, with every session it lends watched over until it is clean again. */
export function watchOver(pool: Pool): Pool {
  const watchdog = createWatchdog();
  const forgets = new Map<Connected, () => void>();
  const forget = (connected: Connected) => {
    forgets.get(connected)?.();
    forgets.delete(connected);
  };
  return {
    async acquire(signal) {
      const connected = await pool.acquire(signal);
      forgets.set(connected, watchdog.watch(connected));
      return connected;
    },
    release(connected, settled) {
      // Before the pool learns of it, which may lend the session at once.
      const forgotten = settled.finally(() => forget(connected));
      pool.release(connected, forgotten);
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      // What could not be stopped on the way out is killed now.
      watchdog.close();
    },
  };
}

function createWatchdog() {
  let child: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isClosed = false;
  let lastNumber = 0;
  const watched = new Set<number>();

  function tell(order: Order): void {
    clearTimeout(idle);
    if (isClosed) return;
    child ??= start((gone) => {
      if (child === gone) child = undefined;
    });
    child?.stdin?.write(`${JSON.stringify(order)}\n`);
    if (watched.size === 0) idle = setTimeout(end, idleMs).unref();
  }

  function end(): void {
    child?.stdin?.end();
    child = undefined;
  }

  return {
    /** Watches over a session once it has been busy for a while; returns how to forget it. */
    watch(connected: Connected): () => void {
      const number = ++lastNumber;
      const { threadId } = connected.session;
      const timer = setTimeout(() => {
        watched.add(number);
        tell({ watch: number, target: { threadId, origin: connected.origin, ...connected.address() } });
      }, busyMs).unref();
      return () => {
        clearTimeout(timer);
        if (watched.delete(number)) tell({ forget: number });
      };
    },
    close() {
      isClosed = true;
      clearTimeout(idle);
      end();
    },
  };
}

function start(onExit: (child: ChildProcess) => void): ChildProcess | undefined {
  if (!existsSync(program)) return undefined;
  const { NODE_EXTRA_CA_CERTS, ELECTRON_RUN_AS_NODE } = process.env;
  // A group of its own, since whoever kills ours would kill it too.
  const child = spawn(process.execPath, [program], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    windowsHide: true,
    cwd: "/",
    env: {
      ...(NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS }),
      ...(ELECTRON_RUN_AS_NODE === undefined ? {} : { ELECTRON_RUN_AS_NODE }),
    },
  });
  // One that cannot start, or was killed, leaves statements to their own time limit, and the next call tries again.
  child.on("error", () => onExit(child)).on("exit", () => onExit(child));
  child.stdin?.on("error", () => {});
  child.unref();
  return child;
}
