/** `db-agent [database..]`: the prompt. */
import { AgentError, nearest } from "../errors.js";
import { defineCommand } from "./definition.js";
import { databasesOf, gatewayOptions, sourceOption, storeOption } from "./options.js";

/** The command that runs where none is named; it has to know the others' names to see a misspelt one. */
export const connectCommand = (commandNames: () => readonly string[]) =>
  defineCommand({
    words: ["$0 [database..]", "connect [database..]"],
    describe: "Interactive: SQL, and \\? for the commands",
    positionals: {
      database: { type: "string", array: true, describe: "A URL, or name=url; several are possible" },
    },
    options: {
      ...gatewayOptions,
      source: sourceOption,
      store: storeOption,
      session: { type: "string", describe: "Go on with the session of this reference id" },
    },
    choose(parsed) {
      if (parsed._.length === 0) refuseMisspeltCommand(parsed.database, commandNames());
      const databases = databasesOf(parsed.database);
      return async (io) => (await import("../faces/repl/repl.js")).runRepl({ ...parsed, databases }, io);
    },
  });

/** Where no command is named, a word that is no database is a misspelt command. */
function refuseMisspeltCommand([first]: readonly string[] = [], commandNames: readonly string[]): void {
  if (first !== undefined && /^[a-z-]+$/i.test(first)) {
    const near = nearest(first, commandNames);
    throw new AgentError("usage", `There is no command ${first}.`, {
      hint: near === undefined ? "db-agent --help lists the commands." : `Did you mean ${near}?`,
    });
  }
}
