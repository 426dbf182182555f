/**
 * Calls that make much out of little, and would fill the server's memory before any limit counts: PostgreSQL has none
 * for a query's memory. Only sizes that are written out are seen; what grows row by row is left to the time limit.
 */
import type { CodedError } from "@database-interface/mcp-core/host";
import { notAllowed } from "./guard-class.js";
import { amplifiers, gatherers, maxMade, maxMadeOften } from "./guard-lists.js";
import type { Usage, UsedCall } from "./guard-walk.js";

/** How much a text that is itself made may grow where something in it is replaced. */
const maxGrowthOfMade = 16;

/** @throws CodedError `not_allowed` */
export function assertSizes({ calls }: Usage): void {
  for (const call of calls) assertSize(call);
  const largest = Math.max(0, ...calls.map(madeBy));
  const gatherer = largest > maxMadeOften ? calls.find(({ name }) => gatherers.has(name)) : undefined;
  if (gatherer !== undefined) throw tooMuch(`${gatherer.name}`);
  // One inside the other, each makes more of what the last has made.
  const growth = calls.filter(isReplacing).map(growthOf).filter(Number.isFinite);
  if (growth.reduce((product, each) => product * each, 1) > maxMade) throw tooMuch("replace");
}

function assertSize(call: UsedCall): void {
  const { name, args } = call;
  const sized = amplifiers.get(name);
  const size = sized === undefined ? undefined : args[sized];
  const isUnknown = size !== undefined && !size.isData && !size.isArithmetic;
  if (name !== "array_fill" && isUnknown) throw tooMuch(name);
  if (madeBy(call) > maxMade) throw tooMuch(name);
  if (name === "format") {
    const [template] = args;
    const widths = [...(template?.text ?? "").matchAll(/%(?:\d+\$)?-?(\d+|\*)/g)].map(([, width]) => Number(width));
    if (template?.text === undefined || widths.some((width) => !(width <= maxMade))) throw tooMuch(name);
  }
  if (isReplacing(call)) {
    const isMade = args.some(({ calls }) => calls.some((inner) => amplifiers.has(inner) || inner === "string_agg"));
    if (isMade && !(growthOf(call) <= maxGrowthOfMade)) throw tooMuch(name);
  }
}

const isReplacing = ({ name }: UsedCall): boolean => name === "replace" || name === "regexp_replace";

/** How many times longer than its text a replacement can be; not a number where that isn't written out. */
function growthOf({ name, args }: UsedCall): number {
  const [, pattern, replacement] = args;
  if (replacement?.text === undefined) return Number.NaN;
  // A regular expression may match nothing, and what it matched may be put in again.
  const shortest = name === "replace" ? (pattern?.text?.length ?? 1) : 1;
  return Math.max(1, (replacement.text.length + 1) / Math.max(1, shortest));
}

/** How many characters or elements it makes, as far as that is written out: times those of a call inside of it. */
function madeBy({ name, args }: UsedCall): number {
  const sized = amplifiers.get(name);
  if (sized === undefined) return 0;
  const [first] = args;
  const size = args[sized];
  // Data is divided as often as it is multiplied, to draw a bar of it.
  const own = (size?.isData ? size.largest : size?.product) ?? 0;
  return first?.calls.some((inner) => amplifiers.has(inner)) ? own * Math.max(1, first.largest) : own;
}

const tooMuch = (what: string): CodedError =>
  notAllowed(`${what} would make more than ${maxMade} characters or elements.`, "Make less of it, by a literal size.");
