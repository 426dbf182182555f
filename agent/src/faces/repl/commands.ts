/** The backslash commands of the terminal, as values: name, help, and what each does. */
import type { Session } from "./session.js";

/** A command. */
export interface Command {
  /** Without the backslash. */
  readonly name: string;
  readonly argument?: string;
  readonly describe: string;
  /** Returns `quit` to end the session. */
  run(session: Session, argument: string): Promise<"quit" | undefined>;
}

const define = (
  name: string,
  argument: string | undefined,
  describe: string,
  run: (session: Session, argument: string) => Promise<unknown> | unknown,
): Command => ({
  name,
  ...(argument === undefined ? {} : { argument }),
  describe,
  async run(session, given) {
    return (await run(session, given)) === "quit" ? "quit" : undefined;
  },
});

const search = (name: string, kind: string, describe: string): Command =>
  define(name, "[pattern]", describe, (session, pattern) => session.search(kind, pattern));

/** All commands, in the order `\?` lists them. */
export const commands: readonly Command[] = [
  define("d", "[table]", "a table in full; without one, all tables", (session, table) =>
    table === "" ? session.search("table", "") : session.describe(table),
  ),
  search("dt", "table", "tables"),
  search("dv", "view", "views"),
  search("dn", "schema", "schemas"),
  search("di", "index", "indexes"),
  search("df", "function", "functions"),
  define("l", undefined, "the databases and how they are", (session) => session.listSources()),
  define("c", "<name or URL>", "change to another database", (session, target) => session.changeSource(target)),
  define("more", undefined, "the next rows of the last result", (session) => session.more()),
  define("explain", "<sql>", "the plan of a statement, and what is wrong with it", (session, sql) =>
    session.explain(sql),
  ),
  define("x", "[on|off]", "one value a line", (session, state) => session.toggle("expanded", state)),
  define("timing", "[on|off]", "how long each statement takes", (session, state) => session.toggle("timing", state)),
  define("?", undefined, "this list", (session) => session.write(helpText())),
  define("q", undefined, "leave (also Ctrl-D)", () => "quit"),
];

/** Finds a command by the line that names it; undefined for an unknown name. */
export function findCommand(line: string): { readonly command: Command; readonly argument: string } | undefined {
  const [, name = "", argument = ""] = /^\\(\?|[A-Za-z]+\+?|)\s*([\s\S]*?)[;\s]*$/.exec(line.trim()) ?? [];
  const aliases: Readonly<Record<string, string>> = {
    help: "?",
    h: "?",
    quit: "q",
    exit: "q",
    connect: "c",
    "d+": "d",
    "dt+": "dt",
  };
  const command = commands.find((candidate) => candidate.name === (aliases[name] ?? name));
  return command === undefined ? undefined : { command, argument };
}

/** What `\?` prints. */
export function helpText(): string {
  const heads = commands.map(({ name, argument }) => `\\${name}${argument === undefined ? "" : ` ${argument}`}`);
  const width = Math.max(...heads.map((head) => head.length));
  const lines = commands.map(({ describe }, index) => `  ${heads[index]?.padEnd(width)}  ${describe}`);
  return ["SQL ends with ; and may take several lines. Tab completes, Ctrl-C cancels the statement.", ...lines].join(
    "\n",
  );
}
