/**
 * What the prompt stands on: the current database, how results are shown, and the last statement. Commands and statements
 * work on it; reading lines and the terminal's keys are the loop's business.
 */
import type { Agent } from "../../agent.js";
import { AgentError } from "../../errors.js";
import { describeSourceCheck, type SourceCheck } from "../../graphs/verify.js";
import type { QueryResult } from "../../result.js";
import type { Format } from "../../task.js";
import type { Feedback } from "../print/feedback.js";
import { formatResult } from "../print/format.js";
import { describeRows } from "../print/pieces.js";
import type { Style } from "../print/style.js";
import { toVisibleLines } from "../print/text.js";
import type { Conversation } from "./conversation.js";
import { type Dialect, dialectOf } from "./statements.js";

/** What a session stands on. */
export interface SessionOptions {
  agent(): Agent;
  /** Opens the same databases and one more; returns its name. */
  addDatabase(url: string): Promise<string>;
  readonly style: Style;
  readonly feedback: Feedback;
  write(text: string): void;
  /** Writes what may be long; through a pager where there is one. */
  page(text: string): Promise<void>;
  /** Lets the user's editor have a text; absent where there is no terminal. */
  readonly edit?: ((text: string) => Promise<string>) | undefined;
  width(): number | undefined;
  /** What is said besides SQL; absent where there is no terminal. */
  readonly conversation?: Conversation | undefined;
  /** False for a script: nothing but results. */
  readonly greets: boolean;
}

/** How results are shown. */
export interface Settings {
  format: Format;
  /** One value a line, whatever the format. */
  expanded: boolean;
  timing: boolean;
  pager: boolean;
}

/** The last statement that gave rows, and how much of them was shown. */
export interface LastResult {
  readonly sql: string;
  readonly source: string | undefined;
  readonly result: QueryResult;
  shown: number;
  cursor?: string | undefined;
}

/** The session at the prompt. */
export interface Session
  extends Pick<SessionOptions, "agent" | "addDatabase" | "edit" | "style" | "width" | "conversation"> {
  /** The current database; undefined while the gateway has not named any. */
  readonly source: string | undefined;
  readonly dialect: Dialect;
  readonly settings: Settings;
  /** The signal of what commands do; set by the loop for each line. */
  signal: AbortSignal;
  last: LastResult | undefined;
  /** Text that waits at the next prompt, to be changed or sent. */
  draft: string;
  /** Makes a database the current one and says what it is. */
  open(source: string | undefined): Promise<void>;
  /** Runs a statement on the current database and shows its rows. */
  execute(sql: string, signal?: AbortSignal): Promise<void>;
  /** Shows a result and the line below it. */
  show(result: QueryResult, footer: string, ms?: number): Promise<void>;
  /** Runs something with a spinner that says what it is. */
  busy<T>(text: string, run: () => Promise<T>): Promise<T>;
  write(text: string): void;
  /** The same for what may be longer than the terminal. */
  writeLong(text: string): Promise<void>;
}

/** Starts a session; nothing is connected before `open`. */
export function createSession(options: SessionOptions): Session {
  const { style, feedback } = options;
  const settings: Settings = { format: "table", expanded: false, timing: options.greets, pager: true };
  let source: string | undefined;
  let dialect = dialectOf(undefined);

  const write = (text: string): void => options.write(`${text}\n`);
  const page = (text: string): Promise<void> =>
    settings.pager ? options.page(`${text}\n`) : Promise.resolve(write(text));

  const session: Session = {
    agent: options.agent,
    addDatabase: options.addDatabase,
    edit: options.edit,
    conversation: options.conversation,
    width: options.width,
    style,
    settings,
    signal: new AbortController().signal,
    last: undefined,
    draft: "",
    get source() {
      return source;
    },
    get dialect() {
      return dialect;
    },
    write,
    writeLong: (text) => page(text.trimEnd()),
    async busy(text, run) {
      feedback.busy(text);
      try {
        return await run();
      } finally {
        feedback.idle();
      }
    },
    async open(name) {
      const check: SourceCheck = await session.busy(`connecting to ${name ?? "the gateway"}`, () =>
        options.agent().check(name, { signal: session.signal }),
      );
      source = name ?? check.source;
      dialect = dialectOf(check.server);
      session.last = undefined;
      if (!options.greets) return;
      write(`${style("green", "✓")} ${source ?? "connected"}: ${describeSourceCheck(check)}`);
      for (const warning of check.warnings ?? []) write(`  ${style("yellow", "!")} ${toVisibleLines(warning)}`);
    },
    async execute(sql, signal = session.signal) {
      session.last = undefined;
      const startedAt = performance.now();
      const result = await session.busy("running", () =>
        options.agent().query(sql, {
          source,
          signal,
          onProgress: ({ message }) => feedback.busy(message ?? "running"),
        }),
      );
      session.last = { sql, source, result, shown: result.rowCount };
      await session.show(result, describeRows(result), performance.now() - startedAt);
      if (result.truncated) write(style("dim", "\\more shows the next ones."));
    },
    async show(result, footer, ms) {
      const format = settings.expanded ? "vertical" : settings.format;
      const isForPeople = format === "table" || format === "vertical" || format === "markdown";
      const table = formatResult(result, format, { width: options.width(), style }).trimEnd();
      const tail = `${footer}${settings.timing && ms !== undefined ? `, ${Math.round(ms)} ms` : ""}`;
      const lines = [
        ...(result.columns.length > 0 && table !== "" ? [table] : []),
        ...(isForPeople ? [style("dim", `(${tail})`)] : []),
      ];
      if (lines.length > 0) await page(lines.join("\n"));
    },
  };
  return session;
}

/** The last statement that gave rows. @throws AgentError `usage` where there is none */
export function lastOf({ last }: Session): LastResult {
  if (last !== undefined) return last;
  throw new AgentError("usage", "There is no result yet.", { hint: "Run a statement first." });
}
