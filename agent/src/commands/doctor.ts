/** `db-agent doctor`. */
import { defineCommand } from "./definition.js";
import { databasePositional, databasesOf, gatewayOptions, storeOption } from "./options.js";

export const doctorCommand = defineCommand({
  words: "doctor [database..]",
  describe: "Check everything, and say what to do: gateway, databases, model, store, files, terminal",
  positionals: { database: databasePositional },
  options: {
    ...gatewayOptions,
    store: storeOption,
    offline: { type: "boolean", default: false, describe: "Ask no model" },
    output: {
      choices: ["text", "json"] as const,
      alias: ["format", "o"],
      default: "text" as const,
      describe: "How it is written",
    },
  },
  examples: [
    ["$0 doctor postgres://me@localhost/shop", ""],
    ["$0 doctor --offline --output json", "for programs; exit code 1 where something does not work"],
  ],
  choose(parsed) {
    const databases = databasesOf(parsed.database);
    return async (io) => (await import("../faces/doctor/doctor.js")).runDoctor({ ...parsed, databases }, io);
  },
});
