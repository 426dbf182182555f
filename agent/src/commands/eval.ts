/** `db-agent eval`. */
import { defineCommand } from "./definition.js";
import { databasePositional, databasesOf, gatewayOptions, quietOption, sourceOption, unnameStdin } from "./options.js";

export const evalCommand = defineCommand({
  words: "eval <cases> [database..]",
  describe: "The model on questions whose answers are known, and a score",
  positionals: {
    cases: { type: "string", demandOption: true, describe: "The YAML file; - reads stdin" },
    database: databasePositional,
  },
  options: {
    ...gatewayOptions,
    source: sourceOption,
    only: {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: "Cases by name or tag, with commas",
    },
    parallel: { type: "number", default: 4, describe: "Questions at a time" },
    "min-score": { type: "string", describe: "Exit with 1 below it: 0.9, or 90%" },
    report: { type: "string", describe: "Keep what was found in this JSON file while it runs" },
    resume: { type: "boolean", default: false, describe: "Go on with that report: only what is missing is asked" },
    output: {
      choices: ["text", "json"] as const,
      alias: ["format", "o"],
      default: "text" as const,
      describe: "A line for each case and the score, or all as JSON",
    },
    quiet: quietOption,
  },
  examples: [
    ["$0 eval examples/eval/shop.yaml postgres://me@localhost/shop --min-score 90%", "for CI"],
    ["$0 eval cases.yaml --only revenue --output json", "some of them, for programs"],
    ["$0 eval cases.yaml --report found.json --resume", "after an interruption"],
  ],
  choose({ cases, ...parsed }) {
    const flags = { ...parsed, file: unnameStdin(cases), databases: databasesOf(parsed.database) };
    return async (io) => (await import("../faces/eval.js")).runEval(flags, io);
  },
});
