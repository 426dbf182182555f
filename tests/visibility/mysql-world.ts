/** What MariaDB hides and shows: the database, and statements by what becomes of them. */
import fc from "fast-check";
import { mysqlKind } from "../../mcp-mysql/src/kind.js";
import { createMysqlDatabase, type TestDatabase } from "../support/databases.js";
import { canary, lines, type World } from "./world.js";

export const mysqlWorld: World = {
  engine: "MariaDB",
  kind: mysqlKind,
  create: createMysqlDatabase,
  schemas: schemasOf,
  async fill(database) {
    const { shown, hidden } = schemasOf(database);
    await database.run(`
    CREATE TABLE users (id int PRIMARY KEY, name varchar(50), email varchar(50), password varchar(50)
      DEFAULT '${canary}default', ssn varchar(50), KEY (password), FULLTEXT (name));
    INSERT INTO users SELECT seq, CONCAT('user ', seq), CONCAT('user', seq, '@example.org'), CONCAT('${canary}', seq),
      CONCAT('${canary}ssn', seq) FROM (WITH RECURSIVE s AS (SELECT 1 AS seq UNION ALL SELECT seq + 1 FROM s WHERE seq < 20)
        SELECT seq FROM s) AS s;
    CREATE TABLE orders (id int PRIMARY KEY, user_id int, total decimal(10, 2), password varchar(50),
      FOREIGN KEY (user_id) REFERENCES users (id));
    INSERT INTO orders SELECT id, id, id * 10, 'open' FROM users;
    CREATE TABLE parted (id int, ssn varchar(50)) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (100));
    INSERT INTO parted VALUES (1, '${canary}part');
    CREATE VIEW plain_view AS SELECT * FROM users;
    CREATE VIEW renamed_view AS SELECT id, password AS p FROM users;
    CREATE VIEW nested_view AS SELECT id, p FROM renamed_view;
    CREATE VIEW computed_view AS SELECT id, UPPER(password) AS p FROM users;
    CREATE VIEW inner_view AS SELECT s.p FROM (SELECT password AS p FROM users) s;
    CREATE VIEW column_list_view (a, b) AS SELECT id, password FROM users;
    CREATE VIEW filter_view AS SELECT id FROM users WHERE password LIKE '${canary}1%';
    CREATE VIEW over_closed AS SELECT id FROM computed_view;
    CREATE VIEW union_view AS SELECT name AS v FROM users UNION SELECT password FROM users;
    CREATE VIEW distinct_view AS SELECT DISTINCT password FROM users;
    CREATE VIEW clean_view AS SELECT id, name FROM users;
    CREATE FUNCTION steal(i int) RETURNS varchar(50) READS SQL DATA RETURN (SELECT password FROM users WHERE id = i);
    CREATE FUNCTION doubled(i int) RETURNS int DETERMINISTIC RETURN i * 2;
    CREATE DATABASE ${hidden};
    CREATE TABLE ${hidden}.salaries (id int PRIMARY KEY, user_id int, amount varchar(50),
      FOREIGN KEY (user_id) REFERENCES ${shown}.users (id));
    INSERT INTO ${hidden}.salaries VALUES (1, 1, '${canary}salary');
    CREATE FUNCTION ${hidden}.pay() RETURNS int DETERMINISTIC RETURN 7;
    CREATE VIEW shown AS SELECT id FROM ${hidden}.salaries;
    ANALYZE TABLE users PERSISTENT FOR ALL;
  `);
  },
  async clear(database) {
    await database.run(`DROP DATABASE IF EXISTS ${schemasOf(database).hidden}`);
  },
  deny: ["users.password", "*.ssn"],
  evasions: lines(`
  SELECT password FROM users
  SELECT u.password FROM users u
  SELECT users.password FROM users
  SELECT DB.users.password FROM DB.users
  SELECT \`password\` FROM \`users\`
  SELECT PASSWORD FROM users
  SELECT \`PassWord\` FROM users
  SELECT password AS name FROM users
  SELECT upper(password) FROM users
  SELECT max(password) FROM users
  SELECT group_concat(password) FROM users
  SELECT json_arrayagg(password) FROM users
  SELECT json_object('p', u.password) FROM users u
  SELECT concat(password, '') FROM users
  SELECT length(password) FROM users
  SELECT left(password, 9) FROM users LIMIT 1
  SELECT CASE WHEN password LIKE 'canary_1%' THEN 1 END FROM users
  SELECT if(password > 'c', 1, 2) FROM users
  SELECT id FROM users WHERE password LIKE 'canary_1%'
  SELECT id FROM users WHERE (id, password) = (1, 'canary_1')
  SELECT id FROM users WHERE password REGEXP '^c'
  SELECT id FROM users ORDER BY password
  SELECT count(*) FROM users GROUP BY password
  SELECT count(*) FROM users GROUP BY password WITH ROLLUP
  SELECT count(*) FROM users HAVING max(password) > 'canary_2'
  SELECT row_number() OVER (ORDER BY password) FROM users
  SELECT row_number() OVER w FROM users WINDOW w AS (PARTITION BY password)
  SELECT DISTINCT password FROM users
  SELECT SQL_NO_CACHE password FROM users
  SELECT STRAIGHT_JOIN u.password FROM orders o JOIN users u ON u.id = o.id
  SELECT x.p FROM (SELECT password AS p FROM users) AS x
  SELECT x.p FROM (SELECT id, password AS p FROM (users)) x
  WITH c AS (SELECT password AS p FROM users) SELECT p FROM c
  WITH c (a, p) AS (SELECT id, password FROM users) SELECT p FROM c
  WITH RECURSIVE c AS (SELECT password AS p FROM users UNION SELECT p FROM c WHERE FALSE) SELECT p FROM c
  WITH users AS (SELECT * FROM users) SELECT * FROM users
  WITH users AS (SELECT password FROM DB.users) SELECT * FROM users
  SELECT (SELECT password FROM users WHERE id = 1)
  SELECT id FROM orders WHERE password < ANY (SELECT password FROM users u WHERE u.password > '')
  SELECT id FROM orders o WHERE EXISTS (SELECT 1 FROM users u WHERE u.password > 'c' AND u.id = o.id)
  SELECT 'a' UNION SELECT password FROM users
  SELECT 'a' UNION ALL (SELECT password FROM users)
  (SELECT password FROM users) UNION (SELECT 'x')
  SELECT name FROM users INTERSECT SELECT password FROM users
  SELECT password FROM users EXCEPT SELECT 'x'
  SELECT o.id FROM orders o JOIN users u ON o.password < u.password
  SELECT o.id FROM orders o JOIN users u USING (password)
  SELECT u.password FROM orders o, users u
  SELECT u.password FROM orders o LEFT JOIN (users u) ON u.id = o.id
  SELECT u.password FROM orders o LEFT JOIN (users u JOIN orders p) ON u.id = o.id
  SELECT u.password FROM (orders o, users u)
  SELECT u.password FROM orders o STRAIGHT_JOIN users u
  SELECT u.password FROM orders o JOIN orders p ON p.id = o.id, users u
  SELECT u.password FROM orders o USE INDEX FOR ORDER BY (PRIMARY), users u
  SELECT u.password FROM { OJ users u LEFT OUTER JOIN orders o ON u.id = o.id }
  SELECT password FROM users FORCE INDEX (PRIMARY)
  SELECT * FROM users FORCE INDEX (PRIMARY)
  SELECT * FROM users u IGNORE INDEX (PRIMARY)
  SELECT * FROM parted PARTITION (p0)
  SELECT ssn FROM parted
  SELECT password FROM .users
  SELECT password FROM DB . users
  SELECT password/**/FROM/**/users
  SELECT password FROM users# comment
  SELECT password FROM users PROCEDURE ANALYSE()
  VALUES ((SELECT password FROM users LIMIT 1))
  SELECT steal(1)
  SELECT (SELECT steal(id)) FROM orders
  SELECT DB.steal(1)
  SELECT p FROM renamed_view
  SELECT p FROM nested_view
  SELECT password FROM plain_view
  SELECT * FROM computed_view
  SELECT * FROM inner_view
  SELECT b FROM column_list_view
  SELECT * FROM filter_view
  SELECT * FROM over_closed
  SELECT * FROM union_view
  SELECT * FROM distinct_view
  SELECT * FROM mysql.column_stats
  SELECT min_value, hex(histogram) FROM mysql.column_stats WHERE table_name = 'users'
  SELECT * FROM information_schema.column_statistics
  SELECT info FROM information_schema.processlist
  SELECT * FROM information_schema.innodb_ft_index_cache
  SELECT * FROM information_schema.innodb_locks
  SELECT * FROM performance_schema.events_statements_history
  SELECT * FROM sys.processlist
  SHOW FULL PROCESSLIST
  SHOW COLUMNS FROM users WHERE field IN (SELECT password FROM users)
  EXPLAIN SELECT password FROM users
  EXPLAIN EXTENDED SELECT * FROM users WHERE id = 1
  ANALYZE FORMAT=JSON SELECT * FROM users WHERE password > 'c'
`),
  emptied: [],
  harmless: [
    ["SELECT * FROM users", "id,name,email"],
    ["SELECT u.* FROM users u", "id,name,email"],
    ["SELECT users.* FROM users", "id,name,email"],
    ["SELECT * FROM DB.users AS u", "id,name,email"],
    ["SELECT * FROM `users` `u`", "id,name,email"],
    ["SELECT count(*) FROM users", "count(*)"],
    ["SELECT u.id, o.password FROM users u JOIN orders o ON o.user_id = u.id", "id,password"],
    ["SELECT password FROM orders", "password"],
    ["SELECT id FROM users NATURAL JOIN orders", "id"],
    ["SELECT * FROM users JOIN orders USING (id)", "id,name,email,user_id,total,password"],
    ["SELECT * FROM (users u, orders o) WHERE u.id = o.user_id", "id,name,email,id,user_id,total,password"],
    ["SELECT * FROM orders o LEFT JOIN (users u JOIN orders p ON p.id = u.id) ON u.id = o.id LIMIT 1", ""],
    ["SELECT * FROM plain_view", "id,name,email"],
    ["SELECT * FROM renamed_view", "id"],
    ["SELECT * FROM nested_view", "id"],
    ["SELECT * FROM column_list_view", "a"],
    ["SELECT * FROM clean_view", "id,name"],
    ["SELECT * FROM parted", "id"],
    ["WITH c AS (SELECT * FROM users) SELECT * FROM c WHERE id > 3", "id,name,email"],
    ["SELECT name, rank() OVER (ORDER BY id) AS r FROM users WHERE id IN (SELECT user_id FROM orders)", "name,r"],
    ["SELECT * FROM users WHERE name = 'é ; -- ''password'' ' OR id = 1 /* users */", "id,name,email"],
    ["SELECT doubled(id) AS d FROM users", "d"],
    ["SELECT name, count(*) AS c FROM users GROUP BY name HAVING c > 0 ORDER BY name LIMIT 3", "name,c"],
    ["SELECT EXTRACT(YEAR FROM now()) AS y FROM users", "y"],
    ["SELECT table_name FROM information_schema.tables WHERE table_name = 'users'", "table_name"],
    ["SHOW COLUMNS FROM users", ""],
    ["DESCRIBE users", ""],
    ["SHOW TABLES", ""],
  ],
  refused: { sql: "SELECT id,\n  u.password FROM users AS u", position: 16 },
  parameters: "SELECT ?, u.name FROM users u JOIN (SELECT * FROM users WHERE id < ?) v USING (id) WHERE u.id = ?",
  passwordType: "varchar(50)",
  unmasking: [
    "SELECT * FROM users",
    "SELECT upper(password), lower(ssn) FROM users",
    "SELECT id FROM users WHERE password LIKE '%ary_1%'",
    "SELECT * FROM computed_view",
    "SELECT * FROM nested_view",
    "SELECT ssn, count(*) FROM users WHERE ssn > 'a' GROUP BY ssn",
  ],
  quotingPlan: "EXPLAIN EXTENDED SELECT ssn FROM users",
  outside: lines(`
    SELECT * FROM HR.salaries
    SELECT * FROM \`HR\`.\`salaries\`
    SELECT amount FROM users u JOIN HR.salaries s ON s.user_id = u.id
    SELECT amount FROM users u, HR.salaries s
    SELECT amount FROM orders o USE INDEX FOR ORDER BY (PRIMARY), HR.salaries s
    WITH x AS (SELECT * FROM HR.salaries) SELECT * FROM x
    SELECT (SELECT amount FROM HR.salaries)
    SELECT * FROM HR.no_such_table
    SELECT * FROM no_such_schema.t
    SELECT HR.pay()
    SELECT table_name FROM information_schema.tables
    SELECT * FROM mysql.db
    SELECT * FROM performance_schema.threads
    SELECT * FROM sys.schema_table_statistics
    SHOW DATABASES
    SHOW TABLES FROM HR
    SHOW FULL TABLES IN HR
    SHOW COLUMNS FROM salaries FROM HR
    SHOW COLUMNS FROM HR.salaries
    SHOW CREATE TABLE HR.salaries
    SHOW CREATE VIEW shown
    SHOW CREATE TABLE shown
    SHOW TABLE STATUS FROM HR
    SHOW GRANTS
    SHOW FULL PROCESSLIST
    SHOW OPEN TABLES
    DESCRIBE HR.salaries
    DESC HR.salaries amount
    EXPLAIN SELECT * FROM HR.salaries
    EXPLAIN SELECT * FROM shown
  `),
  inside: [
    "SELECT * FROM users",
    "SELECT * FROM DB.users JOIN orders USING (id)",
    "WITH salaries AS (SELECT 1) SELECT * FROM salaries",
    "SELECT doubled(2), upper('x'), now()",
    "SELECT DB.doubled(2)",
    "SELECT * FROM shown",
    "SHOW TABLES",
    "SHOW COLUMNS FROM users",
    "SHOW VARIABLES LIKE 'version'",
    "DESCRIBE users",
  ],
  randomQuery,
};

