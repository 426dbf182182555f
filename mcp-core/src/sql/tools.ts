/** The tools there are, in the order they are listed. A new tool is one file in `tools/` and one line here. */
import { CodedError } from "../host/errors.js";
import { nearestNames } from "../host/nearest.js";
import type { Tool } from "./tool.js";
import { checkConnection } from "./tools/check-connection.js";
import { describeTable } from "./tools/describe-table.js";
import { execute } from "./tools/execute.js";
import { explain } from "./tools/explain.js";
import { query } from "./tools/query.js";
import { searchObjects } from "./tools/search-objects.js";

/** Every tool of every set. */
export const allTools: readonly Tool[] = [query, searchObjects, describeTable, explain, checkConnection, execute];

/**
 * Refuses a choice of tools that names none.
 * @throws CodedError `config_invalid` with the nearest name
 */
export function checkToolNames(chosen: readonly string[]): void {
  const known = ["core", "all", ...allTools.map(({ name }) => name)];
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const [near] = nearestNames(unknown, known, 1);
  throw new CodedError("config_invalid", `--tools names ${JSON.stringify(unknown.slice(0, 80))}, which is no tool.`, {
    hint: near === undefined ? `Choose from ${known.join(", ")}.` : `Did you mean ${near}?`,
  });
}
