/** `db-agent query`, `inspect` and `check`: what is asked of databases once. */
import { isDatabaseUrl, parseDatabases } from "../gateway/sources.js";
import { defineCommand } from "./definition.js";
import {
  databasePositional,
  databasesOf,
  formatOption,
  gatewayOptions,
  quietOption,
  sourceOption,
  unnameStdin,
} from "./options.js";

const kinds = ["schema", "table", "view", "column", "index", "function"] as const;

export const queryCommand = defineCommand({
  words: "query <sql> [database..]",
  describe: "One statement's rows",
  positionals: {
    sql: { type: "string", demandOption: true, describe: "The statement; - reads stdin" },
    database: databasePositional,
  },
  options: {
    ...gatewayOptions,
    source: sourceOption,
    output: formatOption,
    param: {
      type: "string",
      array: true,
      alias: "p",
      nargs: 1,
      default: [] as string[],
      describe: "A value for $1… or ?, in order",
    },
    "max-rows": { type: "number", describe: "Rows at most" },
    all: { type: "boolean", default: false, describe: "Every page, to the end" },
    quiet: quietOption,
  },
  examples: [
    ['$0 query "SELECT count(*) FROM orders" postgres://me@localhost/shop', ""],
    ['$0 query "SELECT * FROM orders" --all --output csv > orders.csv', "every row"],
  ],
  choose({ sql, output, param, ...parsed }) {
    const databases = databasesOf(parsed.database);
    const flags = { ...parsed, sql: unnameStdin(sql), params: param, format: output, databases };
    return async (io) => (await import("../faces/query.js")).runQuery(flags, io);
  },
});

export const inspectCommand = defineCommand({
  words: "inspect [table-or-database..]",
  describe: "What a database holds, or a table in full",
  positionals: { "table-or-database": { type: "string", array: true, describe: "Tables, and URLs" } },
  options: {
    ...gatewayOptions,
    source: sourceOption,
    kind: { choices: kinds, describe: "What to list" },
    output: formatOption,
  },
  examples: [["$0 inspect orders postgres://me@localhost/shop", "columns, keys, indexes"]],
  choose({ tableOrDatabase = [], output, ...parsed }) {
    const isUrl = (text: string): boolean => isDatabaseUrl(text.replace(/^[\w-]+=/, ""));
    const databases = parseDatabases(tableOrDatabase.filter(isUrl));
    const tables = tableOrDatabase.filter((text) => !isUrl(text));
    const flags = { ...parsed, tables, format: output, databases };
    return async (io) => (await import("../faces/query.js")).runInspect(flags, io);
  },
});

export const checkCommand = defineCommand({
  words: "check [database..]",
  describe: "Whether each database answers, and what it is",
  positionals: { database: databasePositional },
  options: {
    ...gatewayOptions,
    source: sourceOption,
    output: { choices: ["table", "json"], alias: ["format", "o"], describe: "How it is written" },
  },
  choose({ output, ...parsed }) {
    const flags = { ...parsed, json: output === "json", databases: databasesOf(parsed.database) };
    return async (io) => (await import("../faces/query.js")).runCheck(flags, io);
  },
});
