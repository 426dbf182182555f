/**
 * What a database server can be told, each as one schema from which flag, variable, config-file key, help and docs
 * derive. Where its databases are is `sources`; nothing here opens anything.
 */
import * as v from "valibot";
import { auditSettings } from "../host/audit/settings.js";
import { durationSchema, sizeSchema, wholeSchema } from "../host/quantities.js";
import { printConfigSetting, servingSettings } from "../host/serving-settings.js";
import { setting } from "../host/setting.js";
import { defaultLimits, limitRanges } from "./limits.js";
import { modes } from "./policy.js";

const bounds = ({ least, most }: { least: number; most: number }) => ({ min: least, max: most });

const resultTtlSchema = durationSchema(bounds(limitRanges.resultTtlMs));

/** A source in a config file. */
const sourceEntry = v.union(
  [
    v.string(),
    v.strictObject({
      url: v.string(),
      /** As they would stand behind `?` in the URL. */
      options: v.optional(v.record(v.string(), v.union([v.string(), v.number(), v.boolean()]))),
      password: v.optional(v.string()),
      passwordCommand: v.optional(v.string()),
      schemas: v.optional(v.array(v.string())),
      denyColumns: v.optional(v.array(v.string())),
      mask: v.optional(v.array(v.string())),
      sessionContext: v.optional(v.array(v.string())),
      /** Hosts that hold copies of the database, where it reads from them. */
      replicas: v.optional(v.array(v.string())),
      maxReplicaLag: v.optional(v.string()),
      /** How old a result of `query` may be that is used again. */
      resultTtl: v.optional(resultTtlSchema),
    }),
  ],
  "must be a URL or an object with url, options, password, passwordCommand, schemas, denyColumns, mask, sessionContext, replicas, maxReplicaLag, resultTtl",
);

/** A source as a config file writes it. */
export type SourceEntry = v.InferOutput<typeof sourceEntry>;

/** The settings of every database server. */
export const databaseSettings = {
  source: setting(v.optional(v.array(v.string())), {
    describe: "A database by name; repeat it for several.",
    placeholder: "name=url",
    multiple: true,
    file: false,
    group: "Databases",
  }),
  sources: setting(v.optional(v.record(v.string(), sourceEntry)), {
    describe:
      "Databases by name: a URL, or url with options, password, passwordCommand, schemas, denyColumns, mask, sessionContext, replicas, maxReplicaLag and resultTtl.",
    flag: false,
    group: "Databases",
  }),
  config: setting(v.optional(v.string()), {
    describe: "Reads sources and settings from a JSON file.",
    placeholder: "file",
    env: ["MCP_CONFIG"],
    file: false,
    group: "Databases",
  }),
  passwordCommand: setting(v.optional(v.string()), {
    describe: "A command that prints the password, run for every new connection.",
    placeholder: "command",
    env: ["MCP_PASSWORD_COMMAND"],
    group: "Databases",
  }),
  pool: setting(wholeSchema(bounds(limitRanges.poolSize)), {
    describe: "Connections to each database at most.",
    env: ["MCP_POOL"],
    default: 8,
    group: "Databases",
  }),
  catalogTtl: setting(durationSchema(bounds(limitRanges.catalogTtlMs)), {
    describe: "Time that schemas, tables and columns are remembered unless they change; 0 for not at all.",
    env: ["MCP_CATALOG_TTL"],
    placeholder: "duration",
    default: "1m",
    group: "Databases",
  }),
  resultTtl: setting(resultTtlSchema, {
    describe: "Time that a result of query is used again for an equal one; 0 for never.",
    env: ["MCP_RESULT_TTL"],
    placeholder: "duration",
    default: "0",
    group: "Databases",
  }),
  demo: setting(v.optional(v.boolean()), {
    describe: "Serves a sample shop from a private throw-away server.",
    file: false,
    group: "Databases",
  }),
  mode: setting(v.picklist(modes, `must be ${modes.join(", ")}`), {
    describe: "What may be done: only reading, writing with a human's yes to each statement, or writing.",
    env: ["MCP_MODE"],
    default: "read-only",
    group: "Limits",
  }),
  tools: setting(v.array(v.string()), {
    describe: "Tools to offer: core, all, or names.",
    env: ["MCP_TOOLS"],
    placeholder: "names",
    default: "core",
    group: "Limits",
  }),
  maxRows: setting(wholeSchema(bounds(limitRanges.maxRows)), {
    describe: "Rows of a result or page at most.",
    env: ["MCP_MAX_ROWS"],
    default: defaultLimits.maxRows,
    group: "Limits",
  }),
  maxBytes: setting(sizeSchema(bounds(limitRanges.maxBytes)), {
    describe: "Bytes of a reply at most.",
    env: ["MCP_MAX_BYTES"],
    placeholder: "size",
    default: String(defaultLimits.maxBytes),
    group: "Limits",
  }),
  timeout: setting(durationSchema(bounds(limitRanges.timeoutMs)), {
    describe: "Time a statement may take.",
    env: ["MCP_TIMEOUT"],
    placeholder: "duration",
    default: `${defaultLimits.timeoutMs / 1_000}s`,
    group: "Limits",
  }),
  schemas: setting(v.optional(v.array(v.string())), {
    describe: "Schemas that may be seen, in searches, descriptions and SQL; all others are refused.",
    env: ["MCP_SCHEMAS"],
    placeholder: "names",
    group: "Limits",
  }),
  denyColumns: setting(v.optional(v.array(v.string())), {
    describe: "Columns no statement may read: table.column, schema.table.column, *.column.",
    env: ["MCP_DENY_COLUMNS"],
    placeholder: "names",
    group: "Limits",
  }),
  mask: setting(v.optional(v.array(v.string())), {
    describe: "Columns shown masked: table.column=full, =last4 or =hash.",
    env: ["MCP_MASK"],
    placeholder: "rules",
    group: "Limits",
  }),
  sessionContext: setting(v.optional(v.array(v.string())), {
    describe: "Settings that tell the database who calls, for row-level security: name=principal.",
    env: ["MCP_SESSION_CONTEXT"],
    placeholder: "settings",
    group: "Limits",
  }),
  structured: setting(v.optional(v.boolean()), {
    describe: "Adds structuredContent and outputSchema, for programs; the text gets half of --max-bytes.",
    env: ["MCP_STRUCTURED"],
    group: "Limits",
  }),
  transport: setting(v.picklist(["stdio", "http"]), {
    describe: "How clients connect: stdio, or http with /mcp and /sse.",
    env: ["MCP_TRANSPORT"],
    default: "stdio",
    group: "Serving",
  }),
  ...servingSettings({ port: 8731 }),
  trustParent: setting(v.optional(v.boolean()), {
    describe: "Over stdio, takes the word of the program that started it for who calls; a gateway sets it.",
    group: "Serving",
  }),
  ...auditSettings,
  check: setting(v.optional(v.boolean()), {
    describe: "Connects, prints the self-audit and ends: 0 if every source answers.",
    file: false,
    group: "Actions",
  }),
  printGrants: setting(v.optional(v.string()), {
    describe: "Prints the SQL of a role that can read what these settings show, and nothing else; runs nothing.",
    placeholder: "role",
    file: false,
    group: "Actions",
  }),
  printConfig: printConfigSetting,
};
