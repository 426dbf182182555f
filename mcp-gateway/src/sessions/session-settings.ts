/** What the gateway can be told about sessions: where they are kept, how they are sealed, how long they live. */
import { durationSchema, type SettingValues, setting, wholeSchema } from "@database-interface/mcp-core/host";
import * as v from "valibot";

const group = "Sessions";

export const sessionSettings = {
  store: setting(v.string(), {
    describe:
      "Where sessions are kept: memory, file, file:<folder>, or Redis: redis://…, redis-sentinel://…/name, redis-cluster://….",
    env: ["MCP_STORE"],
    placeholder: "where",
    secret: true,
    default: "memory",
    group,
  }),
  keys: setting(v.optional(v.string()), {
    describe: "Keys that seal what is kept, kid:base64 of 32 bytes each; the first seals, all open.",
    env: ["MCP_KEYS"],
    secret: true,
    flag: false,
    group,
  }),
  passphrase: setting(v.optional(v.string()), {
    describe: "In place of keys: words from which one is made.",
    env: ["MCP_PASSPHRASE"],
    secret: true,
    flag: false,
    group,
  }),
  sessionTimeout: setting(durationSchema({ min: 1_000 }), {
    describe: "Time without a call after which a session ends.",
    env: ["MCP_SESSION_TIMEOUT"],
    placeholder: "duration",
    default: "8h",
    group,
  }),
  sessionMaxAge: setting(durationSchema({ min: 1_000 }), {
    describe: "Time after which a session ends in any case.",
    env: ["MCP_SESSION_MAX_AGE"],
    placeholder: "duration",
    default: "7d",
    group,
  }),
  maxSessions: setting(wholeSchema({ min: 1, max: 100_000 }), {
    describe: "Sessions of one principal at most.",
    env: ["MCP_MAX_SESSIONS"],
    default: 50,
    group,
  }),
  maxConnections: setting(wholeSchema({ min: 1, max: 1_000 }), {
    describe: "Databases of one session at most.",
    env: ["MCP_MAX_CONNECTIONS"],
    default: 10,
    group,
  }),
  maxSessionServers: setting(wholeSchema({ min: 1, max: 10_000 }), {
    describe: "Servers of all sessions at once; those that rest longest make room for others.",
    env: ["MCP_MAX_SESSION_SERVERS"],
    default: 64,
    group,
  }),
  publicUrl: setting(v.optional(v.pipe(v.string(), v.url("must be a URL"))), {
    describe: "Where people reach the gateway, for the links it gives out. Default: where it listens.",
    env: ["MCP_PUBLIC_URL"],
    placeholder: "url",
    group,
  }),
};

/** All of them, resolved. */
export type SessionSettings = SettingValues<typeof sessionSettings>;
