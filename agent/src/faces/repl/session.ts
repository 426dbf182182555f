/**
 * What happens at the prompt: statements and look-ups on the current database, and what is remembered between them.
 * Reading lines and the terminal's keys are the loop's business.
 */
import type { Agent } from "../../agent.js";
import { AgentError, nearest } from "../../errors.js";
import { isDatabaseUrl } from "../../gateway/sources.js";
import { describeSourceCheck, type SourceCheck } from "../../graphs/verify.js";
import type { QueryResult } from "../../result.js";
import type { Feedback } from "../print/feedback.js";
import { formatResult } from "../print/format.js";
import { describeRows, formatError } from "../print/report.js";
import type { Style } from "../print/style.js";
import { toVisibleLines } from "../print/text.js";
import { type Dialect, dialectOf } from "./statements.js";

/** What a session stands on. */
export interface SessionOptions {
  agent(): Agent;
  /** Opens the same databases and one more; returns its name. */
  addDatabase(url: string): Promise<string>;
  readonly style: Style;
  readonly feedback: Feedback;
  write(text: string): void;
  width(): number | undefined;
  /** False for a script: nothing but results. */
  readonly greets: boolean;
}

/** The session at the prompt. */
export interface Session {
  /** The current database; undefined while the gateway has not named any. */
  readonly source: string | undefined;
  readonly dialect: Dialect;
  /** Makes a database the current one and says what it is. */
  open(source: string | undefined): Promise<void>;
  execute(sql: string, signal: AbortSignal): Promise<void>;
  /** The signal of what commands do; set by the loop for each line. */
  signal: AbortSignal;
  describe(table: string): Promise<void>;
  search(kind: string, pattern: string): Promise<void>;
  explain(sql: string): Promise<void>;
  listSources(): Promise<void>;
  changeSource(target: string): Promise<void>;
  more(): Promise<void>;
  toggle(setting: "expanded" | "timing", state: string): void;
  write(text: string): void;
}

/** The result `\more` continues. */
interface Continued {
  readonly sql: string;
  readonly source: string | undefined;
  shown: number;
  cursor?: string | undefined;
}

