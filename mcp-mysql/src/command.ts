/** `mcp-mysql`: the suite's own command line over this database. */
import { runDatabaseCommand } from "@database-interface/mcp-core/sql";
import { mysqlKind } from "./kind.js";

/** Runs the command with the process's arguments; resolves to its exit code. */
export async function runCommand(): Promise<number> {
  return await runDatabaseCommand(mysqlKind);
}
