/** What PostgreSQL hides and shows: the database, and statements by what becomes of them. */
import fc from "fast-check";
import { postgresKind } from "../../mcp-postgres/src/kind.js";
import { createPostgresDatabase } from "../support/databases.js";
import { canary, lines, type World } from "./world.js";

export const postgresWorld: World = {
  engine: "PostgreSQL",
  kind: postgresKind,
  create: createPostgresDatabase,
  schemas: () => ({ shown: "public", hidden: "hr" }),
  async fill(database) {
    await database.run(`
    CREATE TABLE users (id int PRIMARY KEY, name text, email text, password text DEFAULT '${canary}default', ssn text);
    INSERT INTO users SELECT i, 'user ' || i, 'user' || i || '@example.org', '${canary}' || i, '${canary}ssn' || i
      FROM generate_series(1, 20) AS i;
    CREATE TABLE people_all (id int, region text, ssn text) PARTITION BY LIST (region);
    CREATE TABLE people_eu PARTITION OF people_all FOR VALUES IN ('eu');
    INSERT INTO people_all SELECT i, 'eu', '${canary}part' || i FROM generate_series(1, 5) AS i;
    CREATE TABLE base (id int, secret text);
    CREATE TABLE child (extra text) INHERITS (base);
    INSERT INTO child VALUES (1, '${canary}child', 'x');
    CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users, total numeric, password text);
    INSERT INTO orders SELECT i, i, i * 10, 'open' FROM generate_series(1, 20) AS i;
    CREATE VIEW plain_view AS SELECT * FROM users;
    CREATE VIEW renamed_view AS SELECT id, password AS p FROM users;
    CREATE VIEW nested_view AS SELECT id, p FROM renamed_view;
    CREATE VIEW computed_view AS SELECT id, upper(password) AS p FROM users;
    CREATE VIEW whole_view AS SELECT id, to_jsonb(u) AS j FROM users u;
    CREATE VIEW inner_view AS SELECT s.p FROM (SELECT password AS p FROM users) s;
    CREATE VIEW column_list_view (a, b) AS SELECT id, password FROM users;
    CREATE VIEW alias_view AS SELECT u.c FROM users u(a, b, x, c, d);
    CREATE VIEW filter_view AS SELECT id FROM users WHERE password LIKE '${canary}1%';
    CREATE VIEW over_closed AS SELECT id FROM computed_view;
    CREATE VIEW union_view AS SELECT id::text AS v FROM users UNION SELECT password FROM users;
    CREATE VIEW clean_view AS SELECT id, name FROM users;
    CREATE MATERIALIZED VIEW kept AS SELECT id, lower(password) AS p FROM users;
    CREATE FUNCTION steal(i int) RETURNS text LANGUAGE sql STABLE AS 'SELECT password FROM users WHERE id = i';
    CREATE FUNCTION steal_too(i int) RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN steal(i); END';
    CREATE FUNCTION steal_row(u users) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT u.password';
    CREATE FUNCTION doubled(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i * 2';
    CREATE SCHEMA hr;
    CREATE TABLE hr.salaries (id int, user_id int REFERENCES users, amount text);
    INSERT INTO hr.salaries VALUES (1, 1, '${canary}salary');
    CREATE VIEW shown AS SELECT id FROM hr.salaries;
    CREATE FUNCTION hr.pay() RETURNS text LANGUAGE sql STABLE AS 'SELECT amount FROM hr.salaries';
    ANALYZE;
  `);
  },
  async clear() {},
  deny: ["users.password", "*.ssn", "public.base.secret"],
  evasions: lines(`
  SELECT password FROM users
  SELECT u.password FROM users u
  SELECT users.password FROM users
  SELECT public.users.password FROM public.users
  SELECT "password" FROM "users"
  SELECT U&"p\\0061ssword" FROM users
  SELECT password FROM U&"us\\0065rs"
  SELECT password AS name FROM users
  SELECT upper(password) FROM users
  SELECT max(password) FROM users
  SELECT string_agg(password, ',') FROM users
  SELECT array_agg(u.password) FROM users u
  SELECT password || '' FROM users
  SELECT length(password) FROM users
  SELECT left(password, 9) FROM users LIMIT 1
  SELECT CASE WHEN password LIKE 'canary_1%' THEN 1 END FROM users
  SELECT id FROM users WHERE password LIKE 'canary_1%'
  SELECT id FROM users WHERE (id, password) = (1, 'canary_1')
  SELECT id FROM users ORDER BY password
  SELECT count(*) FROM users GROUP BY password
  SELECT count(*) FROM users GROUP BY ROLLUP (password)
  SELECT count(*) FROM users HAVING max(password) > 'canary_2'
  SELECT row_number() OVER (ORDER BY password) FROM users
  SELECT row_number() OVER w FROM users WINDOW w AS (PARTITION BY password)
  SELECT count(*) FILTER (WHERE password > 'c') FROM users
  SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY password) FROM users
  SELECT DISTINCT ON (password) id FROM users
  SELECT h FROM users AS t(a, b, c, h, s)
  SELECT t.d FROM users t(a, b, c, d)
  SELECT x FROM (SELECT password FROM users) AS s(x)
  WITH c AS (SELECT password AS p FROM users) SELECT p FROM c
  WITH c(a, p) AS (SELECT id, password FROM users) SELECT p FROM c
  WITH RECURSIVE c(p) AS (SELECT password FROM users UNION SELECT p || '' FROM c WHERE false) SELECT p FROM c
  WITH users AS (SELECT * FROM users) SELECT * FROM users
  SELECT (SELECT password FROM users WHERE id = 1)
  SELECT id FROM orders o WHERE EXISTS (SELECT FROM users u WHERE u.password > 'c' AND u.id = o.id)
  SELECT p.password FROM orders o, LATERAL (SELECT u.password FROM users u WHERE u.id = o.id) p
  SELECT 'a' UNION SELECT password FROM users
  SELECT password FROM users EXCEPT SELECT 'x'
  SELECT name FROM users INTERSECT SELECT password FROM users
  SELECT o.id FROM orders o JOIN users u ON o.password < u.password
  SELECT o.id FROM orders o JOIN users u USING (password)
  SELECT (u).password FROM users u
  SELECT (u.*).password FROM users u
  SELECT (users).password FROM users
  SELECT steal_row(u) FROM users u
  SELECT u.steal_row FROM users u
  SELECT steal(1)
  SELECT steal_too(1)
  SELECT (SELECT steal(id)) FROM orders
  SELECT query_to_xml('SELECT password FROM users', true, false, '')
  SELECT * FROM ts_stat('SELECT to_tsvector(password) FROM users')
  SELECT p FROM renamed_view
  SELECT p FROM nested_view
  SELECT password FROM plain_view
  SELECT * FROM computed_view
  SELECT * FROM whole_view
  SELECT * FROM inner_view
  SELECT b FROM column_list_view
  SELECT * FROM alias_view
  SELECT * FROM filter_view
  SELECT * FROM over_closed
  SELECT * FROM union_view
  SELECT * FROM kept
  SELECT most_common_vals FROM pg_stats
  SELECT histogram_bounds::text FROM pg_catalog.pg_stats WHERE tablename = 'users'
  SELECT stavalues1::text FROM pg_statistic
  SELECT query FROM pg_stat_activity
  SELECT * FROM pg_stat_get_activity(NULL)
  SELECT ssn FROM people_all
  SELECT ssn FROM people_eu
  SELECT * FROM ONLY people_eu WHERE ssn > ''
  SELECT secret FROM base
  SELECT secret FROM child
  SELECT password FROM users TABLESAMPLE system (100)
  SELECT * FROM users TABLESAMPLE system (100)
  SELECT * FROM ONLY users
  SELECT password FROM ONLY (users)
  SELECT * FROM users *
  EXPLAIN SELECT password FROM users
  EXPLAIN (VERBOSE) SELECT * FROM users
  EXPLAIN UPDATE users SET name = password
  SELECT * FROM public . users WHERE password IS NOT NULL
  SELECT * FROM public/**/./**/users
  SELECT password/**/FROM/**/users
  VALUES ((SELECT password FROM users LIMIT 1))
  SELECT coalesce(password, '') FROM orders RIGHT JOIN users USING (id) WHERE users.password > ''
  SELECT JSON_OBJECT('p': u.password) FROM users u
  SELECT json_agg(x.password) FROM (TABLE users) x
`),
  emptied: lines(`
  SELECT id FROM orders WHERE password < ANY (SELECT password FROM users)
  SELECT r.password FROM users u, jsonb_to_record(to_jsonb(u)) AS r(password text) WHERE r.password > ''
  SELECT to_jsonb(u) ->> 'password' AS v FROM users u WHERE to_jsonb(u) ? 'password'
  SELECT kv.value FROM users u, jsonb_each_text(to_jsonb(u)) AS kv WHERE kv.key = 'password'
`),
  harmless: [
    ["SELECT * FROM users", "id,name,email"],
    ["SELECT u.* FROM users u", "id,name,email"],
    ["TABLE users", "id,name,email"],
    ["SELECT users.* FROM public.users", "id,name,email"],
    ["SELECT count(*) FROM users", "count"],
    ["SELECT u FROM users u", "u"],
    ["SELECT u::text FROM users u", "u"],
    ["SELECT to_jsonb(u) FROM users u", "to_jsonb"],
    ["SELECT row_to_json(u) FROM users AS u", "row_to_json"],
    ["SELECT row_to_json(users.*) FROM users", "row_to_json"],
    ["SELECT json_agg(u) FROM users u", "json_agg"],
    ["SELECT format('%s', u) FROM users u", "format"],
    ["SELECT a, b, c FROM users t(a, b, c)", "a,b,c"],
    ["SELECT u.id, o.password FROM users u JOIN orders o ON o.user_id = u.id", "id,password"],
    ["SELECT password FROM orders", "password"],
    ["SELECT * FROM users NATURAL JOIN orders", "id,name,email,user_id,total,password"],
    ["SELECT * FROM users JOIN orders USING (id)", "id,name,email,user_id,total,password"],
    ["SELECT * FROM plain_view", "id,name,email"],
    ["SELECT * FROM renamed_view", "id"],
    ["SELECT * FROM nested_view", "id"],
    ["SELECT * FROM column_list_view", "a"],
    ["SELECT * FROM clean_view", "id,name"],
    ["SELECT * FROM people_all", "id,region"],
    ["SELECT * FROM child", "id,extra"],
    ["WITH c AS (SELECT * FROM users) SELECT * FROM c WHERE id > 3", "id,name,email"],
    ["SELECT name, rank() OVER (ORDER BY id) FROM users WHERE id IN (SELECT user_id FROM orders)", "name,rank"],
    ["SELECT * FROM users WHERE name = 'é ; -- ''password'' ' OR id = 1 /* users */", "id,name,email"],
    ["SELECT doubled(id) FROM users", "doubled"],
    ["SELECT * FROM (users u JOIN orders o ON o.user_id = u.id) AS j", "id,name,email,id,user_id,total,password"],
    ["SELECT relname FROM pg_class WHERE relname = 'users'", "relname"],
    ["SELECT column_name FROM information_schema.columns WHERE table_name = 'users'", "column_name"],
  ],
  refused: { sql: "SELECT id,\n  u.password FROM orders JOIN users AS u USING (id)", position: 14 },
  parameters:
    "SELECT $1::text, u.name FROM users u JOIN (SELECT * FROM users WHERE id < $2) v USING (id) WHERE u.id = $3",
  passwordType: "text",
  unmasking: [
    "SELECT * FROM users",
    "SELECT to_jsonb(u) FROM users u",
    "SELECT upper(password), lower(ssn) FROM users",
    "SELECT id FROM users WHERE password LIKE '%ary_1%'",
    "SELECT * FROM computed_view",
    "SELECT * FROM nested_view",
    "SELECT most_common_vals FROM pg_stats",
    "SELECT ssn, count(*) FROM users WHERE ssn > 'a' GROUP BY ssn",
  ],
  quotingPlan: "EXPLAIN VERBOSE SELECT ssn FROM users",
  outside: lines(`
    SELECT * FROM hr.salaries
    SELECT * FROM "hr"."salaries"
    SELECT amount FROM users u JOIN hr.salaries s ON s.user_id = u.id
    WITH x AS (SELECT * FROM hr.salaries) SELECT * FROM x
    SELECT (SELECT amount FROM hr.salaries)
    SELECT * FROM hr.no_such_table
    SELECT * FROM no_such_schema.t
    SELECT hr.pay()
    SELECT * FROM hr.pay()
    SELECT query_to_xml('SELECT * FROM hr.salaries', true, false, '')
    SELECT (NULL::hr.salaries).*
    SELECT relname FROM pg_class
    SELECT relname FROM pg_catalog.pg_class
    SELECT * FROM information_schema.tables
    SELECT * FROM pg_stats
    SELECT 'hr.salaries'::regclass
    SELECT i::regclass::text FROM generate_series(16000, 20000) AS i
    SELECT CAST('hr.salaries' AS regclass)::oid
    SELECT to_regclass('hr.salaries')
    SELECT pg_get_viewdef('shown')
    SELECT pg_relation_size('hr.salaries')
    SELECT has_table_privilege('hr.salaries', 'select')
    SELECT has_schema_privilege('hr', 'usage')
    SELECT obj_description(1, 'pg_class')
    SELECT tableoid::regclass FROM users
    EXPLAIN SELECT * FROM hr.salaries
    EXPLAIN SELECT * FROM shown
  `),
  inside: [
    "SELECT * FROM users",
    "SELECT * FROM public.users JOIN orders USING (id)",
    "WITH salaries AS (SELECT 1) SELECT * FROM salaries",
    "SELECT doubled(2), upper('x'), now(), to_char(now(), 'YYYY')",
    "SELECT 1::int, '2020-01-01'::date, NULL::users",
    "SELECT * FROM shown",
    "SHOW server_version",
  ],
  randomQuery,
};

