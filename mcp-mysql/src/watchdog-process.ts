/**
 * The watchdog's own process: reads orders until its pipe ends, then kills the sessions it still knows and exits. It
 * says once that it is up, and nothing else, since what it is told are secrets.
 */
import { createInterface } from "node:readline";
import { setFlagsFromString } from "node:v8";
import type { Order } from "./watchdog.js";

type Watched = Extract<Order, { watch: number }>["target"];

const killTimeoutMs = 2_000;

const watched = new Map<number, Watched>();
// The parent's end is told by the pipe alone; what ends others at a terminal must not end this.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});
process.stdout.on("error", () => {}).write("up\n");
// It is there for as long as its server has sessions: 16 MB instead of 24.
setFlagsFromString("--optimize-for-size");
// The driver takes longer to load than all else, and is not needed before the end.
const loading = import("./watchdog-kill.js");
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order; // our own lines, from watchdog.ts
  if ("watch" in order) watched.set(order.watch, order.target);
  else watched.delete(order.forget);
}
const deadline = setTimeout(() => process.exit(1), 2 * killTimeoutMs);
const { killSession } = await loading;
await Promise.allSettled([...watched.values()].map((target) => killSession(target, killTimeoutMs)));
clearTimeout(deadline);
process.exit(0);
