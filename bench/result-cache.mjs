/**
 * What remembering results is worth: the same queries to a server that remembers them (`--result-ttl 5m`) and to one that
 * does not (`0`). `misses` is what remembering costs where no two questions are equal.
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/result-cache.mjs [rows] [rounds]
 *
 * Makes a database of its own on each server and drops it; the packages must be built.
 */
import { compare, medians } from "./side-by-side.mjs";

const rows = Number(process.argv[2] ?? 200_000);
const rounds = Number(process.argv[3] ?? 3);
const fills = {
  postgres: `INSERT INTO bench SELECT g, g % 50, g * 0.5 FROM generate_series(1, ${rows}) AS g`,
  mysql: `INSERT INTO bench SELECT seq, seq % 50, seq * 0.5 FROM seq_1_to_${rows}`,
};
const query = (/** @type {string} */ sql) => ({ name: "query", arguments: { sql, max_rows: 1_000 } });

await compare({
  fill: (engine) => ["CREATE TABLE bench (id int PRIMARY KEY, part int, value numeric(12,2))", fills[engine]],
  flags: { remembers: ["--result-ttl", "5m"], asks: ["--result-ttl", "0"] },
  asks: {
    "one row": () => query("SELECT value FROM bench WHERE id = 7"),
    "1,000 rows": () => query("SELECT id, part, value FROM bench ORDER BY id LIMIT 1000"),
    aggregate: () => query("SELECT part, count(*), sum(value) FROM bench GROUP BY part ORDER BY part"),
    "misses, one row": (count) => query(`SELECT value FROM bench WHERE id = ${count}`),
  },
  rounds,
  report(engine, times) {
    console.log(`\n${engine}, ${rows} rows`);
    console.table(Object.fromEntries(Object.entries(times).map(([label, both]) => [label, medians(both)])));
  },
});
