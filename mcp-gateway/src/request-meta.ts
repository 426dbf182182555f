/** The `_meta` of a request to a server: what the client put there, and what the server's own era wants. */
import { type Era, modernVersion } from "./handshake.js";
import { type Fields, isFields } from "./message.js";
import type { Trace } from "./trace.js";

/** Reserved keys of a modern request's `_meta`. */
export const metaKeys = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
  serverInfo: "io.modelcontextprotocol/serverInfo",
  subscriptionId: "io.modelcontextprotocol/subscriptionId",
} as const;

/** What only modern requests carry: a legacy server over HTTP would be taken for a modern one by the SDK's transport. */
const envelopeKeys: ReadonlySet<string> = new Set([
  metaKeys.protocolVersion,
  metaKeys.clientInfo,
  metaKeys.clientCapabilities,
  metaKeys.logLevel,
]);

/** What a request's `_meta` is made from. */
export interface MetaParts {
  /** What the client put there. */
  readonly own: unknown;
  readonly caller: {
    readonly info?: Fields | undefined;
    readonly capabilities: Fields;
    readonly logLevel?: string | undefined;
  };
  readonly trace: Trace | undefined;
  /** Where its progress is wanted. */
  readonly progressToken: number | undefined;
  readonly era: Era;
}

/** The `_meta`, as a part of the params; nothing where it would be empty. */
export function toMeta({ own, caller, trace, progressToken, era }: MetaParts): Fields {
  const given = isFields(own) ? Object.entries(own) : [];
  const meta = {
    ...Object.fromEntries(given.filter(([key]) => !envelopeKeys.has(key))),
    ...trace?.carrier,
    ...(progressToken === undefined ? {} : { progressToken }),
    ...(era === "modern"
      ? {
          [metaKeys.protocolVersion]: modernVersion,
          ...(caller.info === undefined ? {} : { [metaKeys.clientInfo]: caller.info }),
          [metaKeys.clientCapabilities]: caller.capabilities,
          ...(caller.logLevel === undefined ? {} : { [metaKeys.logLevel]: caller.logLevel }),
        }
      : {}),
  };
  return Object.keys(meta).length > 0 ? { _meta: meta } : {};
}
