/**
 * Sessions in the store. A record stands under a name made from its owner and its reference by a secret key, so that
 * somebody else's reference, a forged one and one that has expired all miss alike; the reference itself is kept nowhere.
 * Records of an older key move under the newest as they are touched.
 */
import { randomBytes } from "node:crypto";
import { CodedError } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { Store } from "../store/store.js";
import type { Place, Vault } from "../vault/vault.js";
import { type KeptSession, keptSession } from "./session.js";

/** A session in the store. */
export interface FoundSession {
  /** Its name there. */
  readonly record: string;
  readonly version: string;
  readonly session: KeptSession;
}

/** How long sessions live. */
export interface SessionLife {
  /** Milliseconds without a call. */
  readonly idleMs: number;
  /** Milliseconds in all. */
  readonly maxAgeMs: number;
}

/** The sessions of everybody. All methods @throws CodedError `store_unavailable` */
export interface SessionRecords {
  create(session: KeptSession): Promise<{ readonly reference: string; readonly found: FoundSession }>;
  /** Finds a session and lets it live on. @throws CodedError `session_not_found`, `key_unknown`, `record_damaged` */
  find(principal: string, reference: string): Promise<FoundSession>;
  /** By its name in the store, without touching it; undefined when it is gone. @throws CodedError `key_unknown`, `record_damaged` */
  peek(record: string): Promise<FoundSession | undefined>;
  /** Changes a session; tried again when somebody else has changed it meanwhile. @throws as `find`, and what `change` throws */
  update(principal: string, reference: string, change: (found: FoundSession) => KeptSession): Promise<FoundSession>;
  remove(record: string): Promise<boolean>;
  /** Milliseconds it lives if nobody uses it; undefined when it is gone. */
  remainingMs(record: string): Promise<number | undefined>;
  /** The names of all sessions: for people, not for calls. */
  all(): Promise<readonly string[]>;
  sealPassword(password: string, place: PasswordPlace): string;
  /** @throws CodedError `key_unknown`, `record_damaged` */
  openPassword(sealed: string, place: PasswordPlace): string;
}

/** Which connection a password is of. */
export interface PasswordPlace {
  readonly record: string;
  readonly reference: string;
  readonly connection: string;
}

const prefix = "session/";
const referenceBytes = 16;
const attempts = 5;

export function createSessionRecords({
  store,
  vault,
  life,
  onMoved,
  now = Date.now,
}: {
  readonly store: Store;
  readonly vault: Vault;
  readonly life: SessionLife;
  /** Told that a session stands under another name. */
  onMoved(session: KeptSession, record: string): Promise<void>;
  readonly now?: (() => number) | undefined;
}): SessionRecords {
  const namesOf = (principal: string, reference: string) => vault.namesOf("session", principal, reference);
  const sealed = (record: string, session: KeptSession): string =>
    vault.seal(JSON.stringify(session), { record, field: "session" });

  function open(record: string, value: string): { readonly session: KeptSession; readonly isCurrent: boolean } {
    const { text, isCurrent } = vault.open(value, { record, field: "session" });
    return { session: v.parse(keptSession, JSON.parse(text)), isCurrent };
  }

  /** The record under any of its names, and touches it. */
  async function load(names: readonly string[]) {
    const kept = await Promise.all(names.map((name) => store.get(prefix + name, { touchMs: life.idleMs })));
    const index = kept.findIndex((one) => one !== undefined);
    const [record, stored] = [names[index], kept[index]];
    return record === undefined || stored === undefined ? undefined : { index, record, stored };
  }

  async function find(principal: string, reference: string): Promise<FoundSession> {
    const names = namesOf(principal, reference);
    let loaded = await load(names);
    // another process may have moved it from a name not read yet to one that was: it is written there before it goes here
    for (let again = 1; loaded === undefined && again < names.length * 2; again++) loaded = await load(names);
    if (loaded === undefined) throw sessionNotFound();
    const { index, record, stored } = loaded;
    const { session, isCurrent } = open(record, stored.value);
    if (session.endsAt <= now()) {
      await store.delete(prefix + record);
      throw sessionNotFound();
    }
    const found = { record, version: stored.version, session };
    return index === 0 && isCurrent ? found : renew(found, names[0], reference);
  }

  /** Seals everything again with the newest key, under the name which that key gives. */
  async function renew(found: FoundSession, name: string, reference: string): Promise<FoundSession> {
    const { record, version } = found;
    const connections = found.session.connections.map((one) => {
      const password = openPassword(one.password, { record, reference, connection: one.name });
      return { ...one, password: sealPassword(password, { record: name, reference, connection: one.name }) };
    });
    const session = { ...found.session, connections };
    const ifVersion = name === record ? version : null;
    const written = await store.set(prefix + name, sealed(name, session), { ttlMs: life.idleMs, ifVersion });
    if (written === undefined) return find(session.principal, reference); // another one has done it
    if (name !== record && !(await store.delete(prefix + record, { ifVersion: version }))) {
      await store.delete(prefix + name, { ifVersion: written }); // the old one was changed meanwhile, and counts
      return found;
    }
    if (name !== record) await onMoved(session, name);
    return { record: name, version: written, session };
  }

  const sealPassword = (password: string, place: PasswordPlace): string => vault.seal(password, toPlace(place));
  const openPassword = (text: string, place: PasswordPlace): string => vault.open(text, toPlace(place)).text;

  return {
    find,
    sealPassword,
    openPassword,
    async create(session) {
      const reference = randomBytes(referenceBytes).toString("base64url");
      const [record] = namesOf(session.principal, reference);
      const options = { ttlMs: life.idleMs, ifVersion: null };
      const version = await store.set(prefix + record, sealed(record, session), options);
      if (version === undefined) throw new Error("Two sessions of 128 random bits are the same.");
      return { reference, found: { record, version, session } };
    },
    async peek(record) {
      const stored = await store.get(prefix + record);
      if (stored === undefined) return undefined;
      const { session } = open(record, stored.value);
      return session.endsAt <= now() ? undefined : { record, version: stored.version, session };
    },
    async update(principal, reference, change) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = await find(principal, reference);
        const { record, version } = found;
        const session = change(found);
        const options = { ttlMs: life.idleMs, ifVersion: version };
        const written = await store.set(prefix + record, sealed(record, session), options);
        if (written !== undefined) return { record, version: written, session };
      }
      throw new CodedError("busy", "The session is being changed by others all the time.", {
        hint: "Try again in a moment.",
        retryable: true,
      });
    },
    remainingMs: (record) => store.remainingMs(prefix + record),
    remove: (record) => store.delete(prefix + record),
    all: async () => (await store.list(prefix)).map((key) => key.slice(prefix.length)),
  };
}

const toPlace = ({ record, reference, connection }: PasswordPlace): Place => ({
  record,
  field: `password/${connection}`,
  reference,
});

/** The same for a session that never was, is another's, or has ended: nobody learns which. */
export const sessionNotFound = (): CodedError =>
  new CodedError("session_not_found", "There is no such session: it has ended, or never was.", {
    hint: "Open a new one.",
  });
