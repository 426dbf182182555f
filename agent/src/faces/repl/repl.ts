/**
 * The interactive loop: lines in, statements and commands out. On a terminal it completes, remembers and lets Ctrl-C
 * cancel what runs; from a pipe it runs what it reads and its exit code says whether all of it succeeded.
 */
import { createInterface, type Interface } from "node:readline";
import { type Agent, createAgent } from "../../agent.js";
import { AgentError, nearest, toErrorReport } from "../../errors.js";
import type { GatewaySpec } from "../../gateway/launch.js";
import { nameSource } from "../../gateway/sources.js";
import { chooseGateway, type GatewayFlags } from "../gateway-choice.js";
import { exitCodeOf, exitCodes, type Io, onInterrupt, stylesOf, tableWidth } from "../io.js";
import { createFeedback } from "../print/feedback.js";
import { formatError } from "../print/report.js";
import { commands, findCommand } from "./commands.js";
import { createCompleter } from "./completion.js";
import { historyFile, openHistory } from "./history.js";
import { createSession, type Session } from "./session.js";
import { splitStatements } from "./statements.js";

/** What the command line says. */
export interface ReplFlags extends GatewayFlags {
  readonly source?: string | undefined;
}

/** Runs until the end of input or `\q`. */
export async function runRepl(flags: ReplFlags, io: Io): Promise<number> {
  const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true;
  let spec: GatewaySpec = await chooseGateway(flags, io.environment);
  let agent: Agent = createAgent({ gateway: spec });
  const style = stylesOf(io);
  using feedback = createFeedback(io.stderr, style.err, { quiet: !isTerminal });
  const session = createSession({
    agent: () => agent,
    style: style.out,
    feedback,
    greets: isTerminal,
    write: (text) => io.stdout.write(text),
    width: () => tableWidth(io),
    async addDatabase(url) {
      if (!("databases" in spec)) {
        throw new AgentError("usage", "A gateway with its own configuration takes no further database from here.", {
          hint: "\\l lists its databases.",
        });
      }
      const name = nameSource(url, Object.keys(spec.databases));
      const next: GatewaySpec = { databases: { ...spec.databases, [name]: url } };
      const nextAgent = createAgent({ gateway: next });
      try {
        await nextAgent.check(name, { signal: session.signal });
      } catch (error) {
        await nextAgent[Symbol.asyncDispose]();
        throw error;
      }
      await agent[Symbol.asyncDispose]();
      [spec, agent] = [next, nextAgent];
      return name;
    },
  });
  try {
    return await (isTerminal
      ? interact(session, flags.source, () => agent, io)
      : runScript(session, flags.source, () => agent, io));
  } finally {
    await agent[Symbol.asyncDispose]();
  }
}

/** Opens the first database; one that is down is told, and another may be chosen at the prompt. */
async function openFirst(session: Session, wanted: string | undefined, agent: Agent, greets: boolean): Promise<void> {
  const names = wanted === undefined ? await agent.sources() : [wanted];
  await session.open(names[0]);
  if (greets && names.length > 1) session.write(`Databases: ${names.join(", ")}. \\c changes to another.`);
}

