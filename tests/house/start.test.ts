/** `npm start`: the main job end to end, its totals those of the generator, and nothing left behind. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createShop } from "@database-interface/mcp-core/sample";
import { expect, test } from "vitest";
import { root } from "./sources.js";

/** Starts it without a terminal, as CI does. */
function start(): { child: ChildProcess; output: () => string } {
  const child = spawn(process.execPath, [join(root, "bin/start.mjs")], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  return { child, output: () => output };
}

const gatewayUrl = (output: string) => /serves MCP at (http:\/\/127\.0\.0\.1:\d+)\/mcp/.exec(output)?.[1];

const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/healthz`).then(
    ({ ok }) => ok,
    () => false,
  );

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("It did not happen within a minute.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("prints the shop's report with the generator's totals, and exits 0", { timeout: 120_000 }, async () => {
  const { child, output } = start();
  const [code] = await once(child, "close");
  expect(code, output()).toBe(0);
  const { totals } = createShop();
  const report = output();
  const row = (...cells: (string | number)[]) => new RegExp(cells.join("[ │|]+").replaceAll(".", "\\."));
  expect(report).toMatch(row(totals.revenue.orders, totals.revenue.revenue));
  for (const { status, orders } of totals.ordersByStatus) expect(report).toMatch(row(status, orders));
  for (const { month, orders, revenue } of totals.revenueByMonth.slice(-6)) {
    expect(report).toMatch(row(month, orders, revenue));
  }
  for (const { revenue } of totals.revenueByCountry.slice(0, 5)) expect(report).toContain(revenue);
  for (const { quantity, revenue } of totals.topProducts.slice(0, 5)) expect(report).toMatch(row(quantity, revenue));
  expect(report).toMatch(row("customers without an e-mail", totals.customersWithoutEmail));
  const url = gatewayUrl(report);
  expect(url).toBeDefined();
  expect(await answers(url ?? "")).toBe(false);
});

test("its gateway dies with it, also when it is killed", { timeout: 120_000 }, async () => {
  const { child, output } = start();
  await until(() => gatewayUrl(output()) !== undefined);
  const url = gatewayUrl(output()) ?? "";
  expect(await answers(url)).toBe(true);
  child.kill("SIGKILL");
  await until(async () => !(await answers(url)));
});
