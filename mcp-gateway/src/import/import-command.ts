/** `mcp-gateway import-sessions`: sessions of the Python predecessor, taken over into this gateway's store. */
import { open } from "node:fs/promises";
import {
  CodedError,
  type CommandCall,
  createLog,
  defineCommand,
  durationSchema,
  setting,
} from "@database-interface/mcp-core/host";
import * as v from "valibot";
import { parseConfig } from "../config.js";
import { isFields } from "../message.js";
import { createSessionIndex } from "../sessions/session-index.js";
import { createSessionRecords } from "../sessions/session-records.js";
import { sessionSettings } from "../sessions/session-settings.js";
import { configSetting } from "../settings.js";
import { openStore } from "../store/open-store.js";
import { isRedisUrl, parseRedisUrl } from "../store/redis-address.js";
import type { Store } from "../store/store.js";
import { createKeyRing } from "../vault/key-ring.js";
import { createVault } from "../vault/vault.js";
import { version } from "../version.js";
import { importSessions } from "./import-sessions.js";
import { openOldRecords, toOldKeys } from "./old-records.js";

const { store, keys, passphrase, sessionTimeout, sessionMaxAge, maxSessions, maxConnections } = sessionSettings;
const taken = { store, keys, passphrase, sessionTimeout, sessionMaxAge, maxSessions, maxConnections };

const settings = {
  ...configSetting,
  ...taken,
  from: setting(v.string("must name the Redis of the old sessions"), {
    describe: "The Redis that holds the old sessions, such as redis://old-cache:6379/0.",
    env: ["MCP_IMPORT_FROM"],
    placeholder: "url",
    secret: true,
    file: false,
  }),
  oldKey: setting(v.string("must be set"), {
    describe: "The old sessions' key, as the predecessor was given it, or a Fernet key.",
    env: ["ENCRYPTION_KEY"],
    secret: true,
    flag: false,
    file: false,
  }),
  principal: setting(v.pipe(v.string("must name whose the sessions become"), v.minLength(1, "must not be empty")), {
    describe: "Whose the sessions become.",
    placeholder: "name",
    file: false,
  }),
  references: setting(v.optional(v.string()), {
    describe: "A new file for the new references, a line each, readable by you alone. Needed unless --dry-run.",
    placeholder: "file",
    file: false,
  }),
  template: setting(v.optional(v.string()), {
    describe: "The only template to use. Default: the first that allows the database.",
    placeholder: "name",
    file: false,
  }),
  maxAge: setting(v.optional(durationSchema({ min: 1_000 })), {
    describe: "Leaves records that were sealed longer ago.",
    placeholder: "duration",
    file: false,
  }),
  dryRun: setting(v.optional(v.boolean()), { describe: "Says what would be done, and writes nothing.", file: false }),
  deleteImported: setting(v.optional(v.boolean()), {
    describe: "Deletes old records that were imported. Without it they stay as they are.",
    file: false,
  }),
};

export const importCommand = defineCommand({
  name: "import-sessions",
  version,
  summary: "Takes over the Fernet-sealed sessions of the Python predecessor; connects to no database.",
  settings,
  configFile: "config",
  settingsInFile: (value) => {
    const inFile = isFields(value) && isFields(value.settings) ? value.settings : {};
    return Object.fromEntries(Object.entries(inFile).filter(([name]) => name in taken));
  },
  examples: [
    [
      "ENCRYPTION_KEY_FILE=old.key mcp-gateway import-sessions --config gateway.json --from redis://old-cache:6379/0 --principal ada --dry-run",
      "what would be imported, and what not, and why",
    ],
    [
      "ENCRYPTION_KEY_FILE=old.key MCP_KEYS_FILE=keys mcp-gateway import-sessions --config gateway.json --from redis://old-cache:6379/0 --store redis://cache:6379 --principal ada --references new.jsonl",
      "imports them; the new references are in new.jsonl",
    ],
  ],
  run,
});

async function run({ values, file, io }: CommandCall<typeof settings>): Promise<number> {
  if (file === undefined)
    throw new CodedError("usage", "There is no config file with templates.", { hint: "Pass --config gateway.json." });
  const { templates } = parseConfig(file.value);
  const isDry = values.dryRun === true;
  const ring = createKeyRing(values);
  assertLasting(isDry, values.store, ring.isLasting, values.references);
  if (!isRedisUrl(values.from))
    throw new CodedError("config_invalid", "--from is no Redis URL.", { hint: "Such as redis://old-cache:6379/0." });
  const log = createLog({ name: "mcp-gateway", level: "error" });
  const vault = createVault(ring, { log });
  const limits = {
    idleMs: values.sessionTimeout,
    maxAgeMs: values.sessionMaxAge,
    maxSessions: values.maxSessions,
    maxConnections: values.maxConnections,
  };
  await using opened = openStore({ word: values.store, environment: io.environment, log });
  await reach(opened.store);
  const index = createSessionIndex({ store: opened.store, vault, ttlMs: limits.maxAgeMs });
  const records = createSessionRecords({ store: opened.store, vault, life: limits, onMoved: async () => {} });
  await using old = await openOldRecords(parseRedisUrl(values.from), {
    keys: toOldKeys(values.oldKey),
    maxAgeMs: values.maxAge,
    signal: io.signal,
  });
  await using references = await openReferences(isDry ? undefined : values.references);
  const counts = { imported: 0, skipped: 0 };
  for await (const { key, kind, text } of importSessions({
    old,
    principal: values.principal,
    template: values.template,
    templates,
    store: opened.store,
    vault,
    records,
    index,
    limits,
    isDry,
    removesOld: values.deleteImported === true,
    keep: references.keep,
  })) {
    counts[kind]++;
    io.stdout.write(`${key}: ${kind === "skipped" ? `skipped: ${text}` : text}\n`);
  }
  const { imported, skipped } = counts;
  io.stdout.write(`${imported} ${isDry ? "to import" : "imported"}, ${skipped} skipped.\n`);
  return imported === 0 && skipped > 0 ? 1 : 0;
}

/** What is imported must be there after this command, and its references known to somebody. */
function assertLasting(isDry: boolean, word: string, isLasting: boolean, references: string | undefined): void {
  if (isDry) return;
  if (word === "memory")
    throw new CodedError("config_invalid", "The store memory ends with this command.", {
      hint: "Pass the --store that the gateway uses: file, file:<folder> or a Redis URL.",
    });
  if (!isLasting)
    throw new CodedError("config_invalid", "No key is configured, so nobody could open what is imported.", {
      hint: "Set MCP_KEYS or MCP_PASSPHRASE as for the gateway.",
    });
  if (references === undefined)
    throw new CodedError("usage", "Nobody would know the new references.", {
      hint: "Pass --references new.jsonl, or --dry-run.",
    });
}

const reachMs = 5_000;

/** A store over a network opens itself, in a moment. */
async function reach(store: Store): Promise<void> {
  const end = performance.now() + reachMs;
  for (;;) {
    try {
      return await store.ping();
    } catch (error) {
      if (performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** A file made for this, line by line on the disk before anything else happens to a record. */
async function openReferences(path: string | undefined) {
  if (path === undefined) return { keep: async () => {}, async [Symbol.asyncDispose]() {} };
  const file = await open(path, "wx", 0o600).catch((cause: unknown) => {
    throw new CodedError("config_invalid", "The file of --references cannot be made.", {
      hint: "It must be new, in a folder that this user may write to.",
      cause,
    });
  });
  return {
    async keep(line: object): Promise<void> {
      await file.appendFile(`${JSON.stringify(line)}\n`);
      await file.sync();
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}
