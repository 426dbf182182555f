/** The backslash commands of the terminal, as values: name, help, and what each does. */
import { AgentError, nearest } from "../../errors.js";
import { changeSource, describeTable, explainStatement, listSources, searchObjects } from "./look-up.js";
import { drawChart, exportResult, setFormat, showMore, watchResult } from "./more.js";
import type { Session, Settings } from "./session.js";
import { askInWords, askPending, chatInWords, showReference } from "./words.js";

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
  define(name, "[pattern]", describe, (session, pattern) => searchObjects(session, kind, pattern));

const toggle = (name: string, setting: keyof Omit<Settings, "format">, title: string, describe: string): Command =>
  define(name, "[on|off]", describe, ({ settings, write }, state) => {
    if (!/^(?:on|off|)$/i.test(state)) throw new AgentError("usage", `\\${name} takes on or off.`);
    settings[setting] = state === "" ? !settings[setting] : state.toLowerCase() === "on";
    write(`${title} is ${settings[setting] ? "on" : "off"}.`);
  });

/** All commands, in the order `\?` lists them. */
export const commands: readonly Command[] = [
  define("d", "[table]", "a table in full; without one, all tables", (session, table) =>
    table === "" ? searchObjects(session, "table", "") : describeTable(session, table),
  ),
  search("dt", "table", "tables"),
  search("dv", "view", "views"),
  search("dn", "schema", "schemas"),
  search("di", "index", "indexes"),
  search("df", "function", "functions"),
  define("l", undefined, "the databases and how they are", listSources),
  define("c", "<name or URL>", "change to another database", changeSource),
  define("ask", "<question>", "a question in words; without \\ask too, when a model is configured", askInWords),
  define("chat", "<message>", "a message to the model, which looks around by itself", chatInWords),
  define("pending", undefined, "what the session waits for, asked again", askPending),
  define("session", undefined, "the reference id everything said here is kept under", showReference),
  define("more", undefined, "the next rows of the last result", showMore),
  define("chart", "[bar|line|spark] [columns]", "the last result as a chart", drawChart),
  define("export", "<file> [format]", "every row of the last statement into a file", exportResult),
  define("watch", "[seconds]", "run the last statement again and again", watchResult),
  define("explain", "[sql]", "the plan of a statement, and what is wrong with it", explainStatement),
  define("e", undefined, "the last statement in your editor", editLast),
  define("format", "[name]", "table, vertical, markdown, csv, json, jsonl", setFormat),
  toggle("x", "expanded", "One value a line", "one value a line"),
  toggle("timing", "timing", "Timing", "how long each statement takes"),
  toggle("pager", "pager", "The pager", "long results through $PAGER"),
  define("?", undefined, "this list", (session) => session.write(helpText())),
  define("q", undefined, "leave (also Ctrl-D)", () => "quit"),
];

async function editLast(session: Session): Promise<void> {
  if (session.edit === undefined) throw new AgentError("usage", "\\e needs a terminal.");
  const text = await session.edit(session.draft || (session.last === undefined ? "" : `${session.last.sql};\n`));
  session.draft = text.trim();
}

/** Runs the line's command. @throws AgentError `usage` for one there is not */
export async function runCommand(session: Session, line: string): Promise<"quit" | undefined> {
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

const aliases: Readonly<Record<string, string>> = {
  help: "?",
  h: "?",
  quit: "q",
  exit: "q",
  connect: "c",
  "d+": "d",
  "dt+": "dt",
};

function findCommand(line: string): { readonly command: Command; readonly argument: string } | undefined {
  const [, name = "", argument = ""] = /^\\(\?|[A-Za-z]+\+?|)\s*([\s\S]*?)[;\s]*$/.exec(line.trim()) ?? [];
  const command = commands.find((candidate) => candidate.name === (aliases[name] ?? name));
  return command === undefined ? undefined : { command, argument };
}

function helpText(): string {
  const heads = commands.map(({ name, argument }) => `\\${name}${argument === undefined ? "" : ` ${argument}`}`);
  const width = Math.max(...heads.map((head) => head.length));
  const lines = commands.map(({ describe }, index) => `  ${heads[index]?.padEnd(width)}  ${describe}`);
  return [
    "SQL ends with ; and may take several lines; a question in words ends with ?. Tab completes, Ctrl-R searches the history, Ctrl-C cancels.",
    ...lines,
  ].join("\n");
}
