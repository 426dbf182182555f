/**
 * Calls that make much out of little, and would fill the server's memory before any limit counts: PostgreSQL has none
 * for a query's memory. Only sizes that are written out are seen; what grows row by row is left to the time limit.
 */
import type { CodedError } from "@database-interface/mcp-core/host";
import { notAllowed } from "./guard-class.js";
import { amplifiers, gatherers, maxMade, maxMadeOften } from "./guard-lists.js";
import type { Usage, UsedCall } from "./guard-walk.js";

/** @throws CodedError `not_allowed` */
export function assertSizes({ calls }: Usage): void {
  for (const call of calls) assertSize(call);
  const largest = Math.max(0, ...calls.map(madeBy));
  const gatherer = largest > maxMadeOften ? calls.find(({ name }) => gatherers.has(name)) : undefined;
  if (gatherer !== undefined) throw tooMuch(`${gatherer.name}`);
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
  if (name === "replace" || name === "regexp_replace") {
    const isMade = args.some(({ calls }) => calls.some((inner) => amplifiers.has(inner) || inner === "string_agg"));
    if (isMade) throw tooMuch(name);
  }
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
