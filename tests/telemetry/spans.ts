/** Built programs started with a user's OpenTelemetry set-up, and the spans they leave. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const setUp = new URL("./fixtures/otel.mjs", import.meta.url).href;
const bin = (folder: string): string => fileURLToPath(new URL(`../../${folder}/dist/bin.js`, import.meta.url));

/** A span as the set-up writes it down. */
export interface WrittenSpan {
  readonly name: string;
  /** 1 server, 2 client. */
  readonly kind: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly status: { readonly code: number; readonly message?: string };
  readonly links: readonly { readonly context: { readonly traceId: string } }[];
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly scope: string;
  readonly service?: string;
}

/** A program that serves HTTP. */
export interface TracedProgram extends AsyncDisposable {
  readonly url: string;
  /** All spans so far, once there are so many. */
  spans(atLeast: number): Promise<readonly WrittenSpan[]>;
  /** What is in the file, as it is. */
  text(): Promise<string>;
  connect(era: "legacy" | "modern"): Promise<Client & AsyncDisposable>;
}

/** Starts a command with the set-up; `config` is written to the file that `--config` names. */
export async function startTraced(folder: string, args: readonly string[], config?: unknown): Promise<TracedProgram> {
  const home = await mkdtemp(join(tmpdir(), "traced-"));
  const path = join(home, "spans.jsonl");
  await writeFile(path, "");
  const file = join(home, "config.json");
  if (config !== undefined) await writeFile(file, JSON.stringify(config));
  const given = config === undefined ? args : [...args, "--config", file];
  const child = spawn(process.execPath, ["--import", setUp, bin(folder), ...given, "--port", "0"], {
    env: { ...process.env, OTEL_TEST_SPANS: path, XDG_CACHE_HOME: home, OTEL_SERVICE_NAME: "outermost" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const url = await servedAt(child);
  const text = () => readFile(path, "utf8");
  return {
    url,
    text,
    async spans(atLeast) {
      for (const end = performance.now() + 15_000; performance.now() < end; ) {
        const lines = (await text()).split("\n").filter(Boolean);
        if (lines.length >= atLeast) return lines.map((line) => JSON.parse(line));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      throw new Error(`not ${atLeast} spans: ${await text()}`);
    },
    async connect(era) {
      const mode = era === "legacy" ? "legacy" : "auto";
      const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
      await client.connect(new StreamableHTTPClientTransport(new URL(`${url}/mcp`)));
      return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function servedAt(child: ChildProcess): Promise<string> {
  if (child.stderr === null) throw new Error("no stderr");
  let said = "";
  for await (const line of createInterface({ input: child.stderr })) {
    said += `${line}\n`;
    const url = /"url":"(http:[^"]+?)(?:\/mcp)?"/.exec(line)?.[1];
    if (url !== undefined) {
      child.stderr.resume(); // drained, whatever it says
      return url;
    }
  }
  throw new Error(`it did not serve: ${said}`);
}
