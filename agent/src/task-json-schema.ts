/** The JSON Schema of task files, derived from the schema that parses them. */
import { toJsonSchema } from "@valibot/to-json-schema";
import { taskSchema } from "./task.js";

/** As `db-agent schema` prints it and `schema/task.json` publishes it. */
export function taskJsonSchema(): Record<string, unknown> {
  return {
    ...toJsonSchema(taskSchema, { errorMode: "ignore", typeMode: "input" }),
    title: "A task of db-agent",
  };
}