function randomQuery(): fc.Arbitrary<string> {
  const { value, query } = fc.letrec<{ value: string; query: string; table: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("password", "u.password", "u.ssn", "ssn", "id", "u.name", "u", "u.*", "*", "c4", "t.c4", "p"),
      tie("value").map((inner) => `upper(${inner}::text)`),
      tie("value").map((inner) => `to_jsonb(${inner})`),
      tie("value").map((inner) => `coalesce(${inner}::text, '')`),
      tie("value").map((inner) => `max(${inner}::text)`),
      tie("query").map((inner) => `(${inner} LIMIT 1)`),
      tie("query").map((inner) => `ARRAY(${inner})`),
    ),
    table: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom(
        "users u",
        "users AS u",
        "public.users u",
        '"users" u',
        "users AS u(id, name, c3, c4, p)",
        "plain_view u",
      ),
      tie("query").map((inner) => `(${inner}) AS u`),
      tie("table").map((inner) => `${inner} NATURAL JOIN users AS t(c1, c2, c3, c4)`),
      tie("table").map((inner) => `${inner} CROSS JOIN LATERAL (SELECT u.*) AS t`),
    ),
    query: fc
      .tuple(tie("value"), tie("table"), fc.option(tie("value")), fc.option(tie("value")))
      .map(([shown, from, where, order]) =>
        [
          `SELECT ${shown} FROM ${from}`,
          where === null ? "" : `WHERE ${where}::text > 'a'`,
          order === null ? "" : `ORDER BY ${order}`,
        ].join(" "),
      ),
  }));
  return fc.oneof(
    query,
    fc.tuple(query, query).map((pair) => pair.join(" UNION ALL ")),
    value.map((shown) => `SELECT ${shown} FROM users u`),
  );
}
