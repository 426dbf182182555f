/**
 * What the relations of a statement hide: which of their columns a rule denies or masks, directly, by inheritance, or
 * because a view passes them on. A view that does anything else with a hidden column is closed. Asked anew for every
 * statement: what was altered a moment ago counts.
 */
import type { CallOptions, ColumnRule } from "@database-interface/mcp-core/sql";
import { ruleFor } from "@database-interface/mcp-core/sql";
import { parseOne } from "./guard-class.js";
import type { UsedName } from "./guard-walk.js";
import { passedColumns } from "./hidden-views.js";
import type { Parse } from "./parser.js";
import { arrayText, ask } from "./query.js";
import type { TextRow } from "./session.js";
import type { Source } from "./source.js";

/** A relation and what of it is hidden. */
export interface HidingRelation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly { readonly number: number; readonly name: string }[];
  /** The rule of each hidden column, by its name. */
  readonly hidden: ReadonlyMap<string, ColumnRule>;
  /** Why nothing may be read from it: a hidden column that it reads in a way that is not simply passing it on. */
  readonly closedBy: string | undefined;
}

/** What is known of a statement's relations. */
export interface HidingRelations {
  /** The relation a name means; undefined when there is none. */
  of(name: UsedName): HidingRelation | undefined;
  /** True for a hidden column by its relation's oid and its number. */
  isHidden(oid: number, column: number): boolean;
}

/** Everything a name reaches: through views what they read, and both ways along inheritance. */
const reachSql = `
  WITH RECURSIVE used AS (
    SELECT u.position, c.oid
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
        WITH ORDINALITY AS u (nspname, relname, position)
      JOIN pg_catalog.pg_class AS c ON c.relname = u.relname
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE CASE WHEN u.nspname = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = u.nspname END
  ), reach (oid) AS (
    SELECT oid FROM used
    UNION
    SELECT next.oid FROM reach AS r CROSS JOIN LATERAL (
      SELECT d.refobjid FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      WHERE w.ev_class = r.oid AND w.ev_type = '1' AND d.refobjid <> r.oid
      UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = r.oid
      UNION ALL SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = r.oid
    ) AS next (oid)
  )
  SELECT c.oid, n.nspname, c.relname,
    (SELECT pg_catalog.json_agg(u.position) FROM used AS u WHERE u.oid = c.oid),
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attnum, a.attname) ORDER BY a.attnum)
      FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    (SELECT pg_catalog.jsonb_agg(DISTINCT pg_catalog.jsonb_build_array(d.refobjid::pg_catalog.int8, d.refobjsubid))
      FROM pg_catalog.pg_rewrite AS w JOIN pg_catalog.pg_depend AS d
        ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
      WHERE w.ev_class = c.oid AND w.ev_type = '1' AND d.refobjid <> c.oid),
    (SELECT pg_catalog.json_agg(CASE WHEN i.inhrelid = c.oid THEN i.inhparent ELSE i.inhrelid END::pg_catalog.int8)
      FROM pg_catalog.pg_inherits AS i WHERE c.oid IN (i.inhrelid, i.inhparent)),
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END
  FROM (SELECT DISTINCT oid FROM reach) AS r JOIN pg_catalog.pg_class AS c ON c.oid = r.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace`;

/** A relation as the catalogue describes it. */
interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** Places of the names, from 1, that mean it. */
  readonly positions: readonly number[];
  readonly columns: readonly { readonly number: number; readonly name: string }[];
  /** What a view reads: relation and column, 0 for the relation itself. */
  readonly reads: readonly (readonly [oid: number, column: number])[];
  readonly family: readonly number[];
  readonly definition: string | undefined;
}

