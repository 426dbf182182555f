/** `db-agent ask` and `db-agent answer`. */
import { defineCommand } from "./definition.js";
import {
  databasePositional,
  databasesOf,
  gatewayOptions,
  quietOption,
  sourceOption,
  storeOption,
  unnameStdin,
} from "./options.js";

const outputOption = {
  choices: ["text", "json", "jsonl"] as const,
  alias: ["format", "o"],
  default: "text" as const,
  describe: "For people, the answer as JSON, or its events as JSON lines",
} as const;

export const askCommand = defineCommand({
  words: "ask <question> [database..]",
  describe: "A question in words: its SQL, its rows, an answer (needs a model)",
  positionals: {
    question: { type: "string", demandOption: true, describe: "What you want to know; - reads stdin" },
    database: databasePositional,
  },
  options: {
    ...gatewayOptions,
    source: sourceOption,
    output: outputOption,
    session: { type: "string", describe: "Go on with the session of this reference id" },
    store: storeOption,
    quiet: quietOption,
  },
  examples: [
    ['$0 ask "Which ten customers ordered most this year?" postgres://me@localhost/shop', ""],
    ['$0 ask "And last year?" --session <reference id>', "a session knows what was said before"],
    ['$0 ask "How many orders are open?" -o json | jq .text', "for programs"],
  ],
  choose({ question, ...parsed }) {
    const flags = { ...parsed, question: unnameStdin(question), databases: databasesOf(parsed.database) };
    return async (io) => (await import("../faces/ask/ask.js")).runAsk(flags, io);
  },
});

export const resumeCommand = defineCommand({
  words: "resume <session>",
  describe: "Go on with a session whose process died; no write runs twice",
  positionals: { session: { type: "string", demandOption: true, describe: "Its reference id" } },
  options: { ...gatewayOptions, output: outputOption, store: storeOption, quiet: quietOption },
  choose(parsed) {
    return async (io) => (await import("../faces/ask/ask.js")).runResume({ ...parsed, databases: {} }, io);
  },
});

export const answerCommand = defineCommand({
  words: "answer <session> <decision> [text]",
  describe: "Answer what a session waits for: allow a write or not, or reply",
  positionals: {
    session: { type: "string", demandOption: true, describe: "Its reference id" },
    decision: { choices: ["approve", "edit", "reject", "reply"] as const, demandOption: true },
    text: { type: "string", describe: "The statement to run instead, the reason, or the words" },
  },
  options: {
    ...gatewayOptions,
    approval: { type: "string", describe: "Which question, where several wait" },
    code: { type: "string", describe: "The one-time code, where the database's server wants one" },
    output: outputOption,
    store: storeOption,
    quiet: quietOption,
  },
  examples: [
    ["$0 answer <reference id> approve", "the write runs, once"],
    ['$0 answer <reference id> reject "not before Monday"', "nothing runs"],
    ['$0 answer <reference id> reply "by revenue"', "to a question that was asked back"],
  ],
  choose(parsed) {
    return async (io) => (await import("../faces/ask/ask.js")).runAnswer({ ...parsed, databases: {} }, io);
  },
});
