/**
 * What surrounds one tool call: its signal and deadline, its source, its caps, how far it is. Everything a tool may
 * touch comes through here; it knows nothing of the MCP SDK.
 */
import type { AuditTrail } from "../host/audit/trail.js";
import { CodedError } from "../host/errors.js";
import { nearestNames } from "../host/nearest.js";
import { withTimeout } from "../host/signals.js";
import type { Approvals } from "./approvals.js";
import type { CallRecord } from "./call-record.js";
import type { Cursors } from "./cursors.js";
import type { Database, DatabaseKind, DatabaseLog, Statement } from "./database.js";
import type { IdentifierQuote } from "./identifiers.js";
import { type Caps, callGraceMs, maxSqlBytes } from "./limits.js";
import type { Outcomes } from "./outcomes.js";
import type { PolicySettings } from "./policy.js";
import type { ResultCache } from "./result-cache.js";

/** A named, open database. */
export interface Source {
  readonly name: string;
  /** `user@host:port/database`, for logs: never a secret. */
  readonly label: string;
  readonly database: Database;
  /** Names of settings that carry who calls; mostly none. */
  readonly sessionContext?: readonly string[] | undefined;
  /** Results that are used again, where its operator wants that. */
  readonly results?: ResultCache | undefined;
}

/** What a database server is told by its operator, apart from where its sources are. */
export interface ServerSettings extends PolicySettings {
  /** Over stdio the parent process speaks for its clients, as a gateway does. Default false. */
  readonly isParentTrusted?: boolean;
  /** `core`, `all` or names of tools. Default `core`. */
  readonly tools: readonly string[];
  /** Adds `structuredContent` and `outputSchema` where a tool answers in JSON. */
  readonly structured: boolean;
  /** Connections of each source; half of them may be held by paged results. */
  readonly poolSize: number;
}

/** What all calls of a server share. */
export interface Service {
  readonly kind: Pick<DatabaseKind, "name" | "title" | "command" | "version" | "dialect" | "identifierQuote" | "lexis">;
  readonly sources: ReadonlyMap<string, Source>;
  readonly settings: ServerSettings;
  readonly cursors: Cursors;
  /** What humans were asked and have not used up. */
  readonly approvals: Approvals;
  /** What became of writes with an idempotency key. */
  readonly outcomes: Outcomes;
  readonly log: ServerLog;
  /** Where calls are recorded, if anywhere. */
  readonly audit?: AuditTrail | undefined;
}

/** The log of a server. */
export interface ServerLog extends DatabaseLog {
  info(event: string, fields?: Readonly<Record<string, unknown>>): void;
  error(event: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** One call. */
export interface Call {
  /** Its sources answer for whom the call is. */
  readonly service: Service;
  /** Who calls: their name among all who may come in. */
  readonly principal: string;
  /** Fires when the client cancels or the call's deadline passes. */
  readonly signal: AbortSignal;
  /** Rows read so far, for progress. */
  readonly progress: { rows: number };
  /** How a source that remembers results answered: from memory, from the database, or so because the call asked for it. */
  readonly memory: { answered?: "hit" | "miss" | "bypass" };
  readonly human: Human;
  /** What the audit keeps of it, if anything. */
  readonly record?: CallRecord | undefined;
}

/** The human behind a call, as far as the client lets us reach them. */
export interface Human {
  /** Whose call it is: one connection's, or everybody's of the era that has none. */
  readonly caller: string;
  /** The client shows forms to its user. */
  readonly canAsk: boolean;
  /** What the user said to the question that an earlier round of this call asked. */
  readonly answer?: { readonly approval: string; readonly isYes: boolean } | undefined;
}

/** Thrown by a tool to have the client's user asked; the call is then run again with the answer. */
export class Question {
  readonly message: string;
  /** Comes back with the answer. */
  readonly approval: string;

  constructor(message: string, approval: string) {
    this.message = message;
    this.approval = approval;
  }
}

/** How names are quoted in this dialect. */
export function quoteOf(service: Service): IdentifierQuote {
  return service.kind.identifierQuote ?? '"';
}

/**
 * The source a call names; the only one there is when it names none.
 * @throws CodedError `source_required`, `source_unknown`
 */
export function chooseSource(service: Pick<Service, "sources">, name: string | undefined): Source {
  const names = [...service.sources.keys()];
  const [only, second] = service.sources.values();
  if (name === undefined && only !== undefined && second === undefined) return only;
  if (name === undefined) {
    throw new CodedError("source_required", "There are several sources; the call names none.", {
      hint: `Pass \`source\`: ${listNames(names)}.`,
    });
  }
  const found = service.sources.get(name);
  if (found !== undefined) return found;
  const near = nearestNames(name, names);
  throw new CodedError("source_unknown", "There is no source of this name.", {
    hint: near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `The sources are ${listNames(names)}.`,
  });
}

function listNames(names: readonly string[]): string {
  return names.length > 20 ? `${names.slice(0, 20).join(", ")} and ${names.length - 20} more` : names.join(", ");
}

/**
 * A statement from a call's arguments.
 * @throws CodedError `sql_empty`, `sql_too_long`
 */
export function toStatement(sql: string | undefined, params: Statement["params"] | undefined): Statement {
  if (sql === undefined || sql.trim() === "") {
    throw new CodedError("sql_empty", "There is no statement in `sql`.", { hint: "Pass one SQL statement in `sql`." });
  }
  const bytes = Buffer.byteLength(sql);
  if (bytes > maxSqlBytes) {
    throw new CodedError("sql_too_long", `The statement has ${bytes} bytes; ${maxSqlBytes} are allowed.`, {
      hint: "Pass long values in `params`, or split the work into several statements.",
    });
  }
  return { sql, params: params ?? [] };
}

/** The call's signal with its deadline. */
export function withDeadline(signal: AbortSignal, caps: Pick<Caps, "timeoutMs">): AbortSignal {
  return withTimeout(signal, caps.timeoutMs + callGraceMs);
}
