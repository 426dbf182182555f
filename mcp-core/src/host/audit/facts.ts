/**
 * What a database server tells the gateway in front of it about a call, so that the gateway's own trail can say it: asked
 * for with the call, told with its result, each in `_meta`. It holds what the server's trail holds and nothing more: no
 * value, no message, no statement.
 */
import * as v from "valibot";
import { type CallContext, ownMetaPrefix } from "../principal.js";

/** In a call: the id under which the gateway records it. In its result: the {@link CallFacts}. */
export const factsMetaKey = `${ownMetaPrefix}facts`;

const callFacts = v.object({
  source: v.optional(v.string()),
  class: v.optional(v.string()),
  fingerprint: v.optional(v.string()),
  tables: v.optional(v.array(v.string())),
  more_tables: v.optional(v.number()),
  /** On later pages of a result: the id of the call that opened it. */
  result: v.optional(v.string()),
  rows: v.number(),
  bytes: v.number(),
  outcome: v.string(),
  sqlstate: v.optional(v.string()),
  errno: v.optional(v.number()),
});

/** What a call turned out to be. */
export type CallFacts = Readonly<v.InferOutput<typeof callFacts>>;

/** The id of a call whose facts are asked for; only a parent process that is trusted may ask. */
export function askedFacts({ http, mcpReq }: CallContext, { isParentTrusted = false }): string | undefined {
  const asked = mcpReq._meta?.[factsMetaKey];
  const isAsked = http === undefined && isParentTrusted && typeof asked === "string" && /^[0-9a-f]{16}$/.test(asked);
  return isAsked ? asked : undefined;
}

/** The facts in a result; undefined where it has none. */
export function toldFacts({ _meta }: Readonly<Record<string, unknown>>): CallFacts | undefined {
  if (typeof _meta !== "object" || _meta === null || !(factsMetaKey in _meta)) return undefined;
  const parsed = v.safeParse(callFacts, _meta[factsMetaKey]);
  return parsed.success ? parsed.output : undefined;
}