/** Starts a session; nothing is connected before `open`. */
export function createSession(options: SessionOptions): Session {
  const { style, feedback } = options;
  const on = { expanded: false, timing: options.greets };
  let source: string | undefined;
  let dialect = dialectOf(undefined);
  let continued: Continued | undefined;

  const write = (text: string): void => options.write(`${text}\n`);

  async function busy<T>(text: string, run: () => Promise<T>): Promise<T> {
    feedback.busy(text);
    try {
      return await run();
    } finally {
      feedback.idle();
    }
  }

  function show(result: QueryResult, ms: number, footer: string): void {
    const format = on.expanded ? "vertical" : "table";
    if (result.columns.length > 0) write(formatResult(result, format, { width: options.width(), style }).trimEnd());
    write(style("dim", `(${footer}${on.timing ? `, ${Math.round(ms)} ms` : ""})`));
  }

  const session: Session = {
    signal: new AbortController().signal,
    get source() {
      return source;
    },
    get dialect() {
      return dialect;
    },
    write,
    async open(name) {
      const check: SourceCheck = await busy(`connecting to ${name ?? "the gateway"}`, () =>
        options.agent().check(name, { signal: session.signal }),
      );
      source = name ?? check.source;
      dialect = dialectOf(check.server);
      continued = undefined;
      if (!options.greets) return;
      write(`${style("green", "✓")} ${source ?? "connected"}: ${describeSourceCheck(check)}`);
      for (const warning of check.warnings ?? []) write(`  ${style("yellow", "!")} ${serverText(warning)}`);
    },
    async execute(sql, signal) {
      continued = undefined;
      const startedAt = performance.now();
      const result = await busy("running", () =>
        options.agent().query(sql, {
          source,
          signal,
          onProgress: ({ message }) => feedback.busy(message ?? "running"),
        }),
      );
      show(result, performance.now() - startedAt, describeRows(result));
      if (result.truncated) {
        continued = { sql, source, shown: result.rowCount };
        write(style("dim", "\\more shows the next ones."));
      }
    },
    async more() {
      if (continued === undefined) {
        write("There is no result to continue.");
        return;
      }
      const last = continued;
      const startedAt = performance.now();
      const page = await busy("reading on", () => nextRows(options.agent(), last, session.signal));
      const from = last.shown + 1;
      last.shown += page.rowCount;
      last.cursor = page.nextCursor;
      const range = page.rowCount === 0 ? "no more rows" : `rows ${from} to ${last.shown}`;
      show(page, performance.now() - startedAt, range);
      if (page.nextCursor === undefined) continued = undefined;
      else write(style("dim", "\\more shows the next ones."));
    },
    async describe(table) {
      write(
        serverText(await busy("looking", () => options.agent().describe(table, { source, signal: session.signal }))),
      );
    },
    async search(kind, pattern) {
      const found = await busy("looking", () =>
        options.agent().search({ source, kind, pattern: pattern === "" ? undefined : pattern, signal: session.signal }),
      );
      if (found.rowCount === 0) write(pattern === "" ? `There is no ${kind}.` : `No ${kind} is named like that.`);
      else write(formatResult(found, "table", { width: options.width(), style }).trimEnd());
      if (found.truncated) write(style("dim", found.hint ?? "There are more."));
    },
    async explain(sql) {
      if (sql === "") throw new AgentError("usage", "\\explain needs a statement.");
      const text = await busy("planning", () =>
        options.agent().connection.call("explain", { sql, source }, { signal: session.signal }),
      );
      write(serverText(text));
    },
    async listSources() {
      const names = await options.agent().sources();
      const listed = names.length === 0 ? [undefined] : names;
      const lines = await busy("checking", () =>
        Promise.all(
          listed.map(async (name) => {
            const mark = name === source ? "*" : " ";
            try {
              const check = await options.agent().check(name, { signal: session.signal });
              return `${mark} ${style("green", "✓")} ${name ?? check.source ?? ""}: ${describeSourceCheck(check)}`;
            } catch (error) {
              if (!(error instanceof AgentError)) throw error;
              return `${mark} ${name}: ${formatError(error.report, style)}`;
            }
          }),
        ),
      );
      write(lines.join("\n"));
    },
    async changeSource(target) {
      if (target === "") {
        write(source === undefined ? "No database is open." : `The database is ${source}.`);
      } else if (isDatabaseUrl(target)) {
        await session.open(await options.addDatabase(target));
      } else {
        const names = await options.agent().sources();
        if (names.length > 0 && !names.includes(target)) {
          const near = nearest(target, names);
          throw new AgentError("source_unknown", `There is no database named ${target} here.`, {
            hint: near === undefined ? `There are ${names.join(", ")}; a URL adds another.` : `Did you mean ${near}?`,
          });
        }
        await session.open(target);
      }
    },
    toggle(setting, state) {
      on[setting] = state === "" ? !on[setting] : state.toLowerCase() === "on";
      write(`${setting === "expanded" ? "One value a line" : "Timing"} is ${on[setting] ? "on" : "off"}.`);
    },
  };
  return session;
}

/**
 * The rows after those shown. The first time the statement is opened anew as a paged result in one snapshot and read past
 * what is known already: the fast first answer held nothing open.
 */
async function nextRows(agent: Agent, last: Continued, signal: AbortSignal): Promise<QueryResult> {
  if (last.cursor !== undefined) return agent.nextPage(last.cursor, { source: last.source, signal });
  let toSkip = last.shown;
  let page: QueryResult | undefined;
  for await (page of agent.pages(last.sql, { source: last.source, signal })) {
    if (page.rowCount > toSkip) break;
    toSkip -= page.rowCount;
  }
  if (page === undefined) throw new AgentError("internal", "The paged result has no page.");
  const rows = page.rows.slice(toSkip);
  return { ...page, rows, rowCount: rows.length };
}

/** Text of a server for the terminal. */
const serverText = (text: string): string => toVisibleLines(text.trimEnd());
