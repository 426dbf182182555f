/**
 * `--print-grants`: the SQL of a role that can read what the settings show, and nothing else, so that the database itself
 * holds what this server promises. It is printed, never run; no secret is in it.
 */
import type { Writable } from "node:stream";
import { CodedError, toErrorReport } from "../host/errors.js";
import { type ServerSettings, type Source, withDeadline } from "./call.js";
import { inComment, passwordPlaceholder } from "./grant-request.js";

const roleForm = /^[A-Za-z_][A-Za-z0-9_]{0,31}$/;

interface Streams {
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly signal: AbortSignal;
}

/**
 * Prints a script for each source; 0 when all of them answer, else 1 and nothing for those that don't.
 * @throws CodedError `usage`
 */
export async function printGrants(
  sources: readonly Source[],
  role: string,
  { mode, timeoutMs }: Pick<ServerSettings, "mode" | "timeoutMs">,
  { stdout, stderr, signal }: Streams,
): Promise<number> {
  if (!roleForm.test(role)) {
    throw new CodedError("usage", "--print-grants takes the name of the role to make.", {
      hint: "Letters, digits and _, at most 32: --print-grants mcp_reader.",
    });
  }
  let failures = 0;
  for (const { name, label, database } of sources) {
    try {
      const bounded = { signal: withDeadline(signal, { timeoutMs }) };
      const lines = await grantsOf(database)({ role, mayWrite: mode !== "read-only", timeoutMs, ...bounded });
      stdout.write(`${[...headerOf(name, label), ...lines].join("\n")}\n`);
    } catch (thrown) {
      failures++;
      const { code, message, hint } = toErrorReport(thrown);
      stderr.write(`${name}: [${code}] ${message}${hint === undefined ? "" : `\n  ${hint}`}\n`);
    }
  }
  return failures === 0 ? 0 : 1;
}

const headerOf = (name: string, label: string): readonly string[] => [
  `-- ${name}: ${inComment(label)}`,
  `-- Run this as the tables' owner, with a password in place of ${passwordPlaceholder}. Tables that are made later are`,
  "-- not in it: print it again.",
];

function grantsOf({ grants }: Source["database"]): NonNullable<typeof grants> {
  if (grants !== undefined) return grants;
  throw new CodedError("not_allowed", "This database has no grants to print.", { hint: "See its manual." });
}
