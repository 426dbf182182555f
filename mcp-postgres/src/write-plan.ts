/** What a write would do: whether it may run at all, its targets as the catalogue knows them, and what to warn of. */
import {
  assertContext,
  type CallOptions,
  hidesColumns,
  onlyRows,
  remoteTarget,
  type Statement,
  systemTarget,
  unseenTarget,
  writeWarnings,
} from "@database-interface/mcp-core/sql";
import { assertParameters, parseBare, toOneStatement } from "./guard.js";
import { notAllowed } from "./guard-class.js";
import { knowNames } from "./guard-names.js";
import { assertNames } from "./guard-rules.js";
import { collectUsage, type Usage, type UsedName } from "./guard-walk.js";
import { isRowWrite, toWriteShape, type WriteShape } from "./guard-write.js";
import { loadParser } from "./parser.js";
import { arrayText, ask } from "./query.js";
import type { Source } from "./source.js";

/** A write that may run. */
export interface ApprovedWrite extends WriteShape {
  /** The one statement, each character where the caller had it. */
  readonly sql: string;
  readonly targetTexts: readonly string[];
  /** The first target's full name and primary key, where it is a table that has one. */
  readonly table: { readonly schema: string; readonly name: string; readonly key: readonly string[] } | undefined;
}

const targetsSql = `
  SELECT n.nspname, c.relname, c.relkind,
    (SELECT pg_catalog.string_agg(t.tgname, ', ' ORDER BY t.tgname) FROM pg_catalog.pg_trigger AS t
      WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'),
    (SELECT pg_catalog.string_agg(DISTINCT f.conrelid::pg_catalog.regclass::pg_catalog.text, ', ')
      FROM pg_catalog.pg_constraint AS f
      WHERE f.contype = 'f' AND f.confrelid = c.oid AND (f.confdeltype IN ('c', 'n', 'd') OR f.confupdtype IN ('c', 'n', 'd'))),
    c.relkind <> 'v' AND EXISTS (
      SELECT FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid AND r.ev_type <> '1'),
    (SELECT pg_catalog.array_to_json(pg_catalog.array_agg(a.attname ORDER BY a.attnum)) FROM pg_catalog.pg_index AS x
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey)
      WHERE x.indrelid = c.oid AND x.indisprimary)
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
      WITH ORDINALITY AS u (nspname, relname, position)
    JOIN pg_catalog.pg_class AS c ON c.relname = u.relname
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE CASE WHEN u.nspname = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = u.nspname END
  ORDER BY u.position`;

/** @throws CodedError `not_allowed`, `syntax_error`, `multiple_statements`, `parameter_count`, `permission_denied` */
export async function approveWrite(
  source: Source,
  { sql, params }: Statement,
  options: CallOptions,
): Promise<ApprovedWrite> {
  if (source.columnRules.length > 0) throw hidesColumns();
  assertContext(source.sessionContext, options);
  const shape = toOneStatement(sql);
  assertParameters(shape, params);
  const parse = await loadParser();
  const { bare, tree } = parseBare(parse, sql, shape);
  const usage = collectUsage(tree);
  const write = toWriteShape(Object.keys(tree)[0] ?? "", tree, usage);
  if (source.sessionContext.length > 0 && !isRowWrite(write)) throw onlyRows();
  if (!shape.isClosed) throw notAllowed("The statement has a quote or parenthesis that is not closed.", "Close it.");
  await assertNames(source, parse, await withoutSequences(source, usage, options), options);

  const asked = write.targets;
  const [rows = []] = await ask(
    source,
    [
      {
        sql: targetsSql,
        params: [arrayText(asked.map(({ schema = "" }) => schema)), arrayText(asked.map(({ name }) => name))],
      },
    ],
    options,
  );
  const warnings = [...write.warnings];
  for (const target of asked) assertTarget(source, target);
  for (const [schema, name, kind, triggers, dependents, hasRules] of rows) {
    assertTarget(source, { schema: schema ?? "", name: name ?? "" });
    if (kind === "f") throw remoteTarget(name ?? "");
    if (triggers) warnings.push(writeWarnings.triggers(name ?? "", triggers));
    if (hasRules === "t") warnings.push(`${name} has rules, which rewrite the statement.`);
    if (dependents) warnings.push(writeWarnings.followers(name ?? "", dependents));
  }
  const [first] = rows;
  const isTable = first !== undefined && (first[2] === "r" || first[2] === "p");
  return {
    ...write,
    sql: bare,
    warnings,
    targetTexts: asked.map(({ schema, name }) => (schema === undefined ? name : `${schema}.${name}`)),
    table: isTable ? { schema: first[0] ?? "", name: first[1] ?? "", key: toKey(first[6]) } : undefined,
  };
}

/** Our own question's answer: a JSON array of names, or nothing. */
const toKey = (json: string | null | undefined): readonly string[] => (json ? (JSON.parse(json) as string[]) : []);

/** Nothing of the system's, and nothing outside of the schemas that are shown. */
function assertTarget({ schemas }: Source, { schema, name }: UsedName): void {
  if (/^(pg_|information_schema$)/.test(schema ?? "") || (schema === undefined && name.startsWith("pg_"))) {
    throw systemTarget(name);
  }
  if (schemas === undefined || (schema !== undefined && schemas.includes(schema))) return;
  throw unseenTarget(schemas);
}

/** nextval is volatile, and how rows get their numbers: the system's own may be called in a write. */
async function withoutSequences(source: Source, usage: Usage, options: CallOptions): Promise<Usage> {
  const called = usage.calls.filter(({ name }) => name === "nextval");
  if (called.length === 0) return usage;
  const known = await knowNames(source, { functions: ["nextval"], relations: [], operators: [], types: [] }, options);
  if (known.functions("nextval").some(({ isReviewed }) => !isReviewed)) return usage;
  return { ...usage, calls: usage.calls.filter((call) => !called.includes(call)) };
}
