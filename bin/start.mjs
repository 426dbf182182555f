/**
 * `npm start`: the suite's main job on a real database, with nothing installed but Node. A private PostgreSQL with the
 * sample shop, the gateway in front of it (which starts mcp-postgres when it is needed), and the agent's report through
 * that gateway; on a terminal then the interactive agent. Everything ends with it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { setUp } from "./setup.mjs";
import { root } from "./workspace.mjs";

const { values: flags } = parseArgs({ options: { port: { type: "string", default: "0" } } });
await setUp();
/** @type {typeof import("../mcp-core/src/sample/index.js")} */
const { openPrivateFolder } = await import(`${root}/mcp-core/dist/sample/index.js`);
/** @type {typeof import("../mcp-postgres/src/index.js")} */
const { postgresKind } = await import(`${root}/mcp-postgres/dist/index.js`);

const stopping = new AbortController();
for (const name of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(name, () => stopping.abort());
/** Opened in order, closed in reverse. @type {AsyncDisposable[]} */
const open = [];
try {
  process.exitCode = await main(stopping.signal);
} catch (error) {
  const hint = error instanceof Error && "hint" in error && error.hint ? `\n${error.hint}` : "";
  process.stderr.write(`${error instanceof Error ? error.message : error}${hint}\n`);
  process.exitCode = 1;
} finally {
  for (const thing of open.reverse()) await thing[Symbol.asyncDispose]();
}

/** @param {AbortSignal} signal @returns {Promise<number>} the exit code */
async function main(signal) {
  const log = { debug() {}, warn: (/** @type {string} */ event) => void process.stderr.write(`${event}\n`) };
  const demo = await postgresKind.startDemo?.({ signal, log });
  if (demo === undefined) throw new Error("mcp-postgres has no demo.");
  open.push(demo);
  const url = await startGateway(demo.url);
  process.stdout.write(`${hostLines(url)}\n\n`);
  const code = await agent(["run", join(root, "examples/tasks/shop-report.json"), "--gateway", `${url}/mcp`]);
  if (code !== 0 || signal.aborted || !process.stdin.isTTY || !process.stdout.isTTY) return code;
  process.stdout.write("\nThe interactive agent: SQL, \\dt, \\d orders, \\? for help, \\q to leave.\n\n");
  return agent(["--gateway", `${url}/mcp`]);
}

/**
 * Starts the gateway over HTTP, with the shop as its database. The URL reaches it by the environment: no secret stands
 * in a file or an argument. It dies with us, however we end.
 * @param {string} shopUrl @returns {Promise<string>} where it listens
 */
async function startGateway(shopUrl) {
  const folder = await openPrivateFolder(undefined);
  open.push(folder);
  const config = join(folder.path, "gateway.json");
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the gateway fills it in from its environment.
  await writeFile(config, JSON.stringify({ databases: { shop: "${SHOP_URL}" } }), { mode: 0o600 });
  const args = [join(root, "mcp-gateway/dist/bin.js"), "--config", config, "--port", flags.port ?? "0"];
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, SHOP_URL: shopUrl },
    detached: true, // A Ctrl-C on the terminal is for the agent; the gateway is stopped when that is over.
  });
  if (child.pid !== undefined) folder.watch(child.pid, "TERM");
  const exited = once(child, "exit").then(() => folder.forget());
  open.push({
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), 8_000);
      await exited;
      clearTimeout(timer);
    },
  });
  let words = "";
  return new Promise((resolve, reject) => {
    child.stderr.setEncoding("utf8").on("data", (chunk) => {
      if (words.length < 65_536) words += chunk; // Always read, so that the pipe never fills.
      const found = /"url":"(http:\/\/[^"]+)"/.exec(words)?.[1];
      if (found !== undefined) resolve(new URL(found).origin);
    });
    exited.then(() => reject(new Error(`The gateway did not start:\n${words.trim()}`)));
  });
}

/** @param {string} url */
function hostLines(url) {
  const stdio = { command: process.execPath, args: [join(root, "mcp-postgres/dist/bin.js"), "--demo"] };
  return [
    `The gateway serves MCP at ${url}/mcp (and ${url}/sse for older hosts) while this runs.`,
    "",
    `  Claude Code      claude mcp add --transport http shop ${url}/mcp`,
    `  Cursor           {"mcpServers":{"shop":{"url":"${url}/mcp"}}}`,
    `  VS Code          {"servers":{"shop":{"type":"http","url":"${url}/mcp"}}}`,
    `  any time, stdio  ${JSON.stringify({ mcpServers: { shop: stdio } })}`,
  ].join("\n");
}

/** Runs the agent on our terminal. @param {readonly string[]} args @returns {Promise<number>} its exit code */
async function agent(args) {
  const child = spawn(process.execPath, [join(root, "agent/dist/bin.js"), ...args], { stdio: "inherit" });
  const stop = () => child.kill("SIGTERM");
  stopping.signal.addEventListener("abort", stop, { once: true });
  const [code] = await once(child, "exit");
  stopping.signal.removeEventListener("abort", stop);
  return code ?? 1;
}
