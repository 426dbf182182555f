/** `db-agent doctor`: everything there is to check, all at the same time, and what to do about what was found. */
import { type Agent, createAgent } from "../../agent.js";
import { AgentError } from "../../errors.js";
import type { GatewaySpec } from "../../gateway/launch.js";
import { readVersion } from "../../version.js";
import { chooseGateway, type GatewayFlags, isUnnamed } from "../gateway-choice.js";
import { exitCodes, type Io, onInterrupt, stylesOf } from "../io.js";
import { createFeedback } from "../print/feedback.js";
import type { Style } from "../print/style.js";
import { toVisibleLines } from "../print/text.js";
import { storeWord } from "../sessions.js";
import { type Finding, find, ok, skipped } from "./finding.js";
import { checkFiles, checkNode, checkPrograms, checkSecretFiles, checkTerminal } from "./machine.js";
import { checkExecutable, checkGateway, checkModel, checkStore } from "./services.js";

/** What the command line says. */
export interface DoctorFlags extends GatewayFlags {
  readonly offline: boolean;
  readonly store?: string | undefined;
  readonly output: "text" | "json";
}

/** Checks; the exit code is 1 where something does not work. Warnings are no failure. */
export async function runDoctor(flags: DoctorFlags, io: Io): Promise<number> {
  const { environment } = io;
  const { out, err } = stylesOf(io);
  using interrupt = onInterrupt();
  const { signal } = interrupt;
  const { spec, why } = await gatewayOf(flags, io);
  await using agent = spec === undefined ? undefined : createAgent({ gateway: spec });
  using feedback = createFeedback(io.stderr, err);
  feedback.busy("checking");
  const found = await Promise.all([
    [checkNode(), ok("package", `db-agent ${readVersion()}`)],
    [checkTerminal(io), ...checkPrograms(environment)],
    find("gateway program", () => checkExecutable(spec)),
    throughGateway(agent, why, signal),
    find("store", () => checkStore(storeWord(flags.store, io) ?? "memory", environment)),
    find("model", async () => checkModel(environment, flags.offline, signal)),
    checkFiles(environment),
    checkSecretFiles(environment),
  ]);
  feedback.idle();
  if (signal.aborted) return exitCodes.interrupted;
  const findings = found.flat();
  const isWell = findings.every(({ status }) => status !== "failed");
  if (flags.output === "json") io.stdout.write(`${JSON.stringify({ ok: isWell, findings }, null, 2)}\n`);
  else io.stdout.write(`${findings.map((finding) => toLines(finding, out)).join("\n")}\n${toSummary(findings, out)}\n`);
  return isWell ? exitCodes.ok : exitCodes.failed;
}

/** The gateway that is meant, or why there is none to look at. */
async function gatewayOf(
  flags: DoctorFlags,
  { environment }: Io,
): Promise<{ readonly spec?: GatewaySpec; readonly why?: AgentError }> {
  try {
    return { spec: await chooseGateway(flags, environment) };
  } catch (error) {
    if (error instanceof AgentError) return { why: error };
    throw error;
  }
}

async function throughGateway(
  agent: Agent | undefined,
  why: AgentError | undefined,
  signal: AbortSignal,
): Promise<readonly Finding[]> {
  if (agent !== undefined) return checkGateway(agent, signal);
  if (isUnnamed(why)) return [skipped("gateway", "No database was named.", why.report.hint)];
  return find("gateway", () => Promise.reject(why));
}

const marks = {
  ok: ["green", "✓"],
  warning: ["yellow", "!"],
  failed: ["red", "✗"],
  skipped: ["dim", "–"],
} as const;

function toLines({ check, status, message, remedy }: Finding, style: Style): string {
  const [colour, mark] = marks[status];
  const head = `${style(colour, mark)} ${style("bold", toVisibleLines(check))}: ${toVisibleLines(message)}`;
  return remedy === undefined ? head : `${head}\n    ${toVisibleLines(remedy).replaceAll("\n", "\n    ")}`;
}

function toSummary(findings: readonly Finding[], style: Style): string {
  const count = (status: Finding["status"]): number => findings.filter((one) => one.status === status).length;
  const parts = [`${count("ok")} in order`, `${count("warning")} to look at`, `${count("failed")} that do not work`];
  return style("bold", parts.join(", "));
}
