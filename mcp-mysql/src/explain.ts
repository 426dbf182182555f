/** The server's plan of a query, made readable. EXPLAIN may run parts of the query, so it runs inside the same limits. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { Explanation, ReadOptions, Statement } from "@database-interface/mcp-core/sql";
import { toStatementError } from "./errors.js";
import { approve, unseenPlan } from "./guard.js";
import { withoutKey } from "./hidden-columns.js";
import { findingsOf, planText } from "./plan.js";
import type { Source } from "./source.js";
import { inTransaction } from "./transaction.js";

/** @see Database.explain */
export async function explain(
  source: Source,
  statement: Statement,
  { analyze, ...options }: ReadOptions & { readonly analyze: boolean },
): Promise<Explanation> {
  const approved = await approve(source, statement, options);
  if (!approved.isSelect) {
    throw new CodedError("not_allowed", "Only SELECT, WITH, VALUES and TABLE can be explained.", {
      hint: "Give the query itself, without EXPLAIN in front.",
    });
  }
  if (approved.hiding?.readsUnseen) throw unseenPlan();
  let prefix = "";
  let plan = "";
  try {
    // No row limit, which would change the plan.
    await inTransaction(source.pool, { ...options, maxRows: undefined }, async ({ session }) => {
      prefix = prefixOf(session.isMariadb, analyze);
      await session.send({
        sql: prefix + approved.sql,
        onRow: ([cell]) => {
          plan += String(cell);
        },
      });
    });
  } catch (thrown) {
    const toCallerOffset = (offset: number) => approved.toCallerOffset(offset - prefix.length);
    throw toStatementError(thrown, { ...approved, sql: prefix + approved.sql, toCallerOffset });
  }
  plan = withoutKey(plan);
  // MySQL's analysis is a text tree already.
  if (!plan.startsWith("{")) return { plan, findings: [] };
  const parsed = JSON.parse(plan);
  return { plan: planText(parsed), findings: findingsOf(parsed) };
}

/** MySQL measures only in FORMAT=TREE (manual 15.8.2; not run). */
function prefixOf(isMariadb: boolean, analyze: boolean): string {
  if (!analyze) return "EXPLAIN FORMAT=JSON ";
  return isMariadb ? "ANALYZE FORMAT=JSON " : "EXPLAIN ANALYZE FORMAT=TREE ";
}
