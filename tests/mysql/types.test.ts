/** Every type, extremes included, exact to the character. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cell, Database } from "../../mcp-core/src/sql/database.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { answerOf, openSource } from "./open.js";

let database: TestDatabase;
let source: Database;
beforeAll(async () => {
  database = await createMysqlDatabase();
  source = openSource(database.url);
});
afterAll(async () => {
  await source[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const bytes = (hex: string) => Buffer.from(hex, "hex");

/** A column's declaration, a value as SQL, and what arrives: the type's name, the form, the cell. */
const stored: readonly (readonly [declared: string, value: string, type: string, form: string, cell: Cell])[] = [
  ["TINYINT", "-128", "tinyint", "integer", "-128"],
  ["TINYINT UNSIGNED", "255", "tinyint unsigned", "integer", "255"],
  ["BOOLEAN", "TRUE", "tinyint(1)", "integer", "1"],
  ["SMALLINT", "-32768", "smallint", "integer", "-32768"],
  ["MEDIUMINT UNSIGNED", "16777215", "mediumint unsigned", "integer", "16777215"],
  ["INT", "-2147483648", "int", "integer", "-2147483648"],
  ["INT(5) UNSIGNED ZEROFILL", "42", "int unsigned zerofill", "integer", "00042"],
  ["BIGINT", "-9223372036854775808", "bigint", "integer", "-9223372036854775808"],
  ["BIGINT UNSIGNED", "18446744073709551615", "bigint unsigned", "integer", "18446744073709551615"],
  ["DECIMAL(10,2)", "-12345678.90", "decimal(10,2)", "decimal", "-12345678.90"],
  [
    "DECIMAL(65,30)",
    `${"9".repeat(35)}.${"9".repeat(30)}`,
    "decimal(65,30)",
    "decimal",
    `${"9".repeat(35)}.${"9".repeat(30)}`,
  ],
  ["DECIMAL(65,0)", `-${"9".repeat(65)}`, "decimal(65,0)", "decimal", `-${"9".repeat(65)}`],
  ["DECIMAL(6,3) UNSIGNED", "0.001", "decimal(6,3) unsigned", "decimal", "0.001"],
  ["FLOAT", "1.5", "float", "float", "1.5"],
  ["FLOAT", "3.40282e38", "float", "float", "3.40282e38"],
  ["DOUBLE", "1.7976931348623157e308", "double", "float", "1.7976931348623157e308"],
  ["DOUBLE", "-2.2250738585072014e-308", "double", "float", "-2.2250738585072014e-308"],
  ["DOUBLE", "0.1", "double", "float", "0.1"],
  ["DATE", "'9999-12-31'", "date", "text", "9999-12-31"],
  ["DATE", "'0000-00-00'", "date", "text", "0000-00-00"],
  ["DATE", "'2024-02-00'", "date", "text", "2024-02-00"],
  ["DATETIME", "'0000-00-00 00:00:00'", "datetime", "text", "0000-00-00 00:00:00"],
  ["DATETIME(6)", "'9999-12-31 23:59:59.999999'", "datetime(6)", "text", "9999-12-31 23:59:59.999999"],
  ["TIMESTAMP(3)", "'2024-06-01 12:34:56.789'", "timestamp(3)", "text", "2024-06-01 12:34:56.789"],
  ["TIME", "'838:59:59'", "time", "text", "838:59:59"],
  ["TIME(6)", "'-838:59:58.999999'", "time(6)", "text", "-838:59:58.999999"],
  ["YEAR", "2155", "year", "integer", "2155"],
  ["YEAR", "0", "year", "integer", "0000"],
  ["BIT(1)", "b'1'", "bit(1)", "text", "1"],
  ["BIT(12)", "b'000000000101'", "bit(12)", "text", "000000000101"],
  ["BIT(64)", "18446744073709551615", "bit(64)", "text", "1".repeat(64)],
  ["CHAR(3)", "'a'", "char(3)", "text", "a"],
  ["VARCHAR(50)", "'naïve 😀 \\n\\t\\0'", "varchar(50)", "text", "naïve 😀 \n\t\0"],
  ["VARCHAR(20) CHARACTER SET latin1", "'é€'", "varchar(20)", "text", "é€"],
  ["VARCHAR(50)", "''", "varchar(50)", "text", ""],
  ["TINYTEXT", "'t'", "tinytext", "text", "t"],
  ["TEXT", "'t'", "text", "text", "t"],
  ["MEDIUMTEXT", "'t'", "mediumtext", "text", "t"],
  ["LONGTEXT", "'t'", "longtext", "text", "t"],
  ["BINARY(4)", "x'00ff'", "binary(4)", "bytes", bytes("00ff0000")],
  ["VARBINARY(8)", "x'00ff27'", "varbinary(8)", "bytes", bytes("00ff27")],
  ["TINYBLOB", "x''", "tinyblob", "bytes", bytes("")],
  ["BLOB", "x'c328'", "blob", "bytes", bytes("c328")],
  ["LONGBLOB", "x'00'", "longblob", "bytes", bytes("00")],
  [
    "JSON",
    `'{"a":[1,2.50,"é"],"n":12345678901234567890}'`,
    "json",
    "json",
    '{"a":[1,2.50,"é"],"n":12345678901234567890}',
  ],
  ["ENUM('x','y z','it''s')", "'it''s'", "enum", "text", "it's"],
  ["SET('a','b','c')", "'c,a'", "set", "text", "a,c"],
  [
    "POINT",
    "ST_GeomFromText('POINT(1 2)')",
    "point",
    "bytes",
    bytes("000000000101000000000000000000f03f0000000000000040"),
  ],
  ["UUID", "'123e4567-e89b-12d3-a456-426655440000'", "uuid", "text", "123e4567-e89b-12d3-a456-426655440000"],
  ["INET6", "'2001:db8::ff00:42:8329'", "inet6", "text", "2001:db8::ff00:42:8329"],
  ["INT", "NULL", "int", "integer", null],
  ["BIT(4)", "NULL", "bit(4)", "text", null],
  ["BLOB", "NULL", "blob", "bytes", null],
];

