/** Deadlines hold whatever the garbage collector does meanwhile. */
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { anySignal, withTimeout } from "../../mcp-core/src/host/signals.js";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

test.each([
  ["a signal with a timeout", (base: AbortSignal) => withTimeout(base, 200)],
  ["one joined from another", (base: AbortSignal) => anySignal([withTimeout(base, 200), new AbortController().signal])],
  ["one with two timeouts", (base: AbortSignal) => withTimeout(withTimeout(base, 200), 60_000)],
])("%s fires after a garbage collection", async (_, make) => {
  const base = new AbortController();
  const reasons: unknown[] = [];
  for (let count = 0; count < 50; count++) {
    const signal = make(base.signal);
    signal.addEventListener("abort", () => reasons.push(signal.reason.name), { once: true });
  }
  await sleep(20);
  collect();
  await expect.poll(() => reasons).toEqual(Array(50).fill("TimeoutError"));
});

test("the first of them decides, with its reason", () => {
  const [first, second] = [new AbortController(), new AbortController()];
  const signal = anySignal([first.signal, second.signal]);
  second.abort("second");
  first.abort("first");
  expect(signal.reason).toBe("second");
  expect(withTimeout(first.signal, 1_000).reason).toBe("first");
});
