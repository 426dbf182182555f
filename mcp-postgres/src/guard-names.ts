/** What the catalogue knows of the names a statement uses, remembered for a while so that most statements ask nothing. */
import type { CallOptions } from "@database-interface/mcp-core/sql";
import type { KnownFunction, KnownRelation, KnownType } from "./guard-memory.js";
import type { UsedName } from "./guard-walk.js";
import { arrayText, ask } from "./query.js";
import type { TextRow } from "./session.js";
import type { Source } from "./source.js";

/** Everything known of one statement's names. */
export interface KnownNames {
  functions(name: string): readonly KnownFunction[];
  relation(name: UsedName): KnownRelation | undefined;
  /** An operator by this symbol is backed by a volatile function. */
  isVolatileOperator(symbol: string): boolean;
  /** An operator by this symbol may answer differently for the same operands. */
  isUnsettledOperator(symbol: string): boolean;
  /** Undefined for the system's own. */
  type(name: string): KnownType | undefined;
}

/** Names are learnt anew after this long: someone may have replaced a function. */
const memoryMs = 30_000;
const maxRemembered = 5_000;

/** oid and the reg… types, whose text is the name of an object. */
const catalogueTypes = "'{26,24,2202,2203,2204,2205,2206,3734,3769,4089,4096,4191}'::pg_catalog.oid[]";

const functionsSql = `
  SELECT p.proname, n.nspname,
    p.provolatile = 'v' OR EXISTS (
      SELECT 1 FROM pg_catalog.pg_aggregate AS a
        JOIN pg_catalog.pg_proc AS part ON part.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
          a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
      WHERE a.aggfnoid = p.oid AND part.provolatile = 'v'),
    p.pronargs - p.pronargdefaults <= 1 AND (t.typtype = 'c' OR t.typtype = 'p'),
    n.nspname = 'pg_catalog' OR EXISTS (
      SELECT 1 FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'),
    p.pronargs - p.pronargdefaults, CASE WHEN p.provariadic = 0 THEN p.pronargs END,
    CASE WHEN n.nspname = 'pg_catalog' OR NOT $2::pg_catalog.bool THEN true
      WHEN p.prokind NOT IN ('f', 'w') OR l.lanname NOT IN ('sql', 'plpgsql') THEN false ELSE (
        SELECT d.body !~* '\\m(from|join|table|execute|perform|cursor|\\w*xml\\w*|ts_stat|dblink\\w*)\\M|u&|ts_rewrite|crosstab'
          AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_proc AS q JOIN pg_catalog.pg_namespace AS m ON m.oid = q.pronamespace
            WHERE m.nspname NOT IN ('pg_catalog', 'information_schema') AND q.proname <> p.proname
              AND pg_catalog.strpos(d.body, q.proname) > 0)
        FROM (SELECT pg_catalog.pg_get_functiondef(p.oid) OFFSET 0) AS d (body)) END,
    n.nspname = 'pg_catalog' AND (
      p.prorettype = ANY (${catalogueTypes}) OR p.proargtypes::pg_catalog.oid[] && ${catalogueTypes}
      OR COALESCE(p.proallargtypes && ${catalogueTypes}, false)
      OR p.proname ~ '^(pg_get_|has_|to_reg|pg_stat|pg_identify|pg_describe|pg_show|pg_ls|pg_lock|pg_cursor|pg_prepared|pg_event|pg_tablespace|pg_database|current_schemas|row_security)'),
    pg_catalog.pg_function_is_visible(p.oid),
    p.provolatile = 'i' AND (n.nspname = 'pg_catalog' OR NOT EXISTS (
      SELECT 1 FROM pg_catalog.pg_aggregate AS a
        JOIN pg_catalog.pg_proc AS part ON part.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
          a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
      WHERE a.aggfnoid = p.oid AND part.provolatile <> 'i'))
  FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    LEFT JOIN pg_catalog.pg_type AS t ON t.oid = p.proargtypes[0]
    LEFT JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
  WHERE p.proname = ANY ($1::pg_catalog.text[])`;

