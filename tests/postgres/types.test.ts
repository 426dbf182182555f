/** Every type, extremes included: the column's type name, and the cell as JSON, exact to the character. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toCellJson } from "../../mcp-core/src/sql/cells.js";
import type { Database } from "../../mcp-core/src/sql/database.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { collect, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(`
    ALTER DATABASE ${database.name} SET timezone = 'UTC';
    ALTER DATABASE ${database.name} SET lc_monetary = 'C';
    CREATE SCHEMA "Über schema";
    CREATE TYPE mood AS ENUM ('sad', 'o''k', 'très "heureux"');
    CREATE TYPE "Über schema"."Odd Type" AS (a int, "b c" text);
    CREATE DOMAIN positive AS numeric(8,3) CHECK (VALUE > 0);
    CREATE DOMAIN words AS text[];
    CREATE TYPE floats AS RANGE (subtype = float8);
    CREATE EXTENSION IF NOT EXISTS hstore;
    CREATE TABLE pairs (a int, b text);
    INSERT INTO pairs VALUES (1, 'x,"y"');
  `);
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const digits = "1234567890".repeat(40);
type Row = readonly [sql: string, type: string, json: string];

const rows: Readonly<Record<string, readonly Row[]>> = {
  integers: [
    ["1::smallint", "smallint", "1"],
    ["(-2147483648)::int", "integer", "-2147483648"],
    ["9007199254740991::bigint", "bigint", "9007199254740991"],
    ["9007199254740992::bigint", "bigint", '"9007199254740992"'],
    ["9223372036854775807::bigint", "bigint", '"9223372036854775807"'],
    ["(-9223372036854775808)::bigint", "bigint", '"-9223372036854775808"'],
    ["4294967295::oid", "oid", "4294967295"],
  ],
  decimals: [
    ["0.10::numeric", "numeric", '"0.10"'],
    ["1.5::numeric(10,2)", "numeric(10,2)", '"1.50"'],
    ["12345::numeric(5,-2)", "numeric(5,-2)", '"12300"'],
    [`${digits}.${digits}::numeric`, "numeric", `"${digits}.${digits}"`],
    ["'NaN'::numeric", "numeric", '"NaN"'],
    ["'-Infinity'::numeric", "numeric", '"-Infinity"'],
    ["'$1,234.50'::money", "money", '"$1,234.50"'],
    ["'-92233720368547758.08'::money", "money", '"-$92,233,720,368,547,758.08"'],
  ],
  floats: [
    ["0.1::real", "real", "0.1"],
    ["3.4028235e38::real", "real", "3.4028235e+38"],
    ["0.1::float8 + 0.2::float8", "double precision", "0.30000000000000004"],
    ["5e-324::float8", "double precision", "5e-324"],
    ["1.7976931348623157e308::float8", "double precision", "1.7976931348623157e+308"],
    ["'-0'::float8", "double precision", "-0"],
    ["'NaN'::float8", "double precision", '"NaN"'],
    ["'Infinity'::real", "real", '"Infinity"'],
    ["'-Infinity'::float8", "double precision", '"-Infinity"'],
  ],
  "booleans and NULL": [
    ["true", "boolean", "true"],
    ["false", "boolean", "false"],
    ["NULL::boolean", "boolean", "null"],
    ["NULL", "text", "null"],
  ],
  "dates and times": [
    ["'0001-01-01 BC'::date", "date", '"0001-01-01 BC"'],
    ["'4713-11-24 BC'::date", "date", '"4713-11-24 BC"'],
    ["'5874897-12-31'::date", "date", '"5874897-12-31"'],
    ["'infinity'::date", "date", '"infinity"'],
    ["'2024-02-29 23:59:59.999999'::timestamp", "timestamp without time zone", '"2024-02-29 23:59:59.999999"'],
    ["'2024-02-29 12:00:00.123456'::timestamp(3)", "timestamp(3) without time zone", '"2024-02-29 12:00:00.123"'],
    ["'294276-12-31 23:59:59.999999'::timestamp", "timestamp without time zone", '"294276-12-31 23:59:59.999999"'],
    ["'-infinity'::timestamp", "timestamp without time zone", '"-infinity"'],
    ["'2024-07-01 12:00:00+00'::timestamptz", "timestamp with time zone", '"2024-07-01 12:00:00+00"'],
    ["'4713-01-01 00:00:00+00 BC'::timestamptz", "timestamp with time zone", '"4713-01-01 00:00:00+00 BC"'],
    ["'24:00:00'::time", "time without time zone", '"24:00:00"'],
    ["'12:34:56.789'::time(1)", "time(1) without time zone", '"12:34:56.8"'],
    ["'23:59:59.999999-15:59:59'::timetz", "time with time zone", '"23:59:59.999999-15:59:59"'],
    ["'1 year 2 mons -3 days +04:05:06.789'::interval", "interval", '"1 year 2 mons -3 days +04:05:06.789"'],
    ["'178000000 years'::interval", "interval", '"178000000 years"'],
    ["'1 day 2:03:04.567'::interval day to second(1)", "interval day to second(1)", '"1 day 02:03:04.6"'],
    ["'P1Y'::interval year", "interval year", '"1 year"'],
  ],
  text: [
    ["'a''b\"c\\d'", "text", '"a\'b\\"c\\\\d"'],
    ["''::text", "text", '""'],
    ["'é😀漢'::varchar(10)", "character varying(10)", '"é😀漢"'],
    ["'ab'::char(4)", "character(4)", '"ab  "'],
    ["'x'::\"char\"", '"char"', '"x"'],
    ["'pg_class'::name", "name", '"pg_class"'],
    ["E'a\\tb\\nc'", "text", '"a\\tb\\nc"'],
    ["'<a>b</a>'::xml", "xml", '"<a>b</a>"'],
  ],
  json: [
    ['\'{"a": 12345678901234567890.1234567890, "a": 2}\'::json', "json", '{"a":12345678901234567890.1234567890,"a":2}'],
    ['\'{"b": 1e400, "a": [null, true]}\'::json', "json", '{"b":1e400,"a":[null,true]}'],
    ['\'{"b": 100000000000000000000000000, "a": 1.10}\'::jsonb', "jsonb", '{"a":1.10,"b":100000000000000000000000000}'],
    ["'\"x\"'::jsonb", "jsonb", '"x"'],
    ["'null'::jsonb", "jsonb", "null"],
    ["'$.a[*]'::jsonpath", "jsonpath", '"$.\\"a\\"[*]"'],
  ],
  binary: [
    ["'\\x'::bytea", "bytea", '{"base64":"","bytes":0}'],
    ["'\\x00ff00'::bytea", "bytea", '{"base64":"AP8A","bytes":3}'],
    ["B'1011'", "bit", '"1011"'],
    ["B'1011'::bit(4)", "bit(4)", '"1011"'],
    ["B'101'::varbit(8)", "bit varying(8)", '"101"'],
  ],
  arrays: [
    ["ARRAY[1,NULL,3]", "integer[]", '"{1,NULL,3}"'],
    ["'{}'::text[]", "text[]", '"{}"'],
    ["ARRAY['a,b', '\"', 'NULL', NULL, '']", "text[]", '"{\\"a,b\\",\\"\\\\\\"\\",\\"NULL\\",NULL,\\"\\"}"'],
    ["'[2:3][-1:0]={{1,2},{3,4}}'::int[]", "integer[]", '"[2:3][-1:0]={{1,2},{3,4}}"'],
    ["ARRAY[1.5]::numeric(4,1)[]", "numeric(4,1)[]", '"{1.5}"'],
    ["ARRAY['\\x00']::bytea[]", "bytea[]", '"{\\"\\\\\\\\x00\\"}"'],
    ["ARRAY['sad','o''k']::mood[]", "mood[]", '"{sad,o\'k}"'],
  ],
  "ranges and multiranges": [
    ["'[1,5)'::int4range", "int4range", '"[1,5)"'],
    ["'empty'::int8range", "int8range", '"empty"'],
    ["'(,2.5]'::numrange", "numrange", '"(,2.5]"'],
    ["'[2024-01-01,infinity)'::daterange", "daterange", '"[2024-01-01,infinity)"'],
    ["'{[1,3),[5,7)}'::int4multirange", "int4multirange", '"{[1,3),[5,7)}"'],
    ["'[1.5,2.5]'::floats", "floats", '"[1.5,2.5]"'],
  ],
  "network, identity, geometry, search": [
    ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", "uuid", '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'],
    ["'192.168.0.1/24'::inet", "inet", '"192.168.0.1/24"'],
    ["'2001:db8::/32'::cidr", "cidr", '"2001:db8::/32"'],
    ["'08:00:2b:01:02:03'::macaddr", "macaddr", '"08:00:2b:01:02:03"'],
    ["'08:00:2b:01:02:03:04:05'::macaddr8", "macaddr8", '"08:00:2b:01:02:03:04:05"'],
    ["'(1.5,-2)'::point", "point", '"(1.5,-2)"'],
    ["'((0,0),(1,1))'::box", "box", '"(1,1),(0,0)"'],
    ["'<(0,0),5>'::circle", "circle", '"<(0,0),5>"'],
    ["'[(0,0),(1,1)]'::path", "path", '"[(0,0),(1,1)]"'],
    ["'the fat cat:2A'::tsvector", "tsvector", "\"'cat':2A 'fat' 'the'\""],
    ["'fat & !rat'::tsquery", "tsquery", "\"'fat' & !'rat'\""],
    ["'pg_class'::regclass", "regclass", '"pg_class"'],
    ["'16/B374D848'::pg_lsn", "pg_lsn", '"16/B374D848"'],
  ],
  "types of one's own": [
    ["'très \"heureux\"'::mood", "mood", '"très \\"heureux\\""'],
    ["1.5::positive", "numeric(8,3)", '"1.500"'],
    ["ARRAY['a']::words", "text[]", '"{a}"'],
    ['ROW(1, \'x y\')::"Über schema"."Odd Type"', '"Über schema"."Odd Type"', '"(1,\\"x y\\")"'],
    ["ROW(1, NULL)", "record", '"(1,)"'],
    ["(SELECT pairs FROM pairs)", "pairs", '"(1,\\"x,\\"\\"y\\"\\"\\")"'],
    ["'a=>1, b=>NULL'::hstore", "hstore", '"\\"a\\"=>\\"1\\", \\"b\\"=>NULL"'],
  ],
};

describe.each(Object.entries(rows))("%s", (_, cases) => {
  test.each(cases)("%s is %s", async (sql, type, json) => {
    const result = await collect(source, `SELECT ${sql} AS "Größe ""x"""`);
    const [column] = result.columns;
    expect(column).toMatchObject({ name: 'Größe "x"', type });
    expect(toCellJson(result.rows[0]?.[0] ?? null, column?.form ?? "text", 1_000_000)).toBe(json);
  });
});

test("all of them in one row, where names repeat, keep their places", async () => {
  const all = Object.values(rows).flat();
  const result = await collect(source, `SELECT ${all.map(([sql]) => `${sql} AS x`).join(", ")}`);
  expect(result.columns.map(({ type }) => type)).toEqual(all.map(([, type]) => type));
  expect(
    result.rows[0]?.map((cell, index) => toCellJson(cell, result.columns[index]?.form ?? "text", 1_000_000)),
  ).toEqual(all.map(([, , json]) => json));
});

test.each<[string, string, readonly unknown[]]>([
  ["$1::int + 1", "2", [1]],
  ["$1::bigint", "9223372036854775807", ["9223372036854775807"]],
  ["$1::numeric", "1.10", ["1.10"]],
  ["$1::boolean::text", "true", [true]],
  ["coalesce($1::text, 'none')", "none", [null]],
  ["$1::jsonb ->> 'a'", "1", [{ a: 1 }]],
  ["$1::jsonb ->> 1", "x", [[1, "x"]]],
  ["$1::jsonb ->> 'a'", "1", ['{"a":1}']],
  ["array_to_string($1::int[], '-', '*')", "1-*-3", [[1, null, 3]]],
  ["($1::text[])[2]", 'b"\\,', [["a", 'b"\\,']]],
  [
    "($1::int[][])[2][1]::text",
    "3",
    [
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ],
  ["(2 = ANY ($1::int[]))::text || $2::text", "truex", [[1, 2], "x"]],
  ["$1::date + $2::int", "2024-03-01", ["2024-02-29", 1]],
  ["$1::mood", "sad", ["sad"]],
  ["$2::text || $1::text", "ba", ["a", "b"]],
  ["$1::text", '{"a":1}', [{ a: 1 }]],
])("parameters: SELECT %s gives %s", async (sql, expected, params) => {
  const result = await collect(source, `SELECT ${sql}`, params as never);
  expect(result.rows[0]?.[0]).toBe(expected);
});
