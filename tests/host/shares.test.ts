/** Who gives way when all places are taken, by who has how many. */
import { expect, test } from "vitest";
import { findGivingWay } from "../../mcp-core/src/host/shares.js";

/** `ada2` is ada's, last used at 2; `!` is at work, `?` listens, the others rest. */
function parse(text: string) {
  const [, owner = "", age = "", state] = /^([a-z]+)(\d+)([!?]?)$/.exec(text) ?? [];
  return { text, owner, lastUsed: Number(age), rests: state === "", yields: state !== "!" };
}

test.each<[held: string, newcomer: string, expected: string | undefined, rule: string]>([
  ["", "ada", undefined, "nobody is there"],
  ["ada1 ada2", "ada", "ada1", "one's own that rested longest"],
  ["ada2 ada1 bob0", "ada", "ada1", "one's own before others'"],
  ["ada1 ada2? ada3!", "bob", "ada1", "one that rests before one that listens"],
  ["ada1? ada2! ada3!", "bob", "ada1?", "one that listens rather than nobody"],
  ["ada1! ada2!", "bob", undefined, "none at work"],
  ["ada1 bob2 bob3 bob4", "cyd", "bob2", "of whoever has most"],
  ["ada1 bob2", "cyd", "ada1", "a first place before somebody's rest"],
  ["ada1? bob2?", "cyd", undefined, "but not before somebody's only stream"],
  ["ada1 bob2?", "bob", undefined, "nobody takes from who has no more"],
  ["ada1 ada2 bob3?", "bob", undefined, "nor from who would then have fewer"],
  ["ada1 ada2 ada3 bob3?", "bob", "ada1", "shares become equal"],
  ["ada1? ada2?", "ada", undefined, "one's own streams stay"],
])("%s, then %s: %s, %s", (held, newcomer, expected) => {
  expect(findGivingWay(held.split(" ").filter(Boolean).map(parse), newcomer)?.text).toBe(expected);
}); // biome-ignore format: a table
