/**
 * What the audit trail keeps of a call: who, when, which tool and source, which class of statement and tables, how much
 * and how it ended. Never a value, a parameter, a message or a text that holds literals.
 */
import { randomBytes } from "node:crypto";
import type { CallFacts } from "../host/audit/facts.js";
import { type Body, toRecordText } from "../host/audit/line.js";
import type { AuditTrail } from "../host/audit/trail.js";
import type { ErrorReport } from "../host/errors.js";
import type { StatementFacts } from "./database.js";
import { fingerprintOf, type Lexis } from "./fingerprint.js";

/** Who calls. */
export interface Caller {
  /** Whoever a token or certificate says it is; undefined where nobody asks. */
  readonly principal?: string | undefined;
  /** What the client calls itself: its word, not proved. */
  readonly client?: { readonly name: string; readonly version: string } | undefined;
}

/** A call as it begins. */
export interface CallStart extends Caller {
  /** Under which it is recorded elsewhere; default an id of its own. */
  readonly call?: string | undefined;
  readonly tool: string;
  readonly access: "read" | "write";
  readonly source: string | undefined;
  readonly sql: string | undefined;
  readonly lexis: Lexis;
}

/** What stays the same on all pages of a result. */
export type ResultFacts = Body;

/** The record of one call while it runs. */
export interface CallRecord {
  /** For the port: what the database understood. */
  observe(facts: StatementFacts): void;
  /** It is answered from memory; what was understood then. */
  recalled(facts: StatementFacts): void;
  /** What the next pages' records repeat, with the id of the first page's call. */
  result(): ResultFacts;
  /** This call reads on in that result. */
  readsOn(facts: ResultFacts): void;
  /** A write leaves a record before it runs. @throws CodedError `audit_unavailable` */
  begin(): Promise<void>;
  /** `asked`: its user was asked first, and nothing has happened yet. @throws CodedError `audit_unavailable` */
  end(outcome: "ok" | "asked" | ErrorReport, size: { readonly rows: number; readonly bytes: number }): Promise<void>;
  /** What it turned out to be, once it has ended. */
  facts(): CallFacts | undefined;
}

const maxTables = 50;

/** A record for this call; without a trail it only gathers the facts, for whoever asked for them. */
export function openCallRecord(trail: AuditTrail | undefined, start: CallStart): CallRecord {
  const { call = randomBytes(8).toString("hex"), tool, access, source, sql, lexis, principal, client } = start;
  const began = performance.now();
  const who = {
    ...(principal === undefined ? {} : { principal: toRecordText(principal) }),
    ...(client === undefined
      ? {}
      : { client: { name: toRecordText(client.name), version: toRecordText(client.version) } }),
  };
  let facts: ResultFacts = {};
  let ended: CallFacts | undefined;
  if (source !== undefined) facts = { source };
  if (sql !== undefined) {
    const { fingerprint, verb } = fingerprintOf(sql, lexis);
    facts = { ...facts, class: verb, fingerprint };
  }
  const what = () => ({ call, ...who, tool, ...facts });
  const observe = ({ statementClass, tables }: StatementFacts): void => {
    if (statementClass !== undefined) facts = { ...facts, class: statementClass };
    if (tables === undefined) return;
    const named = [...new Set(tables)].sort();
    const more = named.length > maxTables ? { more_tables: named.length - maxTables } : {};
    facts = { ...facts, tables: named.slice(0, maxTables).map(toRecordText), ...more };
  };
  return {
    observe,
    recalled(understood) {
      observe(understood);
      facts = { ...facts, cached: true };
    },
    result: () => ({ ...facts, result: call }),
    readsOn(first) {
      facts = first;
    },
    async begin() {
      if (trail?.isRequired) await trail.ready();
      if (access === "write") await trail?.append({ event: "begin", ...what() });
    },
    async end(outcome, { rows, bytes }) {
      const how = typeof outcome === "string" ? { outcome } : { outcome: outcome.code, ...codesOf(outcome) };
      ended = { ...facts, rows, bytes, ...how };
      const ms = Math.round((performance.now() - began) * 100) / 100;
      await trail?.append({ event: "call", ...what(), rows, bytes, ms, ...how });
    },
    facts: () => ended,
  };
}

const codesOf = ({ sqlstate, errno }: ErrorReport) => ({
  ...(sqlstate === undefined ? {} : { sqlstate }),
  ...(errno === undefined ? {} : { errno }),
});
