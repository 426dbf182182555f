/**
 * MariaDB's own words for the grammar, on the fixture's tables. Templates are tokens parted by one space; a dot in the
 * middle stands for a space inside of one.
 */
import { type Dialect, type Dice, pick } from "./grammar.js";

const lines = (text: string): readonly string[] => text.trim().split(/\n\s*/);

/** The same identifier bare or in backticks. */
const dress = (name: string, dice: Dice): string => pick(dice, [name, name, `\`${name}\``]);

export const mysqlDialect: Dialect = {
  dress,
  ints: lines(`
    #a
    #a
    abs( #i )
    char_length( #t )
    ( #i + #i )
    ( #i - #i )
    ( #i % 7 )
    ( #i DIV 3 )
    ( - #i )
    ( ~ #i & 255 )
    mod( #i , 7 )
    greatest( #i , #i )
    coalesce( #i , 0 )
    nullif( #i , 1 )
    if( #b , #i , #i )
    ifnull( #i , 0 )
    ascii( #t )
    ascii ( #t )
    bit_count( #i )
    field( #t , 'a' , #t )
    interval( #i , 1 , 5 )
    locate( 'a' , #t )
    position( 'a' IN #t )
    strcmp( #t , #t )
    crc32( #t ) % 100
    CAST( #i AS signed )
    CONVERT( #i , unsigned )
    extract( year FROM '2024-02-03' )
    timestampdiff( DAY , '2024-01-01' , '2024-02-01' )
    ( ( DATE '2024-01-01' + INTERVAL 1 DAY ) > '2024-01-01' )
    CASE WHEN #b THEN #i ELSE #i END
    CASE #i WHEN 1 THEN #i END
    json_length( '[1,2]' )
    json_value( '{"a":1}' , '$.a' )
    net( #i )
    ( 0x41 + 0 )
    ( b'101' + 0 )
    ( 1.5e1 + .5 )
    { fn abs( #i ) }
    ( #b )
    ( @@version_comment IS NOT NULL )
    ( @nothing IS NULL )
    ( SELECT count(*) FROM ( #q ) AS n )
    ( SELECT n . a FROM ( #q ) AS n LIMIT 1 )
    ( SELECT sum( n . a ) OVER ( ORDER BY n . a ROWS BETWEEN 1 PRECEDING AND CURRENT ROW ) FROM ( #q ) AS n LIMIT 1 )
    ( SELECT max( n . a ) FROM ( #q ) AS n )`),
  texts: lines(`
    #w
    #w
    #s
    upper( #t )
    lower ( #t )
    concat( #t , #t )
    concat_ws( ',' , #t , #i )
    substr( #t , 1 , 3 )
    substring( #t FROM 1 FOR 2 )
    replace( #t , 'a' , 'b' )
    insert( #t , 1 , 1 , 'x' )
    trim( BOTH 'x' FROM #t )
    left( #t , 2 )
    lpad( #t , 5 , '*' )
    repeat( 'x' , 3 )
    reverse( #t )
    hex( #i )
    md5( #t )
    quote( #t )
    elt( 1 , #t , 'x' )
    format( #i , 2 )
    CAST( #i AS char )
    CONVERT( #t USING utf8mb4 )
    coalesce( #t , '' )
    nvl( #t , '' )
    date_format( '2024-01-01' , '%Y-%m' )
    regexp_replace( #t , 'x' , 'y' )
    json_unquote( json_extract( '{"k":"v"}' , '$.k' ) )
    json_object( 'k' , #i )
    CASE WHEN #b THEN #t ELSE #t END
    ( SELECT max( n . b ) FROM ( #q ) AS n )
    ( SELECT group_concat( n . b ORDER BY n . a SEPARATOR ';' ) FROM ( #q ) AS n )`),
  truths: lines(`
    #i > #i
    #i <> #i
    #i <=> #i
    #t = #t
    #t LIKE '%a%'
    #t LIKE 'a!_' ESCAPE '!'
    #t RLIKE '^a'
    #t NOT REGEXP 'a$'
    #i BETWEEN 0 AND 10
    #i IN ( 1 , 2 , #i )
    #i IN ( SELECT n . a FROM ( #q ) AS n )
    EXISTS ( #q )
    NOT ( #b )
    ! ( #b )
    ( #b AND #b )
    ( #b && #b )
    ( #b OR #b )
    ( #b XOR #b )
    #t IS NOT NULL
    ( #b ) IS NOT TRUE
    #i > ALL ( SELECT n . a FROM ( #q ) AS n )`),
  literals: [
    "'plain'",
    "'it''s; DROP TABLE canary'",
    String.raw`'a\'b; -- '`,
    '"dq ; DELETE FROM canary"',
    '"it""s"',
    String.raw`"a\"; COMMIT"`,
    "'/*! no code */'",
    "'-- nor this'",
    "'# nor this'",
    "N'x'",
    "_utf8mb4'x'",
    "_utf8mb4 0x41",
    "x'41'",
    "0x41",
    "'a'\n'b; SELECT'",
    "'\\\\'",
    "'😀 ｓｅｌｅｃｔ İ'",
  ],
  sources: lines(`
    ( SELECT id AS a , name AS b FROM categories ) AS #n
    ( SELECT 1 AS a , 'x' AS b UNION ALL SELECT 2 , 'y' ) AS #n
    ( SELECT id AS a , name AS b FROM employees ) AS #n
    ( SELECT seq AS a , 'g' AS b FROM seq_1_to_3 ) AS #n
    ( SELECT id AS a , note AS b FROM orders USE INDEX ( PRIMARY ) LIMIT 9 ) AS #n
    ( SELECT id AS a , kind AS b FROM events PARTITION ( p25a ) LIMIT 9 ) AS #n
    ( SELECT ordinal_position AS a , table_name AS b FROM information_schema . columns WHERE table_schema = 'mysql' LIMIT 2 ) AS #n
    ( SELECT CAST( revenue AS signed ) AS a , month AS b FROM v_revenue LIMIT 5 ) AS #n
    ( SELECT id AS a , ${"`select`"} AS b FROM ${"`Order·Notes`"} ) AS #n
    ( SELECT product_id AS a , 'p' AS b FROM prices FOR SYSTEM_TIME ALL ) AS #n
    json_table( '[{"a":1,"b":"x"}]' , '$[*]' COLUMNS ( a int PATH '$.a' , b varchar(9) PATH '$.b' ) ) AS #n
    ( #q ) AS #n
    ( WITH RECURSIVE r ( a ) AS ( SELECT 1 UNION ALL SELECT r . a + 1 FROM r WHERE r . a < 5 ) SELECT r . a , 'r' AS b FROM r ) AS #n`),
  wrappers: [
    "#q",
    "#q",
    "( SELECT * FROM ( #q ) AS z )",
    "#q ;",
    "SELECT * FROM ( #q ) AS z",
    "EXPLAIN #q",
    "EXPLAIN FORMAT = JSON #q",
    "ANALYZE FORMAT = JSON #q",
    "EXPLAIN FORMAT=JSON ( SELECT * FROM ( #q ) AS z )",
    "WITH z AS ( #q ) SELECT * FROM z",
  ],
  gaps: [" ", " ", " ", "\n", "\t", " /* ; */ ", " /**/ ", " -- '\n", " \f ", " #;\n", ' --\t"\r\n'],
  harm: {
    ints: lines(`
      sleep( 1 )
      SLEEP ( #i )
      ${"`sleep`"}( 1 )
      benchmark( 100000000 , md5( #t ) )
      get_lock( 'g' , 0 )
      release_all_locks( )
      nextval( seq1 )
      lastval( seq1 )
      setval( seq1 , #i )
      ( NEXT VALUE FOR seq1 )
      ( PREVIOUS VALUE FOR seq1 )
      length( load_file( '/etc/passwd' ) )
      sneaky_write( #i )
      sneaky_myisam( #i )
      sneaky_lock( 1 )
      sneaky_uservar( #i )
      sneaky_session( 1 )
      sneaky_file( 1 )
      ( @pwn := #i )
      last_insert_id( #i )
      ( SELECT z FROM v_nap )
      ( SELECT n FROM v_next )
      master_pos_wait( 'x' , 1 , 1 )
      /*! sleep( 1 ) */
      1 /*!50000 + sleep( 1 ) */
      /*M!100100 get_lock( 'g' , 0 ) */
      des_encrypt( #t )
      sys_exec( 'id' )
      ( SELECT n . a FROM ( #q ) AS n ORDER BY nextval( seq1 ) LIMIT 1 )
      ( SELECT count( DISTINCT get_lock( 'g' , 0 ) ) FROM ( #q ) AS n )`),
    sources: lines(`
      ( SELECT id AS a , v AS b FROM canary FOR UPDATE ) AS #n
      ( SELECT id AS a , v AS b FROM canary LOCK IN SHARE MODE ) AS #n
      ( SELECT id AS a , v AS b FROM canary FOR UPDATE SKIP LOCKED ) AS #n
      ( SELECT 1 AS a , authentication_string AS b FROM mysql . user ) AS #n
      ( SELECT 1 AS a , Priv AS b FROM mysql . global_priv ) AS #n
      ( SELECT z AS a , one AS b FROM v_nap ) AS #n
      ( SELECT 1 AS a , 'x' AS b INTO @pwn ) AS #n`),
    tails: lines(`
      FOR UPDATE
      LOCK IN SHARE MODE
      INTO OUTFILE '/tmp/never_written'
      INTO DUMPFILE '/tmp/never_written'
      INTO @pwn , @leak
      PROCEDURE ANALYSE( )
      /*! FOR UPDATE */
      ; DELETE FROM canary
      ; SELECT 1
      ${"`"}
      /*!`),
    statements: lines(`
      CREATE TABLE pwn AS #q
      CREATE OR REPLACE VIEW pwn AS #q
      INSERT INTO canary #q
      REPLACE INTO canary_myisam #q
      EXPLAIN INSERT INTO canary #q
      ANALYZE INSERT INTO canary #q
      WITH x AS ( #q ) UPDATE canary SET v = 'HIT'
      WITH x AS ( #q ) DELETE FROM canary_mem
      SET STATEMENT max_statement_time = 0 FOR #q
      BEGIN NOT ATOMIC #q ; COMMIT ; UPDATE canary SET v = 'HIT' ; END
      IF 1 THEN #q ; END IF
      DO ( #q )
      PREPARE p FROM "SELECT 1" ; #q
      SET @pwn = ( #q )
      HANDLER canary OPEN ; #q
      DECLARE c CURSOR FOR #q
      CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO #q
      /*! CREATE TABLE pwn AS */ #q
      EXECUTE IMMEDIATE "SELECT 1" /* #q */
      COMMIT ; #q`),
  },
};
