/**
 * The watchdog's own process: reads orders until its pipe ends, then kills the sessions it still knows and exits. It
 * prints nothing, since what it is told are secrets.
 */
import { createInterface } from "node:readline";
import { kill } from "./cancel.js";
import { openBare } from "./connect.js";
import type { Order } from "./watchdog.js";

type Watched = Extract<Order, { watch: number }>["target"];

const killTimeoutMs = 2_000;

/** A session that cannot be killed is left to its statement's own time limit. */
async function killWatched(target: Watched): Promise<void> {
  const session = await openBare(target, AbortSignal.timeout(killTimeoutMs));
  await kill(session, target, "CONNECTION");
  await session[Symbol.asyncDispose]();
}

const watched = new Map<number, Watched>();
// The parent's end is told by the pipe alone; what ends others at a terminal must not end this.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order; // our own lines, from watchdog.ts
  if ("watch" in order) watched.set(order.watch, order.target);
  else watched.delete(order.forget);
}
const deadline = setTimeout(() => process.exit(1), 2 * killTimeoutMs);
await Promise.allSettled([...watched.values()].map(killWatched));
clearTimeout(deadline);
process.exit(0);