/** Learns what these names mean and hide, in one round trip. */
export async function learnHiding(
  source: Source,
  parse: Parse,
  names: readonly UsedName[],
  options: CallOptions,
): Promise<HidingRelations> {
  const schemas = arrayText(names.map(({ schema = "" }) => schema));
  const [rows = []] = await ask(
    source,
    [{ sql: reachSql, params: [schemas, arrayText(names.map(({ name }) => name))] }],
    options,
  );
  const relations = new Map(rows.map(toRelation).map((relation) => [relation.oid, relation]));
  const hiding = createHiding(relations, source.columnRules, parse);
  return {
    of(wanted) {
      const at = names.findIndex(({ schema, name }) => schema === wanted.schema && name === wanted.name) + 1;
      const found = [...relations.values()].find(({ positions }) => positions.includes(at));
      return found === undefined ? undefined : { ...found, ...hiding(found) };
    },
    isHidden(oid, column) {
      const relation = relations.get(oid);
      const name = relation?.columns.find(({ number }) => number === column)?.name;
      return relation !== undefined && name !== undefined && hiding(relation).hidden.has(name);
    },
  };
}

const list = (json: string | null | undefined): unknown => JSON.parse(json ?? "[]");

function toRelation([oid, schema, name, positions, columns, reads, family, definition]: TextRow): Relation {
  // Arrays as reachSql writes them.
  return {
    oid: Number(oid),
    schema: schema ?? "",
    name: name ?? "",
    positions: list(positions) as number[],
    columns: (list(columns) as [number, string][]).map(([number, column]) => ({ number, name: column })),
    reads: list(reads) as [number, number][],
    family: list(family) as number[],
    definition: definition?.replace(/;\s*$/, ""),
  };
}

type Hiding = Pick<HidingRelation, "hidden" | "closedBy">;

function createHiding(relations: ReadonlyMap<number, Relation>, rules: readonly ColumnRule[], parse: Parse) {
  const decided = new Map<number, Hiding>();

  /** The rules of its own columns, and of its parents' and children's of the same name: they hold the same rows. */
  function ownRules(relation: Relation): Map<string, ColumnRule> {
    const family = familyOf(relation);
    const found = new Map<string, ColumnRule>();
    for (const { name } of relation.columns) {
      const hits = family.flatMap(({ schema, name: table }) => ruleFor(rules, { schema, table, column: name }) ?? []);
      const rule = hits.find(({ mask }) => mask === undefined) ?? hits[0];
      if (rule !== undefined) found.set(name, rule);
    }
    return found;
  }

  function familyOf(relation: Relation): readonly Relation[] {
    const members = new Map([[relation.oid, relation]]);
    for (const member of members.values()) {
      for (const oid of member.family) {
        const next = relations.get(oid);
        if (next !== undefined) members.set(oid, next);
      }
    }
    return [...members.values()];
  }

  function hiding(relation: Relation): Hiding {
    const known = decided.get(relation.oid);
    if (known !== undefined) return known;
    const hidden = ownRules(relation);
    // A view that reads itself does not exist; this only ends the recursion.
    decided.set(relation.oid, { hidden, closedBy: undefined });
    const answer = relation.definition === undefined ? { hidden, closedBy: undefined } : viewHiding(relation, hidden);
    decided.set(relation.oid, answer);
    return answer;
  }

  function viewHiding({ reads, definition = "" }: Relation, own: ReadonlyMap<string, ColumnRule>): Hiding {
    const below = new Map<string, ColumnRule>();
    const touched = new Set<string>();
    for (const [oid, column] of reads) {
      const read = relations.get(oid);
      if (read === undefined) continue;
      const { hidden, closedBy } = hiding(read);
      if (closedBy !== undefined) return { hidden: own, closedBy };
      for (const [name, rule] of hidden) below.set(name, rule);
      const name = read.columns.find(({ number }) => number === column)?.name;
      if (name !== undefined && hidden.has(name)) touched.add(`${read.schema}.${read.name}.${name}`);
    }
    if (below.size === 0) return { hidden: own, closedBy: undefined };
    const passed = passedColumns(parseOne(parse, definition), below, touched.size > 0);
    const [first = [...below.keys()][0]] = touched;
    if (passed === undefined) return { hidden: own, closedBy: first };
    return { hidden: new Map([...passed, ...own]), closedBy: undefined };
  }

  return hiding;
}
