/** The order in which a source's hosts are tried. */
import { expect, test } from "vitest";
import { createHostOrder } from "../../mcp-core/src/sql/host-order.js";

test("as written; one that failed stands last for half a minute, or until it answers", () => {
  let now = 0;
  const order = createHostOrder(["a", "b", "c"], { now: () => now });
  expect(order.next()).toEqual(["a", "b", "c"]);
  order.failed("a");
  expect(order.next()).toEqual(["b", "c", "a"]);
  order.failed("b");
  expect(order.next()).toEqual(["c", "a", "b"]);
  order.answered("a");
  expect(order.next()).toEqual(["a", "c", "b"]);
  now = 30_000;
  expect(order.next()).toEqual(["a", "b", "c"]);
});

test("shuffled anew each time, each host once, those that failed still last", () => {
  const ranks = [0.9, 0.1, 0.5, 0.2, 0.8, 0.3];
  const order = createHostOrder(["a", "b", "c"], { isRandom: true, random: () => ranks.shift() ?? 0, now: () => 0 });
  expect(order.next()).toEqual(["b", "c", "a"]);
  order.failed("c");
  expect(order.next()).toEqual(["a", "b", "c"]);
});
