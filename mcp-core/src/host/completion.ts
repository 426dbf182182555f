/** What the shell offers next, from the same description as the help text. It knows nothing of any shell. */
import { type CommandLine, chooseCommand } from "./command-tree.js";
import { describeSettings } from "./describe-settings.js";

/** The words that may stand where the last of `words` is being typed. */
export function completionsFor(top: CommandLine, words: readonly string[]): string[] {
  const current = words.at(-1) ?? "";
  const before = words.at(-2);
  const { line, path, settings } = chooseCommand(top, words.slice(0, -1));
  const rows = describeSettings(settings);
  const asked = rows.find(({ flag }) => flag !== undefined && flag === before);
  if (asked !== undefined && asked.form !== "boolean") {
    return (asked.choices ?? []).filter((choice) => choice.startsWith(current));
  }
  const commands = [...(line.commands ?? []).map(({ name }) => name), ...(path.length === 0 ? ["completion"] : [])];
  const flags = [...rows.flatMap(({ flag }) => flag ?? []), "--help", "--version"];
  return (current.startsWith("-") ? flags : commands).filter((word) => word.startsWith(current));
}
