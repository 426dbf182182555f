/**
 * What remembering the catalogue is worth: the same tool calls on a schema of many tables, by a server that remembers
 * (`--catalog-ttl 1m`) and one that does not (`0`). Calls follow each other as a model's do, so that most looks at the
 * fingerprint are spared; a row shows what each look costs.
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/catalog-cache.mjs [tables] [rounds]
 *
 * Makes a database of its own on each server and drops it; the packages must be built.
 */
import { compare, medians } from "./side-by-side.mjs";

const tables = Number(process.argv[2] ?? 2_000);
const rounds = Number(process.argv[3] ?? 3);
const columns = "id int PRIMARY KEY, a varchar(40), b int, c timestamp NULL, d numeric(10,2), e text, f int";
const search = (/** @type {Record<string, string>} */ given) => ({ name: "search_objects", arguments: given });

await compare({
  fill: () => Array.from({ length: tables }, (_, index) => `CREATE TABLE bench_table_${index} (${columns})`),
  flags: { remembers: ["--catalog-ttl", "1m"], asks: ["--catalog-ttl", "0"] },
  asks: {
    "search_objects, names": () => search({ pattern: "bench_table_1%", detail: "names" }),
    "search_objects, full": () => search({ pattern: "bench_table_99%", detail: "full", kind: "table" }),
    describe_table: () => ({ name: "describe_table", arguments: { table: "bench_table_7" } }),
  },
  rounds,
  report(engine, times) {
    console.log(`\n${engine}, ${tables} tables`);
    const shown = Object.entries(times).map(([label, both]) => [
      label,
      { ...medians(both), "worst with a look ms": Number(Math.max(...both.remembers).toFixed(1)) },
    ]);
    console.table(Object.fromEntries(shown));
  },
});
