/** `db-agent notes`. */
import { defineCommand } from "./definition.js";
import { unnameStdin } from "./options.js";

const actions = ["show", "edit", "add", "remove", "examples", "keep", "forget"] as const;

export const notesCommand = defineCommand({
  words: "notes [source] [action] [text] [sql]",
  describe: "What people know of a database, for the model: notes, and approved questions",
  positionals: {
    source: { type: "string", describe: "The database's name; without it those that have notes are listed" },
    action: { choices: actions, default: "show" as const },
    text: { type: "string", describe: "The note, words of the line to remove, or the question; add - reads stdin" },
    sql: { type: "string", describe: "The statement that answers it" },
  },
  options: {
    output: {
      choices: ["text", "json"] as const,
      alias: ["format", "o"],
      default: "text" as const,
      describe: "How it is written",
    },
  },
  examples: [
    ["$0 notes shop edit", "in $VISUAL or $EDITOR"],
    ['$0 notes shop add "Revenue counts paid, shipped and delivered orders"', ""],
    ['$0 notes shop keep "How many customers?" "SELECT count(*) FROM customers"', "an approved answer"],
    ["$0 notes shop examples", "and: forget <number>"],
  ],
  choose({ text, ...parsed }) {
    const flags = { ...parsed, text: text === undefined ? undefined : unnameStdin(text) };
    return async (io) => (await import("../faces/notes.js")).runNotes(flags, io);
  },
});
