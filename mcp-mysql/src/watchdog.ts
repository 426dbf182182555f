/**
 * Stops statements that outlive us. The server does not notice a client that was killed, so a small process of ours
 * holds a pipe from this one and the numbers of our open sessions; when the pipe ends, however we died, it kills those.
 * It starts with the first connection, is up before the first statement is sent, and ends when no session is left.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Target } from "./cancel.js";
import type { Address, Connected } from "./connect.js";

/** A line to the watchdog's process: sessions are numbered by us. */
export type Order = { readonly watch: number; readonly target: Target & Address } | { readonly forget: number };

export interface Watchdog {
  /** Starts the process where it does not run; resolves once it is up, or is not in time. */
  wake(): Promise<void>;
  /** From here on the session is killed should we die; returns how to forget it. */
  watch(connected: Connected): () => void;
  /** Ends the process; it kills what has not been forgotten. */
  close(): void;
}

/** A server that does not get its watchdog up works without: its statements have a time limit. */
const wakeMs = 2_000;
/** Once no session is left; the next one may come soon. */
const idleMs = 60_000;
/** Before one that was killed is replaced. */
const replaceMs = 5_000;

/** The built package has it; run from source there is none. */
const program = fileURLToPath(new URL("./watchdog-process.js", import.meta.url));

/** The same connector, whose sessions come when someone is up to watch over them. It costs nothing while connecting takes longer. */
export function watchOver<Arguments extends readonly unknown[]>(
  connect: (...args: Arguments) => Promise<Connected>,
  watchdog: Watchdog,
): (...args: Arguments) => Promise<Connected> {
  return async (...args) => {
    const awake = watchdog.wake();
    const connected = await connect(...args);
    await awake;
    return connected;
  };
}

export function createWatchdog(): Watchdog {
  let running: { readonly child: ChildProcess; readonly isUp: Promise<void> } | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isClosed = false;
  let lastNumber = 0;
  const watched = new Map<number, Order>();

  function wake(): Promise<void> {
    clearTimeout(idle);
    if (isClosed || !existsSync(program)) return Promise.resolve();
    if (running === undefined) {
      const child = start();
      running = { child, isUp: upOrLate(child) };
      for (const order of watched.values()) tell(order);
      child.once("error", () => replace(child)).once("exit", () => replace(child));
    }
    return running.isUp;
  }

  function tell(order: Order): void {
    running?.child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  function replace(gone: ChildProcess): void {
    if (running?.child !== gone) return;
    running = undefined;
    if (watched.size > 0) setTimeout(wake, replaceMs).unref();
  }

  function end(): void {
    running?.child.stdin?.end();
    running = undefined;
  }

  return {
    wake,
    watch(connected) {
      const number = ++lastNumber;
      const { threadId } = connected.session;
      const order = { watch: number, target: { threadId, origin: connected.origin, ...connected.address() } };
      clearTimeout(idle);
      watched.set(number, order);
      tell(order);
      return () => {
        if (!watched.delete(number)) return;
        tell({ forget: number });
        if (watched.size === 0) idle = setTimeout(end, idleMs).unref();
      };
    },
    close() {
      isClosed = true;
      clearTimeout(idle);
      end();
    },
  };
}

function start(): ChildProcess {
  const { NODE_EXTRA_CA_CERTS, ELECTRON_RUN_AS_NODE } = process.env;
  // A group of its own, since whoever kills ours would kill it too.
  const child = spawn(process.execPath, [program], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
    windowsHide: true,
    cwd: "/",
    env: {
      ...(NODE_EXTRA_CA_CERTS === undefined ? {} : { NODE_EXTRA_CA_CERTS }),
      ...(ELECTRON_RUN_AS_NODE === undefined ? {} : { ELECTRON_RUN_AS_NODE }),
    },
  });
  child.stdin?.on("error", () => {});
  child.unref();
  return child;
}

function upOrLate(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      clearTimeout(late);
      child.stdout?.destroy();
      resolve();
    };
    const late = setTimeout(settle, wakeMs);
    child.stdout?.once("data", settle).once("error", settle);
    child.once("error", settle).once("exit", settle);
  });
}
