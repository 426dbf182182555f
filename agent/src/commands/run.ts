/** `db-agent run task.json`. */
import { defineCommand } from "./definition.js";
import { databasesOf, formatOption, gatewayOptions, quietOption, storeOption, unnameStdin } from "./options.js";

export const runCommand = defineCommand({
  words: "run <task> [database..]",
  describe: "Run a task file: connections, inspection, statements, output",
  positionals: {
    task: { type: "string", demandOption: true, describe: "The JSON file; - reads stdin" },
    database: { type: "string", array: true, describe: "Takes the place of the task's own" },
  },
  options: {
    ...gatewayOptions,
    output: formatOption,
    events: { type: "boolean", default: false, describe: "Write the events as JSON lines instead of the report" },
    store: storeOption,
    session: { type: "string", describe: "The reference id to run under, instead of a new one" },
    quiet: quietOption,
  },
  examples: [
    ["$0 run examples/tasks/shop-report.json", "with DATABASE_URL set"],
    ["$0 run report.json --output json", "for programs"],
  ],
  choose({ task, output, ...parsed }) {
    const databases = databasesOf(parsed.database);
    const flags = { ...parsed, file: unnameStdin(task), format: output, databases };
    return async (io) => (await import("../faces/run.js")).runTask(flags, io);
  },
});
