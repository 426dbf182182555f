/** `db-agent serve`. */
import { defineCommand } from "./definition.js";
import { databasePositional, databasesOf, gatewayOptions, storeOption } from "./options.js";

export const serveCommand = defineCommand({
  words: "serve [database..]",
  describe: "REST and events for programs; OpenAPI at /openapi.json",
  positionals: { database: databasePositional },
  options: {
    ...gatewayOptions,
    host: { type: "string", default: "127.0.0.1", describe: "The address to listen on", group: "Serving:" },
    port: { type: "number", default: 8000, describe: "The port; 0 takes any free one", group: "Serving:" },
    auth: {
      type: "boolean",
      default: true,
      describe: "Ask for a bearer token (env DB_AGENT_TOKEN; else one is made and shown once)",
      group: "Serving:",
    },
    "auth-file": {
      type: "string",
      describe: "File of tokens, one a line; name=token sees its own sessions only",
      group: "Serving:",
    },
    "allow-host": {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: "A host name clients use, besides the address",
      group: "Serving:",
    },
    "allow-origin": {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: "A web origin that may call (CORS)",
      group: "Serving:",
    },
    store: storeOption,
  },
  examples: [
    ["$0 serve --port 8000 postgres://me@localhost/shop", ""],
    ["$0 serve --gateway http://127.0.0.1:8730 --store file", "sessions outlive the process"],
  ],
  choose(parsed) {
    const databases = databasesOf(parsed.database);
    return async (io) => (await import("../faces/serve/serve.js")).runServe({ ...parsed, databases }, io);
  },
});
