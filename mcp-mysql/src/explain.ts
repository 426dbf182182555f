/** Plans: the server's own, and what stands out in them. */
import type { Explanation, ReadOptions, Statement } from "@database-interface/mcp-core/sql";
import { approve } from "./guard.js";
import { runApproved, type Source } from "./read.js";

/** @see Database.explain */
export async function explain(
  source: Source,
  statement: Statement,
  { analyze, ...options }: ReadOptions & { readonly analyze: boolean },
): Promise<Explanation> {
  const prefix = analyze ? "ANALYZE FORMAT=JSON " : "EXPLAIN FORMAT=JSON ";
  const approved = approve(statement);
  let plan = "";
  const explained = { ...approved, sql: prefix + approved.sql };
  const sink = {
    columns: () => {},
    row([text]: readonly unknown[]) {
      plan = String(text);
      return true;
    },
  };
  await runApproved(source, explained, sink, options);
  return { plan, findings: [] };
}
