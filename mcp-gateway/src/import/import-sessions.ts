/**
 * Old sessions into new ones: each becomes a session of one principal, with its database as a template allows it, under
 * a reference made anew. A record is imported once, however often the import is run.
 */
import { CodedError } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { type Draft, draftSchema, toDraft } from "../sessions/draft.js";
import { newSessionId } from "../sessions/session.js";
import type { SessionIndex } from "../sessions/session-index.js";
import type { SessionRecords } from "../sessions/session-records.js";
import type { SessionLimits } from "../sessions/sessions.js";
import type { Store } from "../store/store.js";
import type { Template } from "../template.js";
import type { Vault } from "../vault/vault.js";
import type { OldConnection, OldRecord, OldRecords } from "./old-records.js";

/** What became of a record. */
export interface Outcome {
  /** The record's name in the old store. */
  readonly key: string;
  readonly kind: "imported" | "skipped";
  /** What it became, or why it was left. */
  readonly text: string;
}

/** What an import works with. */
export interface ImportOptions {
  readonly old: OldRecords;
  readonly principal: string;
  /** The only template to use; without it the first that allows the database. */
  readonly template: string | undefined;
  readonly templates: ReadonlyMap<string, Template>;
  readonly store: Store;
  readonly vault: Vault;
  readonly records: SessionRecords;
  readonly index: SessionIndex;
  readonly limits: SessionLimits;
  /** Nothing is written. */
  readonly isDry: boolean;
  /** Old records that were imported are deleted. */
  readonly removesOld: boolean;
  /** Keeps a new reference, before the old record is touched: it is told nowhere else. */
  keep(reference: { readonly old: string; readonly session: string; readonly id: string }): Promise<void>;
  readonly now?: (() => number) | undefined;
}

const problems = {
  sealed: "does not open with this key, or is too old",
  damaged: "is no session",
  empty: "has no complete connection",
};

/** Goes through all old records. @throws CodedError `store_unavailable` */
export async function* importSessions(options: ImportOptions): AsyncGenerator<Outcome> {
  const { old, index, limits, principal } = options;
  let room = limits.maxSessions - (await index.read(principal)).length;
  for await (const record of old.read()) {
    const skipped = (text: string): Outcome => ({ key: record.key, kind: "skipped", text });
    if ("problem" in record) yield skipped(problems[record.problem]);
    else if (room <= 0) yield skipped(`${principal} has ${limits.maxSessions} sessions; raise --max-sessions`);
    else {
      const outcome = await importOne(record, options).catch((error: unknown) => {
        if (error instanceof CodedError && error.code !== "store_unavailable") return skipped(describe(error));
        throw error;
      });
      if (outcome.kind === "imported") room--;
      yield outcome;
    }
  }
}

async function importOne(record: Extract<OldRecord, { reference: string }>, options: ImportOptions): Promise<Outcome> {
  const { key, connection } = record;
  const { vault, store, limits } = options;
  const draft = chooseTemplate(connection, options);
  const place = `${draft.template.kind.name} ${draft.user}@${draft.host}:${draft.port}/${draft.database}`;
  const [mark] = vault.namesOf("imported", key);
  const marks = vault.namesOf("imported", key).map((name) => store.get(`imported/${name}`));
  if ((await Promise.all(marks)).some((one) => one !== undefined))
    return { key, kind: "skipped", text: "has been imported already" };
  if (options.isDry) return { key, kind: "imported", text: `would become ${place} by template ${draft.template.name}` };
  const { id, reference } = await write(draft, connection.password, options);
  await options.keep({ old: record.reference, session: reference, id });
  await store.set(`imported/${mark}`, id, { ttlMs: limits.maxAgeMs });
  if (options.removesOld) await options.old.remove(record);
  return { key, kind: "imported", text: `is ${id}, ${place} by template ${draft.template.name}` };
}

/** The first template that allows the database; the last one's refusal where none does. */
function chooseTemplate({ database_type, host, port, username, database_name }: OldConnection, options: ImportOptions) {
  const kind = database_type === "postgresql" ? "postgres" : database_type;
  const named = options.template;
  const fitting = [...options.templates.values()].filter(
    (one) => one.kind.name === kind && (named === undefined || one.name === named),
  );
  let refusal = new CodedError("template_unknown", `No template is for ${kind}.`);
  for (const template of fitting) {
    const database = database_name ?? template.database ?? (kind === "postgres" ? username : undefined);
    const asked = v.safeParse(draftSchema, { template: template.name, host, port, user: username, database });
    if (!asked.success) throw new CodedError("parameter_invalid", "It holds a name that no database has.");
    try {
      return toDraft(asked.output, options.templates);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function write({ name, template, ...place }: Draft, password: string, options: ImportOptions) {
  const { records, index, limits, principal, now = Date.now } = options;
  const openedAt = now();
  const id = newSessionId();
  const empty = { id, principal, label: "imported", openedAt, endsAt: openedAt + limits.maxAgeMs, connections: [] };
  const { reference, found } = await records.create(empty);
  await records.update(principal, reference, ({ record, session }) => {
    const sealed = records.sealPassword(password, { record, reference, connection: name });
    const added = { name, template: template.name, ...place, addedAt: openedAt, password: sealed };
    return { ...session, connections: [added] };
  });
  await index.update(principal, (all) => [...all, { id, record: found.record }]);
  return { id, reference };
}

const describe = ({ code, message }: CodedError): string => `${message.replace(/\.$/, "")} (${code})`;
