/** The command: this database, run by the suite's own command line. */
import { runDatabaseCommand } from "@database-interface/mcp-core/sql";
import { postgresKind } from "./kind.js";

/** Runs `mcp-postgres`; resolves to the exit code. */
export const runCommand = (): Promise<number> => runDatabaseCommand(postgresKind);
