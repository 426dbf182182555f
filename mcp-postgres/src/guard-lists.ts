/**
 * The reviewed exceptions to the rule "what is not volatile may run". Each list says why. A name counts in pg_catalog
 * and in extensions alike.
 */

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/**
 * Volatile because their answer changes, yet they change nothing. Reviewed against PostgreSQL 12 to 18. Sleeping only
 * takes time, as any large join does, and time is limited by the server itself.
 */
export const harmlessVolatile = words(`
  random random_normal gen_random_uuid uuidv4 uuidv7 uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4
  pg_sleep pg_sleep_for pg_sleep_until
  gen_random_bytes gen_salt clock_timestamp timeofday current_query currval lastval
  pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_tablespace_size pg_total_relation_size
  pg_blocking_pids pg_safe_snapshot_blocking_pids pg_collation_actual_version pg_database_collation_actual_version
  pg_control_checkpoint pg_control_init pg_control_recovery pg_control_system
  pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_last_wal_receive_lsn pg_last_wal_replay_lsn
  pg_last_xact_replay_timestamp pg_last_committed_xact pg_xact_commit_timestamp pg_xact_status txid_status
  pg_is_in_recovery pg_is_wal_replay_paused pg_get_wal_replay_pause_state pg_jit_available
  pg_lock_status pg_prepared_xact pg_partition_ancestors pg_partition_tree pg_sequence_last_value
  pg_notification_queue_usage pg_get_backend_memory_contexts pg_get_shmem_allocations
  pg_replication_origin_progress pg_show_replication_origin_status pg_stat_have_stats pg_stat_get_recovery_prefetch
  pg_stat_get_xact_blocks_fetched pg_stat_get_xact_blocks_hit pg_stat_get_xact_function_calls
  pg_stat_get_xact_function_self_time pg_stat_get_xact_function_total_time pg_stat_get_xact_numscans
  pg_stat_get_xact_tuples_deleted pg_stat_get_xact_tuples_fetched pg_stat_get_xact_tuples_hot_updated
  pg_stat_get_xact_tuples_inserted pg_stat_get_xact_tuples_returned pg_stat_get_xact_tuples_updated
  pg_stat_statements pg_stat_statements_info pg_buffercache_pages pg_freespace
`);

/**
 * Refused whatever their volatility says: they assign transaction ids, read or walk server files, read any table by
 * name, keep a connection, or run a text as SQL that can't be seen here.
 */
export const neverCalled = words(`
  txid_current pg_current_xact_id pg_export_snapshot
  table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema
  schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema
  cursor_to_xml cursor_to_xmlschema query_to_xmlschema query_to_xml_and_xmlschema
  connectby xpath_table crosstabn pg_hba_file_rules pg_ident_file_mappings pg_show_all_file_settings pg_stat_file
  currtid currtid2 pg_ls_dir get_raw_page pg_read_file pg_read_binary_file set_config lo_get
`);

/** Run text arguments (at these places) as SQL: allowed when each is written out and passes this same guard. */
export const sqlRunners: ReadonlyMap<string, readonly number[]> = new Map([
  ["query_to_xml", [0]],
  ["ts_stat", [0]],
  ["ts_rewrite", [1]],
  ["crosstab", [0, 1]],
  ["crosstab2", [0]],
  ["crosstab3", [0]],
  ["crosstab4", [0]],
]);

/** Calls that the parser knows as syntax, while older servers take them for functions, perhaps of one's own. */
export const syntaxCalls: ReadonlyMap<string, readonly string[]> = new Map([
  ["JsonFuncExpr", ["json_exists", "json_query", "json_value"]],
  ["JsonScalarExpr", ["json_scalar"]],
  ["JsonParseExpr", ["json"]],
  ["JsonSerializeExpr", ["json_serialize"]],
  ["JsonObjectConstructor", ["json_object"]],
  ["JsonArrayConstructor", ["json_array"]],
  ["JsonArrayQueryConstructor", ["json_array"]],
  ["JsonObjectAgg", ["json_objectagg"]],
  ["JsonArrayAgg", ["json_arrayagg"]],
  ["JsonTable", ["json_table"]],
  ["MergeSupportFunc", ["merge_action"]],
]);

/** Relations of the system that hold password hashes, connection strings, server files or other people's bytes. */
export const secretRelations = words(`
  pg_authid pg_shadow pg_user_mapping pg_user_mappings pg_subscription pg_hba_file_rules pg_ident_file_mappings
  pg_file_settings pg_largeobject
`);

/** How large a text or array may be made by one call. */
export const maxMade = 100_000;

/** The same where the statement also gathers: what is made once a row would be put into one value. */
export const maxMadeOften = 1_000;

/** Which argument of a call says how much it makes. */
export const amplifiers: ReadonlyMap<string, number> = new Map([
  ["repeat", 1],
  ["lpad", 1],
  ["rpad", 1],
  ["array_fill", 1],
]);

/** Put many values, or one value many times, into a single one. */
export const gatherers = words(`
  string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg xmlagg array_to_string concat concat_ws
  array_cat replace regexp_replace
`);