test("every stored type arrives as the server writes it", async () => {
  await database.run("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'");
  const columns = stored.map(([declared], index) => `c${index} ${declared} NULL`).join(", ");
  await database.run(`CREATE TABLE types (${columns}) ROW_FORMAT=DYNAMIC CHARACTER SET utf8mb4`);
  await database.run(`INSERT INTO types VALUES (${stored.map(([, value]) => value).join(", ")})`);
  const { columns: found, rows } = await answerOf(source, "SELECT * FROM types");
  stored.forEach(([declared, value, type, form, cell], index) => {
    const label = `${declared} ${value}`;
    expect({ label, ...found[index] }).toEqual({ label, name: `c${index}`, type, form });
    expect([label, rows[0]?.[index]]).toEqual([label, cell]);
  });
});

describe("expressions", () => {
  test.each<[string, string, string, Cell]>([
    ["SELECT 1", "int", "integer", "1"],
    ["SELECT 9223372036854775807 + 0", "bigint", "integer", "9223372036854775807"],
    ["SELECT 1.10", "decimal(3,2)", "decimal", "1.10"],
    ["SELECT 1e0", "double", "float", "1"],
    ["SELECT NULL", "null", "text", null],
    ["SELECT 'é'", "varchar(1)", "text", "é"],
    ["SELECT x'41'", "varbinary(1)", "bytes", bytes("41")],
    ["SELECT JSON_OBJECT('a', 1)", "json", "json", '{"a": 1}'],
    ["SELECT TIME'25:00:00'", "time", "text", "25:00:00"],
  ])("%s", async (sql, type, form, cell) => {
    const { columns, rows } = await answerOf(source, sql);
    expect(columns[0]).toMatchObject({ type, form });
    expect(rows).toEqual([[cell]]);
  });

  test("columns of the same name all arrive", async () => {
    const { columns, rows } = await answerOf(source, "SELECT 1 AS a, 2 AS a, 3 AS `a`");
    expect([columns.map(({ name }) => name), rows]).toEqual([["a", "a", "a"], [["1", "2", "3"]]]);
  });

  test("columns come before rows, and without any", async () => {
    const { columns, rows } = await answerOf(source, "SELECT 1 AS one FROM DUAL WHERE FALSE");
    expect([columns.map(({ name }) => name), rows]).toEqual([["one"], []]);
  });
});

describe("parameters arrive as they were given", () => {
  const hostile = "'; DROP TABLE x; -- \\' \\\\ \" ` é 😀 \u0000 \n %_";
  test.each<[string, readonly (string | number | boolean | null | object)[], Cell]>([
    ["SELECT ?", [hostile], hostile],
    ["SELECT CONCAT('?', ?, \"?\", `?`) FROM (SELECT 'c?' AS `?`) AS t -- ?", ["x"], "?x?c?"],
    ["SELECT /* ? */ ? # ?", [""], ""],
    ["SELECT ?+?", [1, 2], "3"],
    ["SELECT 5-?", [-3], "8"],
    ["SELECT ?", [9007199254740991], "9007199254740991"],
    ["SELECT ?", [0.1], "0.1"],
    ["SELECT ?", [true], "1"],
    ["SELECT ? IS NULL", [null], "1"],
    ["SELECT JSON_VALUE(?, '$.a')", [{ a: "b" }], "b"],
    ["SELECT ?", [[1, "two"]], '[1,"two"]'],
    ["SELECT 'abc' = ?", ["abc"], "1"],
    ["SELECT ? LIKE ?", ["abc", "a%"], "1"],
    ["SELECT x FROM (SELECT 1 AS x UNION SELECT 2) AS t ORDER BY x LIMIT ?,?", [1, 1], "2"],
    ["SELECT DATE_ADD('2024-01-31', INTERVAL ? MONTH)", [1], "2024-02-29"],
  ])("%s with %j", async (sql, params, expected) => {
    // The table's parameters are all of a JSON kind.
    const { rows } = await answerOf(source, sql, params as never);
    expect(rows).toEqual([[expected]]);
  });

  test("a label made from a parameter shows its marker, not its value", async () => {
    const { columns } = await answerOf(source, "SELECT UPPER(?)", ["secret"]);
    expect(columns[0]?.name).toBe("UPPER(?)");
  });
});
