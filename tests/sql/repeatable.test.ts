/** Which queries a database calls repeatable: what speaks of the moment, of chance, the session or the server is none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Database, Parameter } from "../../mcp-core/src/sql/database.js";
import { openSource as openMysql } from "../mysql/open.js";
import { collect, openSource as openPostgres } from "../postgres/open.js";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";

/** A statement and its parameters. */
type Row = string | readonly [sql: string, params: readonly Parameter[]];

interface Engine {
  readonly create: () => Promise<TestDatabase>;
  readonly open: (url: string) => Database;
  readonly setUp: readonly string[];
  readonly repeatable: readonly Row[];
  readonly not: readonly Row[];
}

const engines: Readonly<Record<string, Engine>> = {
  postgres: {
    create: createPostgresDatabase,
    open: openPostgres,
    setUp: [
      "CREATE TABLE t (id int, name text, at timestamptz, doc jsonb)",
      "CREATE TABLE mine (id int)",
      "ALTER TABLE mine ENABLE ROW LEVEL SECURITY",
      "CREATE VIEW plain AS SELECT id, upper(name) AS name FROM t",
      "CREATE VIEW recent AS SELECT id FROM t WHERE at > now() - interval '1 day'",
      "CREATE VIEW nested AS SELECT id FROM recent",
      "CREATE MATERIALIZED VIEW kept AS SELECT id FROM t",
      "CREATE FUNCTION pure(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1'",
      "CREATE FUNCTION looks(int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1'",
      "CREATE FUNCTION of_row(t) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1'",
      "CREATE AGGREGATE gather(int) (SFUNC = int4pl, STYPE = int)",
      "CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql STABLE AS 'SELECT $1'",
      "CREATE AGGREGATE stray(int) (SFUNC = step, STYPE = int)",
      "CREATE OPERATOR <+> (LEFTARG = int, RIGHTARG = int, FUNCTION = step)",
    ],
    repeatable: [
      "SELECT 1",
      "SELECT id, name FROM t WHERE name LIKE 'a%' ORDER BY id LIMIT 3",
      "SELECT count(*), sum(id), array_agg(name ORDER BY id) FROM t GROUP BY at",
      "WITH x AS (SELECT id FROM t) SELECT * FROM x JOIN plain USING (id)",
      "SELECT to_char(at, 'YYYY'), date_trunc('day', at), at::date, extract(year FROM at) FROM t",
      "SELECT jsonb_agg(doc), json_build_object('a', id) FROM t GROUP BY id",
      "SELECT age(at, at - interval '1 day'), at + interval '1 hour', at AT TIME ZONE 'UTC' FROM t",
      "SELECT pure(id), gather(id) OVER () FROM t",
      "SELECT id FROM kept UNION SELECT generate_series(1, 3)",
      "SELECT t.name, t.id + 1, '2024-01-01'::date FROM t",
      "VALUES (1), (2)",
      ["SELECT id FROM t WHERE name = $1", ["knowhow"]],
    ],
    not: [
      "SELECT now()",
      "SELECT CURRENT_DATE",
      "SELECT id FROM t WHERE at > LOCALTIMESTAMP",
      "SELECT age(at) FROM t",
      "SELECT 'today'::date",
      "SELECT id FROM t WHERE at < 'Tomorrow 10:00'",
      ["SELECT id FROM t WHERE at < $1", ["yesterday"]],
      ["SELECT id FROM t WHERE at = ANY ($1)", [["2024-01-01", "now"]]],
      "SELECT random()",
      "SELECT gen_random_uuid()",
      "SELECT CURRENT_USER",
      "SELECT current_setting('search_path')",
      "SELECT pg_backend_pid()",
      "SELECT pg_relation_size('t')",
      "SELECT version()",
      "SELECT id FROM t TABLESAMPLE BERNOULLI (50)",
      "SELECT count(*) FROM pg_stat_activity",
      "SELECT table_name FROM information_schema.tables",
      "SELECT id FROM mine",
      "SELECT id FROM recent",
      "SELECT id FROM nested",
      "SELECT looks(1)",
      "SELECT t.of_row FROM t",
      "SELECT stray(id) FROM t",
      "SELECT 1 <+> 2",
      "SELECT query_to_xml('SELECT now()', true, false, '')",
      "SHOW search_path",
      "EXPLAIN SELECT 1",
    ],
  },
  mysql: {
    create: createMysqlDatabase,
    open: openMysql,
    setUp: [
      "CREATE TABLE t (id int, name varchar(20), at datetime, `current_date` date, user varchar(9))",
      "CREATE VIEW plain AS SELECT id, upper(name) AS name FROM t",
      "CREATE VIEW recent AS SELECT id FROM t WHERE at > now() - INTERVAL 1 DAY",
      "CREATE VIEW nested AS SELECT id FROM recent",
      "CREATE FUNCTION pure(a int) RETURNS int DETERMINISTIC RETURN a + 1",
      "CREATE FUNCTION stray(a int) RETURNS double NOT DETERMINISTIC RETURN a + rand()",
    ],
    repeatable: [
      "SELECT 1",
      "SELECT id, name FROM t WHERE name LIKE 'now%' ORDER BY id LIMIT 3",
      "SELECT count(*), sum(id), group_concat(name) FROM t GROUP BY at",
      "WITH x AS (SELECT id FROM t) SELECT * FROM x JOIN plain USING (id)",
      "SELECT date_format(at, '%Y'), date(at), unix_timestamp(at), year(at) FROM t",
      "SELECT user, t.user, `current_date` FROM t",
      "SELECT pure(id) FROM t",
      "VALUES (1), (2)",
      ["SELECT id FROM t WHERE name = ?", ["now"]],
    ],
    not: [
      "SELECT now()",
      "SELECT CURRENT_DATE",
      "SELECT id FROM t WHERE at > LOCALTIMESTAMP",
      "SELECT `uuid`()",
      "SELECT unix_timestamp()",
      "SELECT utc_timestamp",
      "SELECT rand(), rand(5)",
      "SELECT uuid()",
      "SELECT CURRENT_USER",
      "SELECT connection_id()",
      "SELECT user()",
      "SELECT @@version",
      "SELECT @x",
      "SELECT found_rows()",
      "SELECT count(*) FROM information_schema.tables",
      "SELECT count(*) FROM `performance_schema`.threads",
      "SELECT id FROM recent",
      "SELECT id FROM nested",
      "SELECT stray(1)",
      "SHOW TABLES",
      "DESCRIBE t",
      "EXPLAIN SELECT 1",
    ],
  },
};

describe.each(Object.entries(engines))("%s", (_, { create, open, setUp, repeatable, not }) => {
  let own: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    own = await create();
    for (const statement of setUp) await own.run(statement);
    database = open(own.url);
  });
  afterAll(async () => {
    await database?.[Symbol.asyncDispose]();
    await own?.[Symbol.asyncDispose]();
  });

  async function told([sql, params]: readonly [string, readonly Parameter[]]): Promise<boolean | undefined> {
    let isRepeatable: boolean | undefined;
    await collect(database, sql, params, { observe: (facts) => (isRepeatable = facts.isRepeatable ?? isRepeatable) });
    return isRepeatable;
  }

  const rowsOf = (rows: readonly Row[]) => rows.map((row) => (typeof row === "string" ? ([row, []] as const) : row));

  test.each(rowsOf(repeatable))("repeatable: %s %j", async (...row) => expect(await told(row)).toBe(true));
  test.each(rowsOf(not))("not: %s %j", async (...row) => expect(await told(row)).toBe(false));
});