const operatorsSql = `
  SELECT o.oprname, pg_catalog.bool_or(p.provolatile = 'v'),
    pg_catalog.bool_or(p.provolatile <> 'i' AND p.pronamespace <> 'pg_catalog'::pg_catalog.regnamespace)
  FROM pg_catalog.pg_operator AS o JOIN pg_catalog.pg_proc AS p ON p.oid = o.oprcode
  WHERE o.oprname = ANY ($1::pg_catalog.text[]) GROUP BY o.oprname`;

const relationsSql = `
  SELECT u.position, n.nspname, c.relname, w.fdwname,
    CASE WHEN c.relkind = 'v' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT EXISTS (
      SELECT 1 FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
    ) THEN pg_catalog.pg_get_viewdef(c.oid) END,
    c.relkind IN ('r', 'p', 'm') AND NOT c.relrowsecurity
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.text[]), pg_catalog.unnest($2::pg_catalog.text[]))
      WITH ORDINALITY AS u (nspname, relname, position)
    JOIN pg_catalog.pg_class AS c ON c.relname = u.relname
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_foreign_table AS f ON f.ftrelid = c.oid
    LEFT JOIN pg_catalog.pg_foreign_server AS s ON s.oid = f.ftserver
    LEFT JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
  WHERE CASE WHEN u.nspname = '' THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = u.nspname END`;

/** Of every type by the name: the domains it is made of, however deep, and casts to any of it. */
const typesSql = `
  WITH RECURSIVE parts (typname, oid) AS (
    SELECT t.typname, t.oid FROM pg_catalog.pg_type AS t
    WHERE t.typname = ANY ($1::pg_catalog.text[]) AND t.oid >= 16384
    UNION
    SELECT parts.typname, inner_type.oid
    FROM parts JOIN pg_catalog.pg_type AS t ON t.oid = parts.oid
      CROSS JOIN LATERAL (
        SELECT t.typbasetype UNION ALL SELECT t.typelem
        UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute AS a
          WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS inner_type (oid)
    WHERE inner_type.oid >= 16384)
  SELECT parts.typname, pg_catalog.pg_get_expr(c.conbin, 0)
  FROM parts JOIN pg_catalog.pg_constraint AS c ON c.contypid = parts.oid WHERE c.contype = 'c'
  UNION ALL SELECT parts.typname, NULL
  FROM parts JOIN pg_catalog.pg_cast AS c ON c.casttarget = parts.oid
    JOIN pg_catalog.pg_proc AS p ON p.oid = c.castfunc
  WHERE p.provolatile = 'v'`;

/** Not asked about where no schema is named: they stand in nearly every statement. */
const commonTypes = new Set(
  `bool bytea char name int2 int4 int8 text oid json jsonb xml float4 float8 bpchar varchar date time timetz timestamp
  timestamptz interval numeric uuid inet cidr money bit varbit tsvector tsquery regclass`.split(/\s+/),
);

const isOwnType = ({ schema, name }: UsedName): boolean =>
  schema === undefined ? !commonTypes.has(name) : schema !== "pg_catalog";

const keyOf = ({ schema = "", name }: UsedName): string => `${schema}\0${name}`;

