/**
 * The deployment as its README writes it, less the containers: its own lines make the secrets, Redis starts with the
 * file they wrote, and two gateways with the variables, files and config that Compose and Kubernetes hand to them.
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { startRedisServer } from "../support/redis-servers.js";
import { at, deployFolder, entriesAt, imageEnvironment, ofKind, readKubernetes, readYaml } from "./manifests.js";

const run = promisify(execFile);

let folder: string;
let token: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deploy-"));
  await mkdir(join(folder, "bin"));
  await symlink(executable("mcp-gateway"), join(folder, "bin/mcp-gateway"));
  const readme = await readFile(join(deployFolder, "README.md"), "utf8");
  const [, lines] = /<!-- runs in tests -->\n```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  if (lines === undefined) throw new Error("the README has no lines to run");
  const PATH = `${join(folder, "bin")}:${dirname(process.execPath)}:${process.env.PATH}`;
  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", lines], {
    cwd: folder,
    env: { ...process.env, PATH },
  });
  [token = ""] = /\S{20,}/.exec(stdout) ?? [];
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const secret = (name: string): Promise<string> => readFile(join(folder, "secrets", name), "utf8");

/** The config and a folder of secrets where the gateway finds both. */
async function placeFiles(secrets: string, at: string): Promise<void> {
  await Promise.all([
    mkdir(join(at, "run"), { recursive: true }),
    mkdir(join(at, "etc/mcp-gateway"), { recursive: true }),
  ]);
  await symlink(secrets, join(at, "run/secrets"));
  const config = await readFile(join(deployFolder, "gateway.json"), "utf8");
  await writeFile(join(at, "etc/mcp-gateway/gateway.json"), config.replaceAll("/run/secrets", `${at}/run/secrets`));
}

/** What Compose sets, with the container's places put where this machine may write. */
async function environmentHere(place: string): Promise<Record<string, string>> {
  const compose = await readYaml("compose.yaml");
  const set = {
    ...(await imageEnvironment()),
    ...Object.fromEntries(entriesAt(compose, "services", "gateway", "environment")),
  };
  const here = Object.entries(set).flatMap(([name, value]) =>
    name.startsWith("MCP_") && typeof value === "string"
      ? [[name, value.replace(/^\$\{\w+:-(.*)\}$/, "$1").replace(/^\/(?=run|var|etc)/, `${place}/`)]]
      : [],
  );
  return Object.fromEntries(here);
}

async function startGateway(environment: Record<string, string>): Promise<RunningServer> {
  return startHttpServer(executable("mcp-gateway"), [], { ...environment, MCP_HOST: "127.0.0.1", MCP_PORT: "0" });
}

async function connect(server: RunningServer, bearer: string) {
  const client = new Client({ name: "deploy", version: "1.0.0" });
  const headers = { authorization: `Bearer ${bearer}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { requestInit: { headers } }));
  return client;
}

test("only the folder's owner reaches the secrets", async () => {
  expect((await stat(join(folder, "secrets"))).mode & 0o777).toBe(0o700);
});

test("two gateways come up with it, let Ada in, share her session through Redis and end when told", async () => {
  const [, password = ""] = /requirepass (\S+)/.exec(await secret("redis.conf")) ?? [];
  await using redis = await startRedisServer([`requirepass ${password}`]);
  // with this Redis in place of Compose's
  await writeFile(join(folder, "secrets/store"), (await secret("store")).replace("@redis:6379", `@${redis.address}`));
  await placeFiles(join(folder, "secrets"), folder);
  const environment = await environmentHere(folder);

  await using first = await startGateway(environment);
  await using second = await startGateway(environment);
  for (const { url } of [first, second]) {
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/v1/servers`)).status).toBe(401);
  }
  const one = await connect(first, token);
  const tools = (await one.listTools()).tools.map(({ name }) => name);
  expect(tools).toContain("connect_database");
  const opened = JSON.stringify(await one.callTool({ name: "open_session", arguments: {} }));
  const [session = ""] = /[\w-]{22,}/.exec(opened) ?? [];
  const other = await connect(second, token);
  const listed = await other.callTool({ name: "list_connections", arguments: { session } });
  expect(at(listed, "isError") ?? false).toBe(false);
  await Promise.all([one.close(), other.close()]);

  first.child.kill("SIGTERM");
  const [code] = await once(first.child, "exit");
  expect(code).toBe(0);
});

test("the Secret's form, not filled in, is refused by name", async () => {
  const form = at(ofKind(await readKubernetes(), "Secret"), "stringData");
  const place = join(folder, "form");
  await mkdir(join(place, "secrets"), { recursive: true });
  for (const [name, text] of entriesAt(form)) await writeFile(join(place, "secrets", name), String(text));
  await placeFiles(join(place, "secrets"), place);
  const environment = { ...process.env, ...(await environmentHere(place)), MCP_PORT: "0" };
  const child = spawn(process.execPath, [executable("mcp-gateway")], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  const [code] = await once(child, "exit");
  expect(code).not.toBe(0);
  expect(log).toMatch(/MCP_KEYS/);
});
