/** `explain`: a statement's plan, and what is wrong with it in words. */
import * as v from "valibot";
import { chooseSource, toStatement, withDeadline } from "../call.js";
import { toIndentedLines, toOneLine } from "../json-text.js";
import { permit } from "../policy.js";
import { cutToBytes } from "../text-reply.js";
import { defineTool, sourceArgument } from "../tool.js";

export const explain = defineTool({
  name: "explain",
  set: "core",
  access: "read",
  needsSource: true,
  input: v.strictObject({
    sql: v.string(),
    params: v.optional(v.array(v.any())),
    analyze: v.optional(v.pipe(v.boolean(), v.description("runs it, for real times"))),
    source: sourceArgument,
  }),
  describe: () => "Show a statement's plan and what makes it slow, without running it.",
  async run({ sql, params, analyze, source }, call) {
    const caps = permit(call.service.settings, "read");
    const statement = toStatement(sql, params);
    const { database } = chooseSource(call.service, source);
    const signal = withDeadline(call.signal, caps);
    const { plan, findings } = await database.explain(statement, {
      ...caps,
      signal,
      analyze: analyze ?? false,
      observe: call.record?.observe,
    });
    const lines = findings.map((finding) => `- ${toOneLine(finding)}`);
    const found = lines.length > 0 ? lines.join("\n") : "- nothing stands out";
    return cutToBytes(`findings:\n${found}\nplan:\n${toIndentedLines(plan.trimEnd(), "  ")}`, caps.maxBytes);
  },
});
