/**
 * Whether a query asked again of the same data answers the same, by what the guard knows of its names: no clock, no
 * chance, nothing of the session, the server's state or another server. It decides nothing about what may run.
 */
import type { KnownFunction } from "./guard-memory.js";
import type { KnownNames } from "./guard-names.js";
import type { Usage } from "./guard-walk.js";

/**
 * The system's functions that are STABLE only because of settings which are the same in all sessions of a source (time
 * zone, locale, text search) or because they write out values of any type. Reviewed against PostgreSQL 12 to 18.
 */
const settled: ReadonlySet<string> = new Set(
  `array_to_json array_to_string concat concat_ws convert convert_from convert_to date date_part date_trunc enum_first
  enum_last enum_range extract format generate_series json_agg json_agg_strict json_build_array json_build_object
  json_object_agg json_object_agg_strict json_object_agg_unique json_populate_record json_populate_recordset
  json_to_record json_to_recordset json_to_tsvector jsonb_agg jsonb_agg_strict jsonb_build_array jsonb_build_object
  jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_path_exists_tz jsonb_path_match_tz
  jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset
  jsonb_to_record jsonb_to_recordset jsonb_to_tsvector length make_timestamptz overlaps phraseto_tsquery plainto_tsquery
  quote_literal quote_nullable row_to_json time timestamp timestamptz timetz timezone to_char to_date to_json to_jsonb
  to_number to_timestamp to_tsquery to_tsvector ts_headline websearch_to_tsquery`.split(/\s+/),
);

/** Of the part of a statement that `usage` is of: texts and views inside are looked at for themselves. */
export function answersAlike(usage: Usage, known: KnownNames): boolean {
  return (
    !usage.isMomentary &&
    usage.relations.every((used) => {
      const relation = known.relation(used);
      if (relation === undefined) return used.schema === undefined && usage.commonTables.has(used.name);
      return relation.isPlain || relation.view !== undefined;
    }) &&
    usage.calls.every(({ name, schema, arity }) =>
      known
        .functions(name)
        .filter((one) => schema === undefined || one.schema === schema)
        .filter(({ minArgs, maxArgs }) => arity === undefined || (arity >= minArgs && arity <= maxArgs))
        .every((one) => isSettled(one, name)),
    ) &&
    usage.attributes.every((name) => known.functions(name).every((one) => !one.takesRow || isSettled(one, name))) &&
    !usage.operators.some(known.isUnsettledOperator)
  );
}

const isSettled = ({ isImmutable, schema }: KnownFunction, name: string): boolean =>
  isImmutable || (schema === "pg_catalog" && settled.has(name));
