/** What PostgreSQL is called, how its sources are written, and how they are opened. */
import type { DatabaseKind } from "@database-interface/mcp-core/sql";
import manifest from "../package.json" with { type: "json" };
import { type PostgresConfig, parseSource, sourceFromEnvironment } from "./config.js";
import { contextName } from "./context.js";
import { openDatabase } from "./database.js";

/** PostgreSQL 12 to 18. */
export const postgresKind = Object.freeze<DatabaseKind<PostgresConfig>>({
  name: "postgres",
  title: "PostgreSQL",
  system: "postgresql",
  command: "mcp-postgres",
  version: manifest.version,
  exampleUrl: "postgres://user@localhost:5432/database",
  dialect: "PostgreSQL; $1, $2",
  contextName,
  parseSource,
  sourceFromEnvironment,
  open: openDatabase,
  startDemo: async (options) => (await import("./demo.js")).startDemo(options), // the generator is only loaded for it
});
