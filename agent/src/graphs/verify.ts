/** What a reply of `check_connection` says, for people and for the workflow's decision. */
import * as v from "valibot";
import { errorReportSchema } from "../error-report.js";
import { AgentError } from "../errors.js";

/** One source's part of a check. */
export const sourceCheckSchema = v.object({
  source: v.optional(v.string()),
  reachable: v.boolean(),
  round_trip_ms: v.optional(v.number()),
  server: v.optional(v.string()),
  version: v.optional(v.string()),
  database: v.optional(v.string()),
  user: v.optional(v.string()),
  tls: v.optional(v.union([v.string(), v.boolean()])),
  mode: v.optional(v.string()),
  warnings: v.optional(v.array(v.string())),
  error: v.optional(errorReportSchema),
});
const replySchema = v.union([sourceCheckSchema, v.object({ sources: v.array(sourceCheckSchema) })]);

/** One source's part of a check. */
export type SourceCheck = v.InferOutput<typeof sourceCheckSchema>;

/** The checks in a reply. @throws AgentError `reply_invalid` */
export function parseChecks(reply: string): readonly SourceCheck[] {
  const parsed = v.safeParse(replySchema, parseJson(reply));
  if (!parsed.success) throw new AgentError("reply_invalid", "The server's reply to check_connection makes no sense.");
  return "sources" in parsed.output ? parsed.output.sources : [parsed.output];
}

/** Why a connection is down; undefined when it is up. */
export function unreachable(reply: string, connection: string): AgentError | undefined {
  const checks = parseChecks(reply);
  const check = checks.find(({ source }) => source === connection) ?? checks[0];
  if (check?.reachable === true) return undefined;
  const { code, message, ...details } = check?.error ?? {
    code: "connection_failed",
    message: "The database does not answer.",
  };
  return new AgentError(code, message, details);
}

/** What a reply says of its first source, in one line. */
export function describeCheck(reply: string): string {
  const [check] = parseChecks(reply);
  return check === undefined ? "" : describeSourceCheck(check);
}

/** Such as `PostgreSQL 15.14, shop as reader, TLSv1.3, read-only, 0.4 ms`. */
export function describeSourceCheck(check: SourceCheck): string {
  const { server, version, database, user, tls, mode, round_trip_ms: ms } = check;
  return [
    [server, shortVersion(version)].filter(Boolean).join(" "),
    database === undefined ? "" : user === undefined ? database : `${database} as ${user}`,
    tls === undefined ? "" : tls === false ? "no TLS" : String(tls === true ? "TLS" : tls),
    mode ?? "",
    ms === undefined ? "" : `${ms} ms`,
  ]
    .filter((part) => part !== "")
    .join(", ");
}

/** `15.14 (Debian 15.14-1)` and `10.11.6-MariaDB-0+deb12u1` without what packagers add. */
const shortVersion = (version: string | undefined): string => /^[\d.]+/.exec(version ?? "")?.[0] ?? "";

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
