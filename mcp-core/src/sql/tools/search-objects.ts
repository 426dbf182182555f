/** `search_objects`: what exists in a database, by name and kind, in as much detail as asked for. */
import * as v from "valibot";
import { type Call, chooseSource, quoteOf, type Source, withDeadline } from "../call.js";
import type { FoundObject } from "../catalog-objects.js";
import type { Cell, Column } from "../database.js";
import type { Caps } from "../limits.js";
import { permit } from "../policy.js";
import { createResultWriter } from "../result.js";
import { toTableText } from "../table-text.js";
import { defineTool, sourceArgument } from "../tool.js";

const kinds = ["schema", "table", "view", "column", "index", "function"] as const;
const details = ["names", "summary", "full"] as const;
type Detail = (typeof details)[number];

/** Objects at most: `full` describes every table it finds. */
const limits = { names: 500, summary: 200, full: 15 } as const satisfies Record<Detail, number>;

export const searchObjects = defineTool({
  name: "search_objects",
  set: "core",
  access: "read",
  needsSource: true,
  input: v.strictObject({
    pattern: v.optional(v.pipe(v.string(), v.description("part of the name, or with % _ * ?"))),
    kind: v.optional(v.picklist(kinds)),
    schema: v.optional(v.string()),
    detail: v.optional(v.picklist(details)),
    source: sourceArgument,
  }),
  output: v.object({
    columns: v.array(v.string()),
    rows: v.array(v.array(v.any())),
    row_count: v.number(),
    truncated: v.optional(v.boolean()),
    hint: v.optional(v.string()),
  }),
  describe: () =>
    "Find schemas, tables, views, columns, indexes and functions by name; start here. " +
    "detail: names; summary (default) adds row estimates and comments; full describes the tables.",
  async run({ pattern, kind, schema, detail = "summary", source }, call) {
    const caps = permit(call.service.settings, "read");
    const chosen = chooseSource(call.service, source);
    const bounded = { ...call, signal: withDeadline(call.signal, caps) };
    const limit = limits[detail];
    const search = { pattern, kind, schema, limit: limit + 1 };
    const found = await chosen.database.catalog.search(search, { signal: bounded.signal });
    const kept = found.slice(0, limit);
    const texts = detail === "full" ? await describeTables(kept, chosen, bounded) : [];
    return writeObjects(kept, texts, found.length > limit, detail, caps);
  },
});

async function describeTables(found: readonly FoundObject[], { database }: Source, call: Call) {
  const described = found.map(async ({ kind, schema, name }) => {
    if (kind !== "table" && kind !== "view") return undefined;
    return toTableText(await database.catalog.describe({ schema, name }, call), quoteOf(call.service));
  });
  return Promise.all(described);
}

type Field = { readonly column: string; readonly cells: readonly (string | undefined)[] };

const always = new Set(["kind", "schema", "name"]);

/** A table of the objects in which only the leading columns can be empty. */
function writeObjects(
  found: readonly FoundObject[],
  texts: readonly (string | undefined)[],
  isMore: boolean,
  detail: Detail,
  caps: Caps,
): string {
  const fields: Field[] = [
    { column: "kind", cells: found.map(({ kind }) => kind) },
    { column: "schema", cells: found.map(({ kind, schema }) => (kind === "schema" ? undefined : schema)) },
    { column: "table", cells: found.map(({ table }) => table) },
    { column: "name", cells: found.map(({ name }) => name) },
  ];
  if (detail !== "names") {
    fields.push(
      { column: "rows_estimate", cells: found.map(({ rowEstimate }) => rowEstimate?.toFixed(0)) },
      { column: "definition", cells: found.map(({ definition }) => definition) },
      { column: "comment", cells: found.map(({ comment }) => comment) },
    );
  }
  if (detail === "full") fields.push({ column: "description", cells: texts });
  const used = fields.filter(({ column, cells }) => always.has(column) || cells.some((cell) => cell));
  const columns = used.map(
    ({ column }): Column => ({
      name: column,
      type: "text",
      form: column === "rows_estimate" ? "integer" : "text",
    }),
  );
  const writer = createResultWriter(
    { ...caps, maxRows: limits[detail], maxCellBytes: caps.maxBytes },
    { withTypes: false },
  );
  writer.columns(columns);
  const full = found.some((_, row) => !writer.add(used.map(({ cells }): Cell => cells[row] ?? null)));
  return writer.finish(
    isMore || full ? { truncated: true, hint: "There are more: narrow pattern, kind or schema." } : {},
  );
}
