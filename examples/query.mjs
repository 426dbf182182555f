/** One statement from code: DATABASE_URL=postgres://… node examples/query.mjs */
import assert from "node:assert/strict";
import { createAgent } from "@database-interface/agent";

const url = process.env.DATABASE_URL;
assert(url, "Set DATABASE_URL.");

const agent = createAgent({ gateway: { databases: { shop: url } } });
try {
  const { columns, rows } = await agent.query("SELECT COUNT(*) AS orders FROM orders WHERE status = 'paid'");
  assert.deepEqual(columns, ["orders"]);
  assert(Number(rows[0]?.[0]) > 0);
  console.log(`${rows[0]?.[0]} paid orders`);

  let read = 0;
  for await (const page of agent.pages("SELECT order_id, line_number FROM order_items")) read += page.rowCount;
  console.log(`${read} order lines, page by page in one snapshot`);
} finally {
  await agent[Symbol.asyncDispose]();
}
