/** PostgreSQL's own words for the grammar, on the fixture's tables. Templates are tokens parted by one
 * space; a dot in the middle stands for a space inside of one. */
import { type Dialect, type Dice, pick } from "./grammar.js";

const lines = (text: string): readonly string[] => text.trim().split(/\n\s*/);

/** The same identifier bare, quoted, in capitals, or by a Unicode escape. */
const dress = (name: string, dice: Dice): string =>
  pick(dice, [
    name,
    name,
    `"${name}"`,
    name.toUpperCase(),
    `U&"\\${name.charCodeAt(0).toString(16).padStart(4, "0")}${name.slice(1)}"`,
  ]);

export const postgresDialect: Dialect = {
  dress,
  ints: lines(`
    #a
    #a
    abs( #i )
    length( #t )
    ( #i + #i )
    ( #i - #i )
    ( #i % 7 )
    ( - #i )
    greatest( #i , #i )
    coalesce( #i , 0 )
    nullif( #i , 1 )
    ascii( #t )
    ( #i & 255 )
    pg_catalog . abs ( #i )
    CAST( #i AS integer )
    ( #i ) :: int4
    ( #i ) :: pg_catalog . int4
    int4( #i )
    position( #t IN #t )
    extract( year FROM DATE '2024-02-03' ) :: int
    CASE WHEN #b THEN #i ELSE #i END
    CASE #i WHEN 1 THEN #i END
    ( ARRAY[ #i , #i ] ) [ 1 ]
    cardinality( ARRAY[ #i ] )
    width_bucket( #i , 0 , 100 , 5 )
    shop . net( #i ) :: int
    jsonb_array_length( '[1,2]' )
    ( SELECT count( * ) FROM ( #q ) AS n ) :: int
    ( SELECT n . a FROM ( #q ) AS n LIMIT 1 )
    ( ( '{"k":7}' :: jsonb ->> 'k' ) :: int )
    bit_length( #t )
    ( SELECT sum( n . a ) OVER ( ORDER BY n . a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW ) FROM ( #q ) AS n LIMIT 1 ) :: int
    ( SELECT count( n . a ) FILTER ( WHERE n . a > 0 ) FROM ( #q ) AS n ) :: int
    ( SELECT percentile_disc( 0.5 ) WITHIN GROUP ( ORDER BY n . a ) FROM ( #q ) AS n )`),
  texts: lines(`
    #w
    #w
    #s
    upper( #t )
    lower( #t )
    ( #t || #t )
    concat( #t , #i )
    substr( #t , 1 , 3 )
    substring( #t FROM 1 FOR 2 )
    overlay( #t PLACING 'x' FROM 1 )
    replace( #t , 'a' , 'b' )
    trim( both FROM #t )
    "left"( #t , 2 )
    ( #i ) :: text
    CAST( #i AS varchar )
    md5( #t )
    to_char( #i , '999' )
    format( '%s' , #t )
    quote_literal( #t )
    regexp_replace( #t , 'x' , 'y' )
    split_part( #t , ',' , 1 )
    coalesce( #t , '' )
    ( ROW( #i , #t ) ) :: text
    ( jsonb_build_object( 'k' , #t ) ->> 'k' )
    to_tsvector( 'simple' , #t ) :: text
    ( #t COLLATE "C" )
    encode( convert_to( #t , 'UTF8' ) , 'hex' )
    ( ( TIMESTAMP '2024-01-01' AT TIME ZONE 'UTC' ) :: date ) :: text
    CASE WHEN #b THEN #t ELSE #t END
    ( SELECT max( n . b ) FROM ( #q ) AS n )
    ( SELECT string_agg( n . b , ',' ORDER BY n . a ) FROM ( #q ) AS n )
    ( SELECT json_agg( n ) :: text FROM ( #q ) AS n )`),
  truths: lines(`
    #i > #i
    #i <> #i
    #t = #t
    #t LIKE '%a%'
    #t ILIKE 'A_' ESCAPE '!'
    #t ~ '^a'
    #t SIMILAR TO 'a%'
    #i BETWEEN 0 AND 10
    #i BETWEEN SYMMETRIC 10 AND 0
    #i IN ( 1 , 2 , #i )
    #i IN ( SELECT n . a FROM ( #q ) AS n )
    ( #i , #t ) IN ( #q )
    EXISTS ( #q )
    NOT ( #b )
    ( #b AND #b )
    ( #b OR #b )
    #t IS NOT NULL
    ( #b ) IS NOT TRUE
    #i IS DISTINCT FROM #i
    #i = ANY ( ARRAY[ 1 , #i ] )
    #i > ALL ( SELECT n . a FROM ( #q ) AS n )
    to_tsvector( 'english' , #t ) @@ plainto_tsquery( 'english' , 'update' )`),
  literals: [
    "'plain'",
    "'it''s; DROP TABLE shop.canary'",
    String.raw`E'a\'b; -- '`,
    String.raw`e'\x41\u0042\\'`,
    "$$ ; COMMIT; $$",
    "$q$ it's $$ /* $q$",
    String.raw`U&'\0061;'`,
    "U&'!0061' UESCAPE '!'",
    "'/* no comment'",
    "'-- nor this'",
    "N'x'",
    "'a'\n'b; SELECT'",
    "'\\'",
    "'😀 ｓｅｌｅｃｔ İ'",
    "'' :: text",
    "B'101' :: text",
  ],
  sources: lines(`
    ( SELECT id AS a , name AS b FROM shop . categories ) AS #n
    ( VALUES ( 1 , 'x' ) , ( 2 , 'y' ) ) AS #n ( a , b )
    ( SELECT id AS a , name AS b FROM hr . employees ) AS #n
    ( SELECT g AS a , 'g' AS b FROM generate_series( 1 , 3 ) AS g ) AS #n
    ROWS FROM ( generate_series( 1 , 3 ) , unnest( ARRAY[ 'x' , 'y' ] ) ) AS #n ( a , b )
    unnest( ARRAY[ 1 , 2 ] , ARRAY[ 'x' , 'y' ] ) WITH ORDINALITY AS #n ( a , b , o )
    jsonb_to_recordset( '[{"a":1,"b":"x"}]' ) AS #n ( a int , b text )
    ( SELECT id AS a , note AS b FROM shop . orders TABLESAMPLE SYSTEM ( 1 ) LIMIT 9 ) AS #n
    ( SELECT oid :: int AS a , nspname :: text AS b FROM pg_namespace ORDER BY 1 LIMIT 5 ) AS #n
    ( SELECT revenue :: int AS a , month :: text AS b FROM shop . v_revenue LIMIT 5 ) AS #n
    ( SELECT "id" AS a , "select" AS b FROM shop . "Order·Notes" ) AS #n
    ( #q ) AS #n
    LATERAL ( #q ) AS #n
    ( WITH RECURSIVE r ( a ) AS ( SELECT 1 UNION ALL SELECT r . a + 1 FROM r WHERE r . a < 5 ) SELECT r . a , 'r' AS b FROM r ) AS #n`),
  wrappers: [
    "#q",
    "#q",
    "( #q )",
    "#q ;",
    "; #q",
    "SELECT * FROM ( #q ) AS z",
    "EXPLAIN #q",
    "EXPLAIN ( ANALYZE , COSTS off , FORMAT json ) #q",
    "WITH z AS MATERIALIZED ( #q ) TABLE z",
    "SELECT z FROM ( #q ) AS z",
  ],
  gaps: [
    " ",
    " ",
    " ",
    "\n",
    "\t",
    " /* ; */ ",
    " /* /* nested */ -- */ ",
    " -- '\n",
    " \f ",
    " --\r\n",
    " /*! no code */ ",
  ],
  harm: {
    ints: lines(String.raw`
      nextval( 'shop.seq' ) :: int
      pg_catalog . nextval( 'shop.seq' ) :: int
      setval( 'shop.seq' , #i ) :: int
      ( SELECT 1 FROM pg_advisory_lock( 7 ) )
      pg_try_advisory_lock( #i ) :: int
      "pg_try_advisory_lock"( 7 ) :: int
      U&"pg\005Ftry_advisory_lock"( 7 ) :: int
      lo_create( 0 ) :: int
      shop . sneaky_write( #i )
      shop . esc_write( #i )
      length( pg_read_file( 'PG_VERSION' ) )
      length( set_config( 'role' , 'none' , false ) )
      txid_current( ) :: int
      pg_terminate_backend( 0 ) :: int
      ( #i OPERATOR( shop . <#%> ) #i )
      ( #i <~%> #i )
      length( query_to_xml( 'SELECT pg_advisory_lock(7)' , true , false , '' ) :: text )
      length( dblink_exec( 'dbname=x' , 'SELECT 1' ) )
      ( SELECT ( c ) . attr_lock FROM shop . canary AS c )
      ( SELECT c . purge FROM shop . canary AS c )
      ( SELECT 1 FROM pg_stat_reset( ) )
      ( SELECT 1 FROM pg_notify( 'safety_chan' , #t ) )
      length( pg_logical_emit_message( true , 'p' , #t ) :: text )
      ( SELECT count( * ) FILTER ( WHERE pg_cancel_backend( 0 ) ) FROM ( #q ) AS n ) :: int
      ( SELECT n . a FROM ( #q ) AS n ORDER BY nextval( 'shop.seq' ) LIMIT 1 )
      CASE WHEN pg_reload_conf( ) THEN #i END
      length( ( 'PG_VERSION' :: text ) . pg_read_file )`),
    sources: lines(`
      dblink( 'dbname=x' , 'select 1' ) AS #n ( a int , b text )
      ( SELECT 1 AS a , f :: text AS b FROM pg_ls_dir( '.' ) AS f ) AS #n
      ( SELECT id AS a , v AS b FROM shop . canary FOR UPDATE ) AS #n
      ( SELECT id AS a , v AS b FROM shop . canary FOR KEY SHARE SKIP LOCKED ) AS #n
      ( SELECT 1 AS a , rolpassword AS b FROM pg_authid ) AS #n
      ( SELECT id AS a , k AS b FROM secret . api_keys ) AS #n
      ( SELECT 1 AS a , line AS b FROM secret . ft_passwd ) AS #n
      ( SELECT one AS a , 'x' AS b FROM shop . v_nap , pg_advisory_lock( 7 ) ) AS #n
      ROWS FROM ( nextval( 'shop.seq' ) , unnest( ARRAY[ 'x' ] ) ) AS #n ( a , b )`),
    tails: lines(`
      FOR UPDATE
      FOR NO KEY UPDATE NOWAIT
      ; COMMIT
      ; DROP TABLE shop.canary
      ; SELECT 1
      $$`),
    statements: lines(`
      CREATE TABLE shop.pwn AS #q
      CREATE TEMP VIEW pwn AS #q
      INSERT INTO shop.canary #q
      EXPLAIN ANALYZE CREATE TABLE shop.pwn AS #q
      EXPLAIN ( ANALYZE ) INSERT INTO shop.canary #q
      WITH x AS ( UPDATE shop.canary SET v = 'HIT' RETURNING id ) #q
      WITH x AS ( INSERT INTO shop.canary #q RETURNING * ) SELECT * FROM x
      WITH x AS ( #q ) DELETE FROM shop.canary USING x WHERE canary.id = x.a
      WITH x AS ( #q ) SELECT * INTO shop.pwn FROM x
      COPY ( #q ) TO STDOUT
      DECLARE c CURSOR WITH HOLD FOR #q
      PREPARE p AS #q
      DO $do$ BEGIN PERFORM 1; END $do$ ; #q
      COMMIT ; #q
      SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE ; #q
      MERGE INTO shop.canary AS c USING ( #q ) AS s ON c.id = s.a WHEN MATCHED THEN DELETE`),
  },
};
