/**
 * Sessions as the Python predecessor kept them in Redis: `db_agent_session:<id>` holds a session's JSON as a Fernet
 * token, written once more in base64, and `db_agent_ref:<id>` names the session that a reference stands for. Its key was
 * made from the text in ENCRYPTION_KEY. It is only read, and deleted when that is asked for.
 */
import { pbkdf2Sync } from "node:crypto";
import { CodedError, withTimeout } from "@database-interface/mcp-core/host";
import * as v from "valibot";
import type { RedisAddress } from "../store/redis-address.js";
import { openRedisClient, type RedisClient } from "../store/redis-client.js";
import { type FernetKey, openFernet, parseFernetKey, toFernetKey } from "../vault/fernet.js";

const connection = v.object({
  database_type: v.picklist(["postgresql", "mysql"]),
  host: v.string(),
  port: v.number(),
  username: v.string(),
  password: v.string(),
  database_name: v.nullish(v.string()),
});

/** Credentials stood where a session kept its connection, or among what it had collected to make one. */
const session = v.object({
  reference_id: v.string(),
  connection_config: v.nullish(v.unknown()),
  collected_data: v.nullish(v.unknown()),
});

/** A database that an old session was for. */
export type OldConnection = Readonly<v.InferOutput<typeof connection>>;

/** An old record: what was in it, or why nothing was. */
export type OldRecord = { readonly key: string } & (
  | { readonly reference: string; readonly connection: OldConnection }
  | { readonly problem: "sealed" | "damaged" | "empty" }
);

/** The old store. */
export interface OldRecords extends AsyncDisposable {
  /** Every record there is. @throws CodedError `store_unavailable` */
  read(): AsyncIterable<OldRecord>;
  /** Deletes a record and its reference. */
  remove(record: { readonly key: string; readonly reference: string }): Promise<void>;
}

const sessionPrefix = "db_agent_session:";
/** As the predecessor's code has them. */
const derivation = { salt: "db_agent_salt_2024", iterations: 100_000, digest: "sha256" };
const openMs = 5_000;

/** The keys that a secret may stand for: the predecessor's, made from any text, and where it is a Fernet key, itself. */
export function toOldKeys(secret: string): readonly FernetKey[] {
  const derived = pbkdf2Sync(secret, derivation.salt, derivation.iterations, 32, derivation.digest);
  const itself = parseFernetKey(secret);
  return [toFernetKey(derived), ...(itself === undefined ? [] : [itself])];
}

/** Opens the old store. @throws CodedError `store_unavailable` */
export async function openOldRecords(
  address: RedisAddress,
  { keys, maxAgeMs, signal }: { keys: readonly FernetKey[]; maxAgeMs: number | undefined; signal: AbortSignal },
): Promise<OldRecords> {
  const client = await openClient(address, signal);

  /** A token's text, however often it was written in base64. */
  function openSealed(value: string): string | undefined {
    const token = value.startsWith("gAAAA") ? value : Buffer.from(value, "base64url").toString("latin1");
    for (const key of keys) {
      const text = openFernet(token, key, { maxAgeMs });
      if (text !== undefined) return text;
    }
    return undefined;
  }

  function parse(key: string, value: string): OldRecord {
    const text = openSealed(value);
    if (text === undefined) return { key, problem: "sealed" };
    const kept = v.safeParse(session, toJson(text));
    if (!kept.success) return { key, problem: "damaged" };
    const { reference_id: reference, connection_config: config, collected_data: collected } = kept.output;
    const found = [config, collected].map((one) => v.safeParse(connection, one)).find(({ success }) => success);
    if (found?.success !== true) return { key, problem: "empty" };
    const { password } = found.output;
    return { key, reference, connection: { ...found.output, password: openSealed(password) ?? password } };
  }

  return {
    async *read() {
      for await (const key of client.scan(`${sessionPrefix}*`)) {
        const value = await client.commands.get(key);
        if (value !== null) yield parse(key, value);
      }
    },
    async remove({ key, reference }) {
      await client.commands.del(key);
      if ((await client.commands.get(reference)) === key) await client.commands.del(reference);
    },
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function openClient(address: RedisAddress, signal: AbortSignal): Promise<RedisClient> {
  try {
    return await openRedisClient(address, () => {}, withTimeout(signal, openMs));
  } catch (cause) {
    throw new CodedError("store_unavailable", "The Redis of the old sessions does not answer.", {
      hint: "Check --from, and the password in it.",
      retryable: true,
      cause,
    });
  }
}

function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
