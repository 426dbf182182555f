/**
 * The prompt on a terminal: lines become statements and commands, one after the other. Ctrl-C cancels what runs, gives up
 * what is typed, and at an empty prompt says how to leave.
 */
import { toErrorReport } from "../../errors.js";
import { exitCodes, type Io, stylesOf } from "../io.js";
import { formatError } from "../print/pieces.js";
import { runCommand } from "./commands.js";
import type { Completer } from "./completion.js";
import { type Editor, openEditor } from "./editor.js";
import { highlightSql } from "./highlight.js";
import type { History } from "./history.js";
import type { Session } from "./session.js";
import { splitStatements } from "./statements.js";
import { askInWords, runTyped } from "./words.js";

/** What the loop works with. */
export interface PromptParts {
  readonly session: Session;
  readonly history: History;
  readonly completer: Completer;
}

/** The loop, and the terminal it has. */
export interface Prompt extends Disposable {
  readonly editor: Editor;
  /** Runs until the end of input or `\q`. */
  run(wanted: string | undefined): Promise<number>;
}

/** Takes the terminal. */
export function openPrompt({ session, history, completer }: PromptParts, io: Io): Prompt {
  const { out } = stylesOf(io);
  let buffer = "";
  let running: AbortController | undefined;
  const editor = openEditor({
    input: io.stdin,
    output: io.stdout,
    history: () => history.entries,
    complete: (line) => completer.complete(line, buffer, session.source),
    highlight: (line) =>
      buffer === "" && line.startsWith("\\")
        ? line
        : highlightSql(
            buffer === "" ? line : `${buffer}\n${line}`,
            session.dialect,
            out,
            buffer === "" ? 0 : buffer.length + 1,
          ),
    onInterrupt: () => running?.abort(),
  });

  /** Runs what a line completed, with Ctrl-C as its cancel. */
  async function guarded<T>(run: () => Promise<T>): Promise<T | undefined> {
    running = new AbortController();
    session.signal = running.signal;
    try {
      return await run();
    } catch (error) {
      session.write(formatError(toErrorReport(error), out));
      return undefined;
    } finally {
      running = undefined;
    }
  }

  /** Runs every statement a line ends, and keeps what is left for the next line. */
  async function take(line: string): Promise<"quit" | undefined> {
    const word = line.trim().replace(/;$/, "").toLowerCase();
    if (buffer === "" && ["quit", "exit"].includes(word)) return "quit";
    if (buffer === "" && (line.trim().startsWith("\\") || word === "help")) {
      await history.add(line);
      return guarded(() => runCommand(session, word === "help" ? "\\?" : line));
    }
    if (buffer === "" && session.conversation?.understands(line)) {
      await history.add(line);
      return guarded(async () => void (await askInWords(session, line.trim())));
    }
    buffer = buffer === "" ? line : `${buffer}\n${line}`;
    const { statements, rest } = splitStatements(buffer, session.dialect);
    if (statements.length > 0 || rest === "") {
      await history.add(buffer);
      buffer = rest.trim() === "" ? "" : rest;
    }
    for (const sql of statements) {
      await guarded(() => runTyped(session, sql));
      if (session.signal.aborted) break; // Ctrl-C means all of them
    }
    return undefined;
  }

  const promptText = (): string => {
    const name = session.source ?? "db-agent";
    return buffer === "" ? `${name}=> ` : `${" ".repeat(Math.max(0, name.length - 1))}…-> `;
  };

  return {
    editor,
    async run(wanted) {
      const stop = (): void => {
        running?.abort();
        editor[Symbol.dispose]();
      };
      process.once("SIGTERM", stop);
      process.once("SIGHUP", stop);
      try {
        session.write(`${out("bold", "db-agent")}: SQL ends with ; and \\? lists the commands.`);
        await guarded(() => openFirst(session, wanted));
        completer.prepare(session.source);
        const { conversation } = session;
        if (conversation?.reference !== undefined) await guarded(() => conversation.goOn(session.signal));
        for (;;) {
          const { draft } = session;
          session.draft = "";
          const typed = await editor.read(promptText(), { text: draft });
          if (typed.kind === "end") return exitCodes.ok;
          if (typed.kind === "interrupt") {
            if (typed.wasEmpty && buffer === "") session.write("\\q or Ctrl-D leaves.");
            buffer = "";
          } else if ((await take(typed.text)) === "quit") return exitCodes.ok;
        }
      } finally {
        process.off("SIGTERM", stop);
        process.off("SIGHUP", stop);
      }
    },
    [Symbol.dispose]: () => editor[Symbol.dispose](),
  };
}

/** Opens the first database; one that is down is told, and another may be chosen at the prompt. */
async function openFirst(session: Session, wanted: string | undefined): Promise<void> {
  const names = wanted === undefined ? await session.agent().sources({ signal: session.signal }) : [wanted];
  await session.open(names[0]);
  if (names.length > 1) session.write(`Databases: ${names.join(", ")}. \\c changes to another.`);
}
