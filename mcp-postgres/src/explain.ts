/** The planner's plan as a short tree, and what stands out in it as sentences. */
import { CodedError } from "@database-interface/mcp-core/host";
import type { Explanation, ReadOptions, Statement } from "@database-interface/mcp-core/sql";
import { toStatementError } from "./errors.js";
import { approve, unseenPlan } from "./guard.js";
import { withoutKey } from "./hidden-columns.js";
import { findingsOf, type PlanNode, planText } from "./plan.js";
import type { Source } from "./source.js";
import { inTransaction } from "./transaction.js";

/** @see Database.explain */
export async function explain(
  source: Source,
  statement: Statement,
  options: ReadOptions & { readonly analyze: boolean },
): Promise<Explanation> {
  const approved = await approve(source, statement, options);
  if (!approved.isSelect) {
    throw new CodedError("not_allowed", "Only SELECT, VALUES, TABLE and WITH can be explained.", {
      hint: "Give the statement itself, without EXPLAIN in front.",
    });
  }
  if (approved.readsUnseen) throw unseenPlan();
  const prefix = `EXPLAIN (FORMAT JSON${options.analyze ? ", ANALYZE, BUFFERS" : ""}) `;
  let json = "";
  try {
    await inTransaction(source.pool, source.tls, options, ({ session }) =>
      session.send({
        sql: `${prefix}${approved.sql}`,
        params: statement.params,
        onRow: ([text]) => {
          json += text ?? "";
        },
      }),
    );
  } catch (thrown) {
    throw toStatementError(thrown, { ...approved, offset: prefix.length });
  }
  // The server's own EXPLAIN (FORMAT JSON): an array of one plan.
  const [plan] = JSON.parse(withoutKey(json)) as readonly [
    { Plan: PlanNode; "Planning Time"?: number; "Execution Time"?: number },
  ];
  const times = options.analyze ? `\nPlanning ${plan["Planning Time"]} ms, execution ${plan["Execution Time"]} ms` : "";
  return { plan: planText(plan.Plan) + times, findings: findingsOf(plan.Plan) };
}
