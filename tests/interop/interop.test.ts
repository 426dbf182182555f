/** Every client people use, over every transport, against every server we ship: the same answers everywhere. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createMysqlDatabase, createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { executable, type RunningServer, startHttpServer } from "../support/processes.js";
import { clients, type Endpoint } from "./clients.js";

const seed = `
  CREATE TABLE interop_rows (id int PRIMARY KEY, label varchar(20) NOT NULL);
  INSERT INTO interop_rows VALUES ${Array.from({ length: 3000 }, (_, index) => `(${index + 1}, 'row ${index + 1}')`).join(",")};`;

let postgres: TestDatabase;
let mysql: TestDatabase;
let folder: string;
const listening = new Map<string, RunningServer>();

interface Target {
  readonly executable: string;
  /** Arguments for a database server or gateway, without the transport. */
  args(): readonly string[];
  /** How it is told to serve over stdio and over HTTP. */
  readonly stdio: readonly string[];
  readonly http: readonly string[];
  readonly schema: () => string;
  readonly source: () => string;
  /** Passed with every call, where there is more than one source. */
  readonly extra: () => Record<string, unknown>;
  /** How many statements of ours with this marker are running on the server right now. */
  running(marker: string): Promise<number>;
}

const running = {
  async postgres(marker: string) {
    const rows = await postgres.run(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid() AND query LIKE '%${marker}%'`,
    );
    return Number(rows[0]?.n);
  },
  async mysql(marker: string) {
    const rows = await mysql.run(
      `SELECT count(*) AS n FROM information_schema.processlist WHERE id <> connection_id() AND info LIKE '%${marker}%'`,
    );
    return Number(rows[0]?.n);
  },
};

const direct = { stdio: [], http: ["--transport", "http", "--port", "0"] } as const;

const targets: Record<string, Target> = {
  "mcp-postgres": {
    executable: executable("mcp-postgres"),
    args: () => [postgres.url],
    ...direct,
    schema: () => "public",
    source: () => postgres.name,
    extra: () => ({}),
    running: running.postgres,
  },
  "mcp-mysql": {
    executable: executable("mcp-mysql"),
    args: () => [mysql.url],
    ...direct,
    schema: () => mysql.name,
    source: () => mysql.name,
    extra: () => ({}),
    running: running.mysql,
  },
  "mcp-gateway": {
    executable: executable("mcp-gateway"),
    args: () => ["--config", join(folder, "gateway.json"), "--cache-dir", join(folder, "cache")],
    stdio: ["--stdio"],
    http: ["--port", "0"],
    schema: () => "public",
    source: () => "shop",
    extra: () => ({ source: "shop" }),
    running: running.postgres,
  },
};

beforeAll(async () => {
  [postgres, mysql, folder] = await Promise.all([
    createPostgresDatabase(),
    createMysqlDatabase(),
    mkdtemp(join(tmpdir(), "interop-")),
  ]);
  await Promise.all([postgres.run(seed), mysql.run(seed)]);
  await writeFile(
    join(folder, "gateway.json"),
    JSON.stringify({ databases: { shop: postgres.url, archive: mysql.url } }),
    { mode: 0o600 },
  );
});

afterAll(async () => {
  await Promise.all([...listening.values()].map((server) => server[Symbol.asyncDispose]()));
  await Promise.all([
    postgres[Symbol.asyncDispose](),
    mysql[Symbol.asyncDispose](),
    rm(folder, { recursive: true, force: true }),
  ]);
});

async function endpointOf(name: string, target: Target, transport: "stdio" | "http" | "sse"): Promise<Endpoint> {
  if (transport === "stdio") {
    const environment: Record<string, string> = { PATH: process.env.PATH ?? "", HOME: folder };
    return {
      transport,
      command: process.execPath,
      args: [target.executable, ...target.args(), ...target.stdio],
      env: environment,
    };
  }
  const server =
    listening.get(name) ??
    (await startHttpServer(target.executable, [...target.args(), ...target.http], { HOME: folder }));
  listening.set(name, server);
  return { transport, url: `${server.url}/${transport === "http" ? "mcp" : "sse"}` };
}

async function until(condition: () => Promise<boolean>, deadlineMs: number): Promise<number> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > deadlineMs) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return performance.now() - start;
}

for (const [targetName, target] of Object.entries(targets)) {
  for (const transport of ["stdio", "http", "sse"] as const) {
    describe.each(Object.entries(clients))(`${targetName} over ${transport} with %s`, (clientName, connect) => {
      test("lists, queries, refuses bad arguments, reads a resource, completes, reports progress and cancels", async () => {
        await using client = await connect(await endpointOf(targetName, target, transport));

        expect(await client.toolNames()).toEqual(
          expect.arrayContaining(["query", "search_objects", "describe_table", "explain", "check_connection"]),
        );

        const sum = await client.call("query", {
          sql: "SELECT count(*) AS n, min(label) AS first_label FROM interop_rows",
          ...target.extra(),
        });
        expect(JSON.parse(sum.text)).toMatchObject({ columns: ["n", "first_label"], rows: [[3000, "row 1"]] });

        const wrong = await client
          .call("query", { sql: 42, ...target.extra() })
          .catch((error: unknown) => ({ text: String(error), isError: true }));
        expect(wrong.isError).toBe(true);

        const missing = await client.call("query", { sql: "SELECT * FROM interop_row", ...target.extra() });
        expect(missing.isError).toBe(true);
        expect(missing.text).toContain("table_not_found");
        expect(missing.text).toContain("interop_rows");

        const resource = await client.readResource(`schema://${target.source()}/${target.schema()}/interop_rows`);
        expect(resource).toContain("label");

        const completed = await client.complete("schema://{source}/{schema}/{table}", "table", "interop", {
          source: target.source(),
          schema: target.schema(),
        });
        expect(completed).toContain("interop_rows");

        const marker = `m_${clientName.replaceAll(/\W/g, "")}_${transport}_${targetName.replaceAll("-", "_")}`;
        const abort = new AbortController();
        let ticks = 0;
        const long = client.call(
          "query",
          {
            sql: `SELECT count(*) AS ${marker} FROM interop_rows a, interop_rows b, interop_rows c WHERE a.id + b.id + c.id < 0`,
            ...target.extra(),
          },
          { signal: abort.signal, onProgress: () => ticks++ },
        );
        const ended = long.then(
          () => "answered",
          () => "rejected",
        );
        await until(async () => ticks > 0 && (await target.running(marker)) === 1, 8_000);
        abort.abort();
        expect(await until(async () => (await target.running(marker)) === 0, 3_000)).toBeLessThan(1_000);
        expect(await ended).toBe("rejected");

        const after = await client.call("query", { sql: "SELECT 1 AS one", ...target.extra() });
        expect(JSON.parse(after.text)).toMatchObject({ rows: [[1]] });
      });
    });
  }
}
