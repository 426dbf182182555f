/**
 * What the guard knows by name. Native functions are on the list only after review: they compute from their arguments
 * or tell something, and change, wait for, lock or read nothing outside the query. What is new in a later version is
 * refused until it is added. Left out on purpose: SLEEP, BENCHMARK, the lock functions, LOAD_FILE, the replication
 * waits, sequences, and LAST_INSERT_ID, whose argument sets session state.
 */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** Functions of both products, by what they are about. */
export const natives: ReadonlySet<string> = words(`
  abs acos asin atan atan2 ceil ceiling conv cos cot crc32 crc32c degrees exp floor ln log log10 log2 mod oct pi pow power
  radians rand round sign sin sqrt tan truncate greatest least bit_count hex unhex bin interval
  ascii bin char_length character_length chr concat concat_ws elt export_set field find_in_set format from_base64 insert
  instr lcase left length lengthb locate lower lpad lpad_oracle ltrim make_set mid natural_sort_key octet_length ord
  position quote repeat replace reverse right rpad rtrim sformat soundex space strcmp substr substring substring_index
  to_base64 trim ucase upper weight_string regexp_instr regexp_like regexp_replace regexp_substr char bit_length
  random_bytes to_char to_number
  adddate addtime add_months convert_tz curdate current_date current_time current_timestamp curtime date date_add
  date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear extract from_days from_unixtime get_format
  hour last_day localtime localtimestamp makedate maketime microsecond minute month monthname months_between now
  period_add period_diff quarter sec_to_time second str_to_date subdate subtime sysdate time time_format time_to_sec
  timediff timestamp timestampadd timestampdiff to_days to_seconds trunc unix_timestamp utc_date utc_time utc_timestamp
  week weekday weekofyear year yearweek
  avg bit_and bit_or bit_xor count group_concat json_arrayagg json_objectagg max min std stddev stddev_pop stddev_samp
  sum var_pop var_samp variance median percentile_cont percentile_disc any_value grouping
  cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
  coalesce decode decode_oracle if ifnull isnull nullif nvl nvl2 cast convert binary values name_const default
  json_array json_array_append json_array_insert json_array_intersect json_arrayagg json_compact json_contains
  json_contains_path json_depth json_detailed json_equals json_exists json_extract json_insert json_key_value json_keys
  json_length json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object
  json_object_filter_keys json_object_to_array json_overlaps json_pretty json_query json_quote json_remove json_replace
  json_schema_valid json_schema_validation_report json_search json_set json_storage_free json_storage_size json_table
  json_type json_unquote json_valid json_value member
  aes_decrypt aes_encrypt compress kdf md5 password sha sha1 sha2 statement_digest statement_digest_text uncompress
  uncompressed_length uuid uuid_short uuid_v4 uuid_v7 sys_guid uuid_to_bin bin_to_uuid is_uuid
  inet_aton inet_ntoa inet6_aton inet6_ntoa is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6
  charset coercibility collation connection_id current_role current_user database found_rows
  icu_version row_count rownum schema session_user system_user user version binlog_gtid_pos gtid_subset gtid_subtract
  format_bytes format_pico_time extractvalue updatexml
  column_check column_create column_exists column_get column_json column_list column_add column_delete
  area asbinary astext aswkb aswkt boundary buffer centroid contains convexhull crosses dimension disjoint
  distance endpoint envelope equals exteriorring geomcollfromtext geomcollfromwkb geometrycollection
  geometrycollectionfromtext geometrycollectionfromwkb geometryfromtext geometryfromwkb geometryn geometrytype
  geomfromtext geomfromwkb glength interiorringn intersects isclosed isempty isring issimple linefromtext linefromwkb
  linestring linestringfromtext linestringfromwkb mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequal mbrequals
  mbrintersects mbroverlaps mbrtouches mbrwithin mlinefromtext mlinefromwkb mpointfromtext mpointfromwkb mpolyfromtext
  mpolyfromwkb multilinestring multilinestringfromtext multilinestringfromwkb multipoint multipointfromtext
  multipointfromwkb multipolygon multipolygonfromtext multipolygonfromwkb numgeometries numinteriorrings numpoints
  overlaps point pointfromtext pointfromwkb pointn pointonsurface polyfromtext polyfromwkb polygon polygonfromtext
  polygonfromwkb srid startpoint touches within x y vec_distance vec_distance_euclidean vec_distance_cosine vec_fromtext
  vec_totext string_to_vector vector_to_string vector_dim
`);

/** Spatial functions of the standard change nothing, whatever comes after the prefix. */
export const isSpatial = (name: string): boolean => /^st_[a-z0-9_]+$/.test(name);

/** Native functions that do more than compute, to be named for what they are when refused. */
export const harmful: ReadonlySet<string> = words(`
  sleep benchmark get_lock release_lock release_all_locks is_free_lock is_used_lock load_file last_insert_id
  master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set wait_until_sql_thread_after_gtids
  nextval lastval setval sys_exec sys_eval sys_get sys_set encode des_encrypt des_decrypt encrypt old_password
  wsrep_sync_wait_upto_gtid wsrep_last_seen_gtid wsrep_last_written_gtid
`);

/** Words of the grammar that a parenthesis may follow without being called. */
export const openers: ReadonlySet<string> = words(`
  select distinct distinctrow all any some exists from join straight_join where and or not xor in is like rlike regexp
  between div mod match on using as over by having when then else case union except intersect minus values value row lateral
  partition index key columns with limit offset escape interval against of group within return returning
  decimal dec numeric fixed char character varchar nchar binary varbinary time datetime timestamp float double year bit
  int integer bigint smallint tinyint mediumint text blob vector
  table analyze explain describe desc format sounds collate filter rows range return
`);

/** Words that have no place in a query; most are reserved, so that a column of the name stands in backticks. */
export const forbidden: ReadonlySet<string> = words(`
  into outfile dumpfile update delete call load grant revoke drop alter kill purge handler prepare deallocate
`);

/** What SHOW may show, by the words after it. */
export const shows: readonly RegExp[] = [
  /^(?:full |extended )*(?:tables|columns|fields|triggers|events|processlist)\b/,
  /^(?:databases|schemas|table status|open tables|indexe?s?|keys|extended index|warnings|errors|privileges)\b/,
  /^(?:global |session |local )?(?:status|variables)\b/,
  /^(?:storage )?engines\b/,
  /^(?:character set|charset|collation|plugins|function status|procedure status|package status)\b/,
  /^count \( \* \) (?:warnings|errors)$/,
  /^create (?:table|view|database|schema|procedure|function|trigger|event|sequence)\b/,
  // Those of other users, like SHOW CREATE USER, come with their password's hash.
  /^grants$|^grants for current_user(?: \( \))?$/,
];

/** Tables and columns that hold secrets of accounts. */
export const secretNames: ReadonlySet<string> = words("global_priv authentication_string slave_master_info");
export const secretTables: ReadonlySet<string> = words(
  "user servers proxies_priv password_history slave_master_info global_priv",
);
