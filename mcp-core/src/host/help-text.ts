/** `--help`, written from a command's description: usage, arguments, commands, options by group, examples. It parses nothing. */
import type { CommandLine } from "./command-tree.js";
import { describeSettings, type SettingDescription } from "./describe-settings.js";
import type { Settings } from "./setting.js";

/** What the command line knows besides the command itself. */
export interface HelpOptions {
  /** All the names that lead here, such as `db-agent run`. */
  readonly name: string;
  /** With those inherited from above. */
  readonly settings: Settings;
  /** Width of the terminal. */
  readonly columns: number;
}

/** The help text of a command, without colour. */
export function helpText(line: CommandLine, { name, settings, columns }: HelpOptions): string {
  const width = Math.min(Math.max(columns, 60), 120);
  const positionals = line.positionals ?? [];
  const words = positionals.map((one) => `[${one.name}${one.multiple ? "…" : ""}]`);
  const usage =
    line.usage ?? [...words, line.commands === undefined ? "" : "[command]", "[options]"].filter(Boolean).join(" ");
  const sections: [title: string, rows: Row[]][] = [
    ["Arguments", positionals.map((one) => [one.name, one.describe])],
    ["Commands", (line.commands ?? []).map((one) => [one.name, one.summary])],
    ...optionSections(settings),
    [
      "Other",
      [
        ["-h, --help", "Show this text"],
        ["-V, --version", "Show the version"],
        ["completion", "Print a completion script for bash or zsh"],
      ],
    ],
  ];
  const parts = [`${name} ${usage}`, ...wrap(line.summary, width)].join("\n");
  const written = sections.filter(([, rows]) => rows.length > 0).map(([title, rows]) => section(title, rows, width));
  const examples = line.examples.map(([command, explanation]) => `  ${command}\n      ${explanation}`);
  if (examples.length > 0) written.push(["Examples:", ...examples].join("\n"));
  return `${[parts, ...written].join("\n\n")}\n`;
}

type Row = readonly [term: string, describe: string];

function optionSections(settings: Settings): [string, Row[]][] {
  const groups = new Map<string, Row[]>();
  for (const row of describeSettings(settings)) {
    if (row.flag === undefined) continue;
    const rows = groups.get(row.group) ?? [];
    rows.push([optionTerm(row), optionText(row)]);
    groups.set(row.group, rows);
  }
  return [...groups];
}

function optionTerm({
  flag,
  alias,
  form,
  choices,
  placeholder,
  multiple,
  default: fallback,
}: SettingDescription): string {
  const value =
    form === "boolean"
      ? ""
      : ` <${placeholder ?? choices?.join("|") ?? (form === "text" || multiple ? "value" : form)}>`;
  const name = form === "boolean" && fallback === "true" ? `--[no-]${flag?.slice(2)}` : flag;
  return `${alias === undefined ? "" : `-${alias}, `}${name}${value.length > 28 ? " <choice>" : value}`;
}

function optionText(row: SettingDescription): string {
  const notes = [
    row.choices !== undefined && row.choices.join("|").length > 25 ? `one of ${row.choices.join(", ")}` : "",
    row.default === undefined || row.default === "false" ? "" : `default ${row.default}`,
    row.env.length === 0 ? "" : `env ${row.env.join(", ")}`,
    row.multiple ? "repeatable" : "",
  ].filter((note) => note !== "");
  return notes.length === 0 ? row.describe : `${row.describe} (${notes.join("; ")})`;
}

function section(title: string, rows: readonly Row[], width: number): string {
  const indent = 30;
  const lines = rows.flatMap(([term, describe]) => {
    const [first = "", ...more] = wrap(describe, width - indent);
    const rest = more.map((text) => " ".repeat(indent) + text);
    if (term.length + 4 > indent) return [`  ${term}`, " ".repeat(indent) + first, ...rest];
    return [`  ${term}`.padEnd(indent) + first, ...rest];
  });
  return [`${title}:`, ...lines].join("\n");
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
