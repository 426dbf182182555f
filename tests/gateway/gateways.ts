/** Gateways under test, in this process or as the built command, and the clients that use them. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { HttpOptions } from "../../mcp-core/src/host/http-options.js";
import { createLog } from "../../mcp-core/src/host/log.js";
import { createGateway, type GatewayOptions, type ServableGateway } from "../../mcp-gateway/src/index.js";

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** A config entry for a fixture server. */
export function fixtureServer(
  name: "legacy-server" | "modern-server" | "odd-server",
  options: { args?: readonly string[]; env?: Record<string, string>; [key: string]: unknown } = {},
) {
  const { args = [], env = {}, ...rest } = options;
  return { command: process.execPath, args: [fixture(`${name}.mjs`), ...args], env, ...rest };
}

/** A folder of its own, gone when disposed. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "gateway-test-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** A gateway in this process, served over HTTP. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: ServableGateway;
  readonly url: string;
  readonly folder: string;
  log(): string;
  /** Connects a client of an era over HTTP. */
  connect(era: "legacy" | "modern", capabilities?: Record<string, object>): Promise<Client & AsyncDisposable>;
  /** The lines fixture servers wrote to their journal. */
  journal(): Promise<string[]>;
}

/** Starts a gateway; `journal` in a config's env stands for the journal's path. */
export async function startGateway(
  config: (journal: string) => unknown,
  options: Partial<GatewayOptions> = {},
  http: Partial<HttpOptions> = {},
): Promise<TestGateway> {
  const folder = await temporaryFolder();
  const journalPath = join(folder.path, "journal");
  await writeFile(journalPath, "");
  const stream = new PassThrough();
  let log = "";
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const gateway = createGateway({
    config: config(journalPath),
    cacheFolder: join(folder.path, "cache"),
    log: createLog({ name: "mcp-gateway", level: "debug", stream }),
    ...options,
  });
  const served = await gateway.serve({ transport: "http", ...http });
  return {
    gateway,
    url: served.url ?? "",
    folder: folder.path,
    log: () => log,
    async connect(era, capabilities = {}) {
      const client = new Client(
        { name: "test", version: "1.0.0" },
        { capabilities, versionNegotiation: { mode: era === "legacy" ? "legacy" : "auto" } },
      );
      await client.connect(new StreamableHTTPClientTransport(new URL(`${served.url}/mcp`)));
      return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
    },
    journal: () => journalOf(journalPath),
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** The lines of a fixture server's journal. */
export const journalOf = async (path: string): Promise<string[]> =>
  (await readFile(path, "utf8")).split("\n").filter(Boolean);

/** The first text of a result. */
export function textOf(result: unknown): string {
  const { content } = result as { content?: { type: string; text?: string }[] }; // CallToolResult
  return content?.find(({ type }) => type === "text")?.text ?? "";
}

/** Waits for a condition, polling. */
export async function until(condition: () => boolean | Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether a process exists and is no zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    return !/\) [ZX] /.test(stat);
  } catch {
    return false;
  }
}
