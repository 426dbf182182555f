/** What MySQL and MariaDB are called here, how their sources are written, and how they are opened. */
import type { DatabaseKind } from "@database-interface/mcp-core/sql";
import manifest from "../package.json" with { type: "json" };
import { type MysqlConfig, parseSource, sourceFromEnvironment } from "./config.js";
import { contextName } from "./context.js";
import { openDatabase } from "./database.js";

/** MySQL 8 and MariaDB 10.6 or newer; which of them it is shows when connecting. */
export const mysqlKind = Object.freeze<DatabaseKind<MysqlConfig>>({
  name: "mysql",
  title: "MySQL and MariaDB",
  system: "mysql", // of MariaDB too: which it is shows later than its spans begin
  command: manifest.name.replace(/^.*\//, ""),
  version: manifest.version,
  exampleUrl: "mysql://user@localhost:3306/database",
  dialect: "MySQL/MariaDB; ?",
  contextName,
  identifierQuote: "`",
  lexis: "backslash",
  open: openDatabase,
  parseSource,
  sourceFromEnvironment,
  startDemo: async (options) => (await import("./demo.js")).startDemo(options), // the generator is only loaded for it
});
