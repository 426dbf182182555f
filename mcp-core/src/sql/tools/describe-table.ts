/** `describe_table`: what one needs to know to write SQL against a table or view. */
import * as v from "valibot";
import { chooseSource, quoteOf, withDeadline } from "../call.js";
import { parseTableName } from "../identifiers.js";
import { permit } from "../policy.js";
import { toTableText } from "../table-text.js";
import { cutToBytes } from "../text-reply.js";
import { defineTool, sourceArgument } from "../tool.js";

export const describeTable = defineTool({
  name: "describe_table",
  set: "core",
  access: "read",
  needsSource: true,
  input: v.strictObject({
    table: v.pipe(v.string(), v.description("table or schema.table")),
    source: sourceArgument,
  }),
  describe: () => "Show a table or view: columns with types, enum values, keys, foreign keys both ways, indexes, size.",
  async run({ table, source }, call) {
    const caps = permit(call.service.settings, "read");
    const { database } = chooseSource(call.service, source);
    const options = { signal: withDeadline(call.signal, caps) };
    const description = await database.catalog.describe(parseTableName(table), options);
    return cutToBytes(toTableText(description, quoteOf(call.service)), caps.maxBytes);
  },
});
