/** A folder whose files cannot grow, as on a full disk or over a quota: told so, nothing half-written, and all well again after. */
import { execFileSync } from "node:child_process";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../gateway/gateways.js";
import { testTemplates } from "../sessions/people.js";
import { executable, startHttpServer } from "../support/processes.js";
import { keyOf } from "./subject.js";

test("new sessions are refused with 503, those that there are go on, and nothing needs a restart", async () => {
  await using folder = await temporaryFolder();
  const [config, store] = [join(folder.path, "gateway.json"), join(folder.path, "sessions")];
  await writeFile(config, JSON.stringify({ templates: testTemplates() }));
  await using server = await startHttpServer(
    executable("mcp-gateway"),
    ["--config", config, "--port", "0", "--cache-dir", join(folder.path, "cache")],
    { MCP_STORE: `file:${store}`, MCP_KEYS: keyOf("k1", 1) },
  );
  const limitFiles = (bytes: string) =>
    execFileSync("prlimit", ["--pid", String(server.child.pid), `--fsize=${bytes}:unlimited`]);
  const open = async () => {
    const response = await fetch(`${server.url}/v1/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const body = (await response.json()) as { session?: string; code?: string; detail?: string };
    return { status: response.status, again: response.headers.has("retry-after"), ...body };
  };
  const show = async (session = "") => (await fetch(`${server.url}/v1/sessions/${session}`)).status;

  const first = await open();
  expect(first.status).toBe(201);
  const files = (await readdir(store)).sort();
  limitFiles("10");
  for (let attempt = 0; attempt < 3; attempt++)
    expect(await open()).toMatchObject({
      ...{ status: 503, again: true, code: "store_unavailable" },
      detail: expect.stringContaining("its disk or quota is full"),
    });
  expect((await readdir(store)).sort()).toEqual(files);
  expect(await show(first.session)).toBe(200);
  limitFiles("unlimited");
  expect([(await open()).status, await show(first.session)]).toEqual([201, 200]);
}, 60_000);
