/** `db-agent completion` and what its scripts ask: candidates on stdout, a line each, a tab before the description. */
import type { Command } from "../../commands/definition.js";
import type { Io } from "../io.js";
import { toVisible } from "../print/text.js";
import { complete } from "./complete.js";
import { createLookUps } from "./look-ups.js";

/** Answers a shell; whatever goes wrong, there is just nothing to offer. */
export async function answerShell(commands: readonly Command[], io: Io): Promise<void> {
  const { DB_AGENT_COMPLETE_LINE: line = "", ...environment } = io.environment;
  const candidates = await complete(line, commands, createLookUps({ ...io, environment })).catch(() => []);
  const lines = candidates.map(({ value, describe }) => {
    const [sentence = ""] = (describe ?? "").split("\n");
    return `${toVisible(value)}${sentence === "" ? "" : `\t${sentence}`}\n`;
  });
  io.stdout.write(lines.join(""));
}
