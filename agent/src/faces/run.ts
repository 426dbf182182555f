/** `db-agent run task.json`: a task from a file, its events on stderr, its report on stdout or in a file. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createAgent } from "../agent.js";
import { fillIn, readJsonFile } from "../config-file.js";
import { AgentError } from "../errors.js";
import type { GatewaySpec } from "../gateway/launch.js";
import type { Databases } from "../gateway/sources.js";
import type { QuestionReport } from "../report.js";
import { type Format, parseTask } from "../task.js";
import { chooseGateway, type GatewayFlags, remote } from "./gateway-choice.js";
import { exitCodes, type Io, onInterrupt, stylesOf, tableWidth } from "./io.js";
import { createFeedback } from "./print/feedback.js";
import { formatError } from "./print/pieces.js";
import { formatReport } from "./print/report.js";
import { toVisible } from "./print/text.js";
import { storeWord, warnOfPassingKeys } from "./sessions.js";
import { assertFiles, writeStatementFiles } from "./statement-files.js";

/** What the command line says. */
export interface RunFlags extends GatewayFlags {
  readonly file: string;
  readonly format?: Format | undefined;
  /** Writes the events as JSON lines on stdout instead of the report. */
  readonly events: boolean;
  readonly quiet: boolean;
  /** Where the session is kept; in memory by default. */
  readonly store?: string | undefined;
  /** The reference id to run under, instead of a new one. */
  readonly session?: string | undefined;
}

type ParsedTask = ReturnType<typeof parseTask>;

/** Runs the task; the exit code is 1 when a connection, a statement or a question failed, 3 when only a human is missing. */
export async function runTask(flags: RunFlags, io: Io): Promise<number> {
  const task = parseTask(await readJsonFile(flags.file, io.stdin));
  assertFiles(task);
  const spec = await gatewayOf(task, flags, io);
  const style = stylesOf(io);
  using interrupt = onInterrupt();
  const word = storeWord(flags.store, io);
  await using sessions =
    word === undefined ? undefined : await (await import("../sessions.js")).openSessions(word, io.environment);
  if (sessions?.isLasting === false) warnOfPassingKeys(io);
  await using agent = createAgent({ gateway: spec, ...(sessions ? { store: sessions.checkpointer } : {}) });
  using feedback = createFeedback(io.stderr, style.err, { quiet: flags.quiet });
  const run = await agent.run(namesOnly(task), {
    signal: interrupt.signal,
    ...(flags.session === undefined ? {} : { session: flags.session }),
  });
  for await (const event of run) {
    feedback.show(event);
    if (flags.events) io.stdout.write(`${JSON.stringify(event)}\n`);
  }
  const report = await run.result.catch((error: unknown) => {
    if (interrupt.signal.aborted) return undefined; // told already
    throw error;
  });
  if (report === undefined) return exitCodes.interrupted;
  if (sessions !== undefined && !flags.quiet) io.stderr.write(`Session ${run.session}\n`);
  const files = await writeStatementFiles(task, report, agent, io.environment, interrupt.signal);
  for (const { statement, file, rows, error } of files) {
    if (error !== undefined) io.stderr.write(`${toVisible(statement)}: ${formatError(error, style.err)}\n`);
    else if (!flags.quiet) io.stderr.write(`${toVisible(statement)}: ${rows} rows are in ${toVisible(file)}\n`);
  }
  const ok = report.ok && files.every(({ error }) => error === undefined);
  const full = files.length === 0 ? report : { ...report, ok, files };
  if (!flags.events) await writeReport(task, flags, io, (format, options) => formatReport(full, format, options));
  const waiting = report.questions.filter(({ status }) => status === "waiting");
  if (!flags.quiet) for (const question of waiting) io.stderr.write(`${toWaitingText(question, word)}\n`);
  if (!ok) return exitCodes.failed;
  return waiting.length > 0 ? exitCodes.waiting : exitCodes.ok;
}

const toWaitingText = ({ name, session = "" }: QuestionReport, store: string | undefined): string =>
  store === undefined || store === "memory"
    ? `${toVisible(name)}: a human is asked something. --store file keeps the session for an answer later.`
    : `${toVisible(name)} waits for a human: db-agent answer ${session}`;

async function writeReport(
  task: ParsedTask,
  flags: RunFlags,
  io: Io,
  format: (format: Format, options: Parameters<typeof formatReport>[2]) => string,
): Promise<void> {
  const file =
    task.output?.file === undefined ? undefined : await fillIn(task.output.file, io.environment, "output.file");
  const chosen = flags.format ?? task.output?.format ?? "table";
  if (file === undefined) {
    io.stdout.write(format(chosen, { width: tableWidth(io), style: stylesOf(io).out }));
    return;
  }
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, format(chosen, {}));
  } catch (cause) {
    throw new AgentError("output_unwritable", `The report cannot be written to ${file}.`, {
      hint: String(cause),
      cause,
    });
  }
  io.stderr.write(`The report is in ${file}\n`);
}

/** The gateway of the command line, else the task's own, else one for the task's databases, else the environment's. */
async function gatewayOf(task: ParsedTask, flags: RunFlags, io: Io): Promise<GatewaySpec> {
  if (flags.gateway !== undefined || flags.config !== undefined) return chooseGateway(flags, io.environment);
  if (task.gateway !== undefined) {
    const url = await fillIn(task.gateway.url, io.environment, "gateway.url");
    if (task.gateway.token === undefined) return remote(url, flags.tokenFile, io.environment);
    return { url, token: await fillIn(task.gateway.token, io.environment, "gateway.token") };
  }
  const databases = await databasesOf(task, flags.databases, io);
  return chooseGateway({ ...flags, databases }, io.environment);
}

/** The task's connections with their URLs; a database of the command line takes the place of its namesake or of the only one. */
async function databasesOf(task: ParsedTask, given: Databases, io: Io): Promise<Databases> {
  const connections = task.connections ?? [];
  if (connections.length === 0) return given;
  const [only, second] = connections;
  const [givenUrl, secondUrl] = Object.values(given);
  if (only !== undefined && second === undefined && givenUrl !== undefined && secondUrl === undefined) {
    return { [only.name]: givenUrl };
  }
  const databases: Record<string, string> = {};
  for (const [index, { name, url }] of connections.entries()) {
    const path = `connections.${index}.url`;
    const replaced = given[name];
    if (replaced !== undefined) databases[name] = replaced;
    else if (url !== undefined) databases[name] = await fillIn(url, io.environment, path);
    else if (Object.keys(databases).length > 0 || (io.environment.MCP_GATEWAY_URL ?? "") === "") {
      throw new AgentError("task_invalid", `${path} is missing.`, {
        hint: "A connection has a url, unless --gateway or the task's gateway names one that knows it.",
      });
    }
  }
  return databases;
}

/** What the core gets to see: no URL, no token. */
function namesOnly(task: ParsedTask): ParsedTask {
  const { gateway: _, connections, ...rest } = task;
  return { ...rest, ...(connections === undefined ? {} : { connections: connections.map(({ name }) => ({ name })) }) };
}
