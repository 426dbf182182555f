/** The catalogue. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { Catalog } from "@database-interface/mcp-core/sql";
import type { Source } from "./read.js";
import { ask } from "./transaction.js";

export function createCatalog({ pool }: Source, _visible: readonly string[] | undefined): Catalog {
  return {
    async schemas(options) {
      const [rows] = await ask(pool, ["SELECT schema_name FROM information_schema.schemata ORDER BY 1"], options);
      return (rows ?? []).map(([name]) => name ?? "");
    },
    async search() {
      return [];
    },
    async describe() {
      throw new CodedError("table_not_found", "The table does not exist.");
    },
  };
}
