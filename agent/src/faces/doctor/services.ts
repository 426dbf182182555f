/** What the program works with: the gateway, the databases behind it, the store of sessions, the model. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Agent } from "../../agent.js";
import type { Environment } from "../../config-file.js";
import type { GatewaySpec } from "../../gateway/launch.js";
import { locateGateway } from "../../gateway/locate.js";
import { describeSourceCheck, type SourceCheck } from "../../graphs/verify.js";
import { linkedAbort } from "../../linked-abort.js";
import { chooseModels } from "../../model/model-choice.js";
import { readVersion } from "../../version.js";
import { type Finding, failed, find, ok, skipped, warning } from "./finding.js";

const versionTimeoutMs = 15_000;
/** A gateway that is started may have to be fetched by npx first. */
const answerTimeoutMs = 60_000;

/** The gateway that would be started, and whether its version is ours. */
export async function checkExecutable(spec: GatewaySpec | undefined): Promise<Finding> {
  const own = readVersion();
  if (spec !== undefined && "url" in spec) return skipped("gateway program", "A gateway that runs is used.");
  const { command, args } = locateGateway(own);
  if (command === "npx") {
    return warning(
      "gateway program",
      "It is not installed, and fetched by npx at each start.",
      `npm install ${args.at(-1)}`,
    );
  }
  const { stdout } = await promisify(execFile)(command, [...args, "--version"], { timeout: versionTimeoutMs });
  const version = stdout.trim();
  const message = `mcp-gateway ${version}, ${args.at(-1) ?? command}`;
  if (version === own) return ok("gateway program", message);
  return warning("gateway program", `${message}; this is db-agent ${own}.`, "Install the same version of both.");
}

/** Whether the gateway answers, and each of its databases. */
export async function checkGateway(agent: Agent, signal: AbortSignal): Promise<readonly Finding[]> {
  const startedAt = performance.now();
  using patience = linkedAbort(signal);
  const timer = setTimeout(() => patience.abort(), answerTimeoutMs);
  const reached = await find("gateway", async () => {
    const tools = await agent.connection
      .tools(patience)
      .catch((error: unknown) => {
        if (patience.signal.aborted && !signal.aborted) return undefined;
        throw error;
      })
      .finally(() => clearTimeout(timer));
    if (tools === undefined) {
      const seconds = answerTimeoutMs / 1_000;
      return failed("gateway", `It does not answer within ${seconds} s.`, "Is it a gateway that runs at that address?");
    }
    const ms = Math.round(performance.now() - startedAt);
    const names = tools.map(({ name }) => name);
    if (!names.includes("query")) {
      return failed(
        "gateway",
        `It answers, and has no database: ${names.length} tools.`,
        "Give it one under databases.",
      );
    }
    const others = names.filter((name) => name.includes("__")).length;
    const thirdParty = others === 0 ? "" : `, ${others} of other servers`;
    return ok("gateway", `answers in ${ms} ms with ${names.length} tools${thirdParty}`);
  });
  if (reached.some(({ status }) => status === "failed")) return reached;
  const sources = await agent.sources({ signal });
  const databases = await Promise.all(
    (sources.length === 0 ? [undefined] : sources).map((source) => checkDatabase(source, agent, signal)),
  );
  return [...reached, ...databases.flat()];
}

async function checkDatabase(
  source: string | undefined,
  agent: Agent,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  const name = source === undefined ? "database" : `database ${source}`;
  return find(name, async () => {
    const check = await agent.check(source, { signal });
    return [
      ok(name, describeSourceCheck(check)),
      ...(check.warnings ?? []).map((text) => toWarning(name, text, check)),
    ];
  });
}

const toWarning = (name: string, text: string, { mode }: SourceCheck): Finding =>
  warning(
    name,
    text,
    mode === "read-only" ? "A user of its own that may only read: docs/safety.md." : "docs/safety.md",
  );

/** The store of sessions and the keys that open it. */
export async function checkStore(word: string, environment: Environment): Promise<Finding> {
  if (word === "memory") return ok("store", "in memory: sessions end with the process (--store, DB_AGENT_STORE)");
  const { openSessions } = await import("../../sessions.js");
  await using sessions = await openSessions(word, environment);
  const threads = await sessions.checkpointer.threads();
  const kept = `${threads.length} ${threads.length === 1 ? "session opens" : "sessions open"} with these keys`;
  if (sessions.isLasting) return ok("store", kept);
  return warning(
    "store",
    "It is sealed with a key of this process only: nothing opens it later.",
    `Set MCP_KEYS="k1:$(openssl rand -base64 32)", or MCP_PASSPHRASE.`,
  );
}

/** Whether a model is configured, and answers a word. */
export async function checkModel(environment: Environment, isOffline: boolean, signal: AbortSignal): Promise<Finding> {
  const [first, ...others] = chooseModels(environment);
  if (first === undefined) {
    return skipped(
      "model",
      "None is configured: everything but ask and chat works.",
      "Set DB_AGENT_MODEL: docs/asking.md.",
    );
  }
  const names = [first, ...others].map(({ name }) => name).join(", ");
  if (isOffline) return skipped("model", `${names}: not asked, because of --offline.`);
  const { createModelCaller } = await import("../../model/model-caller.js");
  const startedAt = performance.now();
  const reply = await createModelCaller(() => [{ ...first, attempts: 1, silenceMs: 30_000 }]).ask({
    system: "You are checked for being there.",
    messages: [{ from: "human", text: "Answer with the one word OK." }],
    signal,
    emit: () => {},
  });
  const ms = Math.round(performance.now() - startedAt);
  const tokens = reply.usage === undefined ? "it counts no tokens" : `${reply.usage.outputTokens} tokens`;
  return ok("model", `${first.name} answers in ${ms} ms, ${tokens}`);
}
