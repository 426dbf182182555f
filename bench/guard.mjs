/**
 * What deciding costs: every ordinary statement of the safety corpus on the fixture's tables, parsed and checked but
 * not sent, once its names are known. Median and 99th percentile of single decisions, both engines.
 *
 *   BENCH_POSTGRES_URL=… BENCH_MYSQL_URL=… node bench/guard.mjs [repetitions]
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "tsup";

const root = fileURLToPath(new URL("..", import.meta.url));
const repetitions = Number(process.argv[2] ?? 20);
const signal = new AbortController().signal;
const log = { debug: () => {}, warn: () => {} };
const base = { size: 2, waitMs: 5_000, log };
const options = { poolSize: 2, connectTimeoutMs: 5_000, log };

const engines = [
  {
    folder: "mcp-postgres",
    corpus: "benign.pg.jsonl",
    url: process.env.BENCH_POSTGRES_URL ?? "postgres://postgres@127.0.0.1:5432/postgres",
    entry: `export { approve } from "./guard.js"; export { createPool } from "./pool.js"; export { createConnector } from "./connect.js";
      export { createNameMemory } from "./guard-memory.js"; export { postgresKind as kind } from "./kind.js";`,
    /** @param {any} room @param {unknown} pool @param {any} config */
    source: (room, pool, config) => ({
      pool,
      tls: config.tls,
      typeNames: new Map(),
      names: room.createNameMemory(),
      columnRules: [],
      sessionContext: [],
    }),
  },
  {
    folder: "mcp-mysql",
    corpus: "benign.mysql.jsonl",
    url: process.env.BENCH_MYSQL_URL ?? "mysql://root@127.0.0.1:3306/test",
    entry: `export { approve } from "./guard.js"; export { createPool } from "./pool.js"; export { createConnector } from "./connect.js";
      export { createNameCheck } from "./guard-names.js"; export { mysqlKind as kind } from "./kind.js";`,
    /** @param {any} room @param {unknown} pool @param {any} config */
    source: (room, pool, config) => ({
      pool,
      checkNames: room.createNameCheck(pool, config.database),
      database: config.database,
      columnRules: [],
      sessionContext: [],
    }),
  },
];

/** @param {number[]} values @param {number} share */
const at = (values, share) => values[Math.min(values.length - 1, Math.floor(values.length * share))]?.toFixed(3);

for (const { folder, corpus, url, entry, source: toSource } of engines) {
  // The guard is no public face: it is bundled from its source, next to the packages it needs.
  const place = await mkdtemp(join(root, folder, "dist", "bench-"));
  await writeFile(join(place, "entry.ts"), entry.replaceAll("./", "../../src/"));
  await build({
    config: false,
    silent: true,
    entry: [join(place, "entry.ts")],
    outDir: place,
    format: "esm",
    platform: "node",
    target: "node20",
    noExternal: [/^@database-interface\//],
    skipNodeModulesBundle: true,
    outExtension: () => ({ js: ".mjs" }),
  });
  const room = await import(pathToFileURL(join(place, "entry.mjs")).href);
  const config = room.kind.parseSource(url, {});
  const pool = room.createPool({ ...base, connect: room.createConnector(config, options) });
  const source = toSource(room, pool, config);
  const text = await readFile(join(root, "tests/safety/corpus", corpus), "utf8");
  const statements = text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line).sql]));
  const times = [];
  let refused = 0;
  for (let turn = 0; turn <= repetitions; turn++) {
    for (const sql of statements) {
      const start = performance.now();
      const passed = await room.approve(source, { sql, params: [] }, { signal }).then(
        () => true,
        () => false,
      );
      const ms = performance.now() - start;
      // The first turn asks the catalogue. What the fixture's tables would let pass is refused without them.
      if (turn > 0 && passed) times.push(ms);
      if (turn === 0 && !passed) refused++;
    }
  }
  times.sort((a, b) => a - b);
  console.log(
    `${folder}: ${times.length} decisions on ${statements.length - refused} statements: median ${at(times, 0.5)} ms, 99th percentile ${at(times, 0.99)} ms`,
  );
  await pool[Symbol.asyncDispose]();
  await rm(place, { recursive: true, force: true });
}