/** Learns what isn't known yet, in one round trip; none when everything is. */
export async function knowNames(
  source: Source,
  names: {
    readonly functions: readonly string[];
    readonly relations: readonly UsedName[];
    readonly operators: readonly string[];
    readonly types: readonly UsedName[];
  },
  options: CallOptions,
): Promise<KnownNames> {
  const memory = source.names;
  const size = memory.functions.size + memory.relations.size + memory.operators.size + memory.types.size;
  if (performance.now() - memory.learntAt > memoryMs || size > maxRemembered) {
    memory.functions.clear();
    memory.relations.clear();
    memory.operators.clear();
    memory.types.clear();
    memory.learntAt = performance.now();
  }
  const functions = [...new Set(names.functions)].filter((name) => !memory.functions.has(name));
  const operators = [...new Set(names.operators)].filter((symbol) => !memory.operators.has(symbol));
  const types = [...new Set(names.types.filter(isOwnType).map(({ name }) => name))].filter(
    (name) => !memory.types.has(name),
  );
  const relations = new Map(
    names.relations.filter((name) => !memory.relations.has(keyOf(name))).map((name) => [keyOf(name), name]),
  );
  const unknown = [...relations.values()];
  if (functions.length + operators.length + types.length + unknown.length > 0) {
    const [foundFunctions = [], foundOperators = [], foundRelations = [], foundTypes = []] = await ask(
      source,
      [
        { sql: functionsSql, params: [arrayText(functions), String(source.columnRules.length > 0)] },
        { sql: operatorsSql, params: [arrayText(operators)] },
        {
          sql: relationsSql,
          params: [arrayText(unknown.map(({ schema = "" }) => schema)), arrayText(unknown.map(({ name }) => name))],
        },
        { sql: typesSql, params: [arrayText(types)] },
      ],
      options,
    );
    for (const name of functions) memory.functions.set(name, toFunctions(foundFunctions, name));
    for (const symbol of operators) {
      const [, isVolatile, isUnsettled] = foundOperators.find(([found]) => found === symbol) ?? [];
      memory.operators.set(symbol, { isVolatile: isVolatile === "t", isUnsettled: isUnsettled === "t" });
    }
    for (const name of types) memory.types.set(name, toType(foundTypes.filter(([found]) => found === name)));
    unknown.forEach((name, index) => {
      memory.relations.set(keyOf(name), toRelation(foundRelations.find(([at]) => Number(at) === index + 1)));
    });
  }
  // Copied: another call may forget while this one still decides.
  const known = {
    ...memory,
    functions: new Map(memory.functions),
    relations: new Map(memory.relations),
    types: new Map(memory.types),
  };
  return {
    functions: (name) => known.functions.get(name) ?? [],
    relation: (name) => known.relations.get(keyOf(name)),
    type: (name) => known.types.get(name),
    isVolatileOperator: (symbol) => memory.operators.get(symbol)?.isVolatile ?? true,
    isUnsettledOperator: (symbol) => memory.operators.get(symbol)?.isUnsettled ?? true,
  };
}

function toFunctions(rows: readonly TextRow[], name: string): readonly KnownFunction[] {
  return rows
    .filter(([found]) => found === name)
    .map(([, schema, isVolatile, takesRow, isReviewed, minArgs, maxArgs, isPure, tells, isVisible, isImmutable]) => ({
      schema: schema ?? "",
      isVolatile: isVolatile === "t",
      takesRow: takesRow === "t",
      isReviewed: isReviewed === "t",
      isPure: isPure === "t",
      tellsCatalogue: tells === "t",
      isVisible: isVisible === "t",
      isImmutable: isImmutable === "t",
      // A variadic argument may be left out.
      minArgs: maxArgs == null ? Number(minArgs) - 1 : Number(minArgs),
      maxArgs: maxArgs == null ? Number.POSITIVE_INFINITY : Number(maxArgs),
    }));
}

function toType(rows: readonly TextRow[]): KnownType {
  const checks = rows.flatMap(([, check]) => (typeof check === "string" ? [check] : []));
  return { hasVolatileCast: checks.length < rows.length, checks };
}

function toRelation(row: TextRow | undefined): KnownRelation | undefined {
  if (row === undefined) return undefined;
  const [, schema, name, wrapper, view, isPlain] = row;
  return {
    schema: schema ?? "",
    name: name ?? "",
    wrapper: wrapper ?? undefined,
    view: view ?? undefined,
    isPlain: isPlain === "t",
  };
}
