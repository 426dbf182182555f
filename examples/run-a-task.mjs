/** The workflow from code, its events as they come: DATABASE_URL=postgres://… node examples/run-a-task.mjs */
import assert from "node:assert/strict";
import { createAgent } from "@database-interface/agent";

const url = process.env.DATABASE_URL;
assert(url, "Set DATABASE_URL.");

const agent = createAgent({ gateway: { databases: { shop: url } } });
try {
  const run = await agent.run({
    name: "Late parcels",
    connections: [{ name: "shop" }],
    statements: [
      {
        name: "on their way",
        sql: "SELECT carrier, COUNT(*) AS parcels FROM shipments WHERE delivered_at IS NULL GROUP BY carrier",
      },
    ],
  });
  for await (const event of run) {
    if (event.type === "status") console.log(event.connection, event.state);
    if (event.type === "rows") console.log(event.statement, event.rows);
    if (event.type === "error") console.error(event.error.message);
  }
  const report = await run.result;
  assert(report.ok, "A connection or a statement failed.");
  assert.deepEqual(await agent.recall(run.session), report);
} finally {
  await agent[Symbol.asyncDispose]();
}