function schemasOf({ name }: TestDatabase) {
  return { shown: name, hidden: `${name}_hr` };
}

function randomQuery(): fc.Arbitrary<string> {
  const { query } = fc.letrec<{ value: string; query: string; table: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom("password", "u.password", "u.ssn", "ssn", "id", "u.name", "u.*", "*", "users.password", "p"),
      tie("value").map((inner) => `upper(${inner})`),
      tie("value").map((inner) => `max(${inner})`),
      tie("value").map((inner) => `json_object('k', ${inner})`),
      tie("query").map((inner) => `(${inner} LIMIT 1)`),
    ),
    table: fc.oneof(
      { maxDepth: 2 },
      fc.constantFrom("users u", "users AS u", "`users` u", "users", "(users u)", "plain_view u", "{ OJ users u }"),
      tie("query").map((inner) => `(${inner}) AS u`),
      tie("table").map((inner) => `${inner}, users AS t`),
      tie("table").map((inner) => `(${inner}) NATURAL JOIN users AS t`),
      tie("table").map((inner) => `orders o USE INDEX FOR GROUP BY (PRIMARY), ${inner}`),
      tie("table").map((inner) => `orders o LEFT JOIN (${inner}) ON o.id = u.id`),
    ),
    query: fc
      .tuple(tie("value"), tie("table"), fc.option(tie("value")), fc.option(tie("value")))
      .map(([shown, from, where, order]) =>
        [
          `SELECT ${shown} FROM ${from}`,
          where === null ? "" : `WHERE ${where} > 'a'`,
          order === null ? "" : `ORDER BY ${order}`,
        ].join(" "),
      ),
  }));
  return fc.oneof(
    query,
    fc.tuple(query, query).map((pair) => pair.map((one) => `(${one})`).join(" UNION ALL ")),
  );
}
