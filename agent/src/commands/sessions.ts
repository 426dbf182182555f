/** `db-agent sessions` and `schema`: what needs no database. */
import { defineCommand } from "./definition.js";
import { formatOption, storeOption } from "./options.js";

export const sessionsCommand = defineCommand({
  words: "sessions [action] [session]",
  describe: "Earlier runs by their reference ids: list, show, delete",
  positionals: {
    action: { choices: ["list", "show", "delete"], default: "list" as const },
    session: { type: "string", describe: "The reference id" },
  },
  options: { store: storeOption, output: formatOption },
  choose({ output, ...parsed }) {
    return async (io) => (await import("../faces/sessions.js")).runSessions({ ...parsed, format: output }, io);
  },
});

export const schemaCommand = defineCommand({
  words: "schema",
  describe: "The JSON Schema of task files",
  choose: () => async (io) => {
    const { taskJsonSchema } = await import("../task-json-schema.js");
    io.stdout.write(`${JSON.stringify(taskJsonSchema(), null, 2)}\n`);
    return 0;
  },
});