async function interact(session: Session, wanted: string | undefined, agent: () => Agent, io: Io): Promise<number> {
  const { out } = stylesOf(io);
  const fail = (error: unknown): void => {
    session.write(formatError(toErrorReport(error), out));
  };
  const history = await openHistory(historyFile(io.environment));
  const completer = createCompleter(agent);
  let buffer = "";
  let running: AbortController | undefined;
  const readline: Interface = createInterface({
    input: io.stdin,
    output: io.stdout,
    terminal: true,
    history: [...history.entries],
    historySize: 2_000,
    removeHistoryDuplicates: true,
    tabSize: 4,
    completer: (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
      completer.complete(line, buffer, session.source).then(
        (found) => done(null, found),
        () => done(null, [[], line]),
      );
    },
  });
  const prompt = (): void => {
    const name = session.source ?? "db-agent";
    readline.setPrompt(buffer === "" ? `${name}=> ` : `${" ".repeat(Math.max(0, name.length - 1))}…-> `);
    readline.prompt();
  };
  /** Runs what a line completed, with Ctrl-C as its cancel. */
  async function guarded(run: (signal: AbortSignal) => Promise<unknown>): Promise<unknown> {
    running = new AbortController();
    session.signal = running.signal;
    try {
      return await run(running.signal);
    } catch (error) {
      fail(error);
      return undefined;
    } finally {
      running = undefined;
    }
  }
  readline.on("SIGINT", () => {
    if (running !== undefined) {
      running.abort();
    } else {
      if (buffer === "" && readline.line === "") session.write("\n\\q or Ctrl-D leaves.");
      else session.write("");
      buffer = "";
      readline.write(null, { ctrl: true, name: "e" });
      readline.write(null, { ctrl: true, name: "u" });
      prompt();
    }
  });
  const stop = (): void => {
    running?.abort();
    readline.close();
  };
  process.once("SIGTERM", stop);

  session.write(`${out("bold", "db-agent")}: SQL ends with ; and \\? lists the commands.`);
  await guarded(() => openFirst(session, wanted, agent(), true));
  completer.prepare(session.source);
  prompt();
  for await (const line of readline) {
    const word = line.trim().replace(/;$/, "").toLowerCase();
    if (buffer === "" && ["quit", "exit"].includes(word)) break;
    if (buffer === "" && (line.trim().startsWith("\\") || word === "help")) {
      await history.add(line);
      const answer = await guarded(() => runCommand(session, word === "help" ? "\\?" : line));
      if (answer === "quit") break;
    } else {
      buffer = buffer === "" ? line : `${buffer}\n${line}`;
      const { statements, rest } = splitStatements(buffer, session.dialect);
      if (statements.length > 0 || rest === "") {
        await history.add(buffer);
        buffer = rest.trim() === "" ? "" : rest;
      }
      for (const sql of statements) await guarded((signal) => session.execute(sql, signal));
    }
    prompt();
  }
  process.off("SIGTERM", stop);
  readline.close();
  return exitCodes.ok;
}

/** Statements from a pipe; later ones run also after one failed, as each stands alone. */
async function runScript(session: Session, wanted: string | undefined, agent: () => Agent, io: Io): Promise<number> {
  using interrupt = onInterrupt();
  const { err } = stylesOf(io);
  session.signal = interrupt.signal;
  let exitCode: number = exitCodes.ok;
  const attempt = async (run: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await run();
    } catch (error) {
      const report = toErrorReport(error);
      io.stderr.write(`${formatError(report, err)}\n`);
      exitCode = Math.max(exitCode, exitCodeOf(report.code));
      return undefined;
    }
  };
  let isOpen = false;
  await attempt(async () => {
    await openFirst(session, wanted, agent(), false);
    isOpen = true;
  });
  if (!isOpen) return exitCode;
  let buffer = "";
  const lines = createInterface({ input: io.stdin, terminal: false, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    if (interrupt.signal.aborted) break;
    if (buffer === "" && line.trim().startsWith("\\")) {
      if ((await attempt(() => runCommand(session, line))) === "quit") return exitCode;
      continue;
    }
    const { statements, rest } = splitStatements(buffer === "" ? line : `${buffer}\n${line}`, session.dialect);
    for (const sql of statements) await attempt(() => session.execute(sql, interrupt.signal));
    buffer = rest.trim() === "" ? "" : rest;
  }
  if (buffer !== "" && !interrupt.signal.aborted) await attempt(() => session.execute(buffer.trim(), interrupt.signal));
  return exitCode;
}

async function runCommand(session: Session, line: string): Promise<"quit" | undefined> {
  const found = findCommand(line);
  if (found !== undefined) return found.command.run(session, found.argument);
  const given = /^\\(\S*)/.exec(line.trim())?.[1] ?? "";
  const near = nearest(
    given,
    commands.map(({ name }) => name).filter((name) => name.length > 1),
  );
  throw new AgentError("usage", `There is no command \\${given}.`, {
    hint: near === undefined ? "\\? lists the commands." : `Did you mean \\${near}? \\? lists the commands.`,
  });
}
