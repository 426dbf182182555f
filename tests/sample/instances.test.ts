/** Private servers: fast once built, behind a password, and gone with their owner, however it ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { buildOnce, openPrivateFolder, serverAccount, temporaryFolder } from "@database-interface/mcp-core/sample";
import { createConnection } from "mariadb";
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startDemo as startMysqlDemo } from "../../mcp-mysql/src/demo.js";
import { startDemo as startPostgresDemo } from "../../mcp-postgres/src/demo.js";
import { executable } from "../support/processes.js";

const log = { debug: () => {}, warn: () => {} };
const { signal } = new AbortController();

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("It did not happen within 15 seconds.");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const engines = [
  {
    name: "PostgreSQL",
    folder: "mcp-postgres",
    start: startPostgresDemo,
    async count(url: string) {
      const sql = postgres(url, { max: 1 });
      try {
        const [row] = await sql`SELECT COUNT(*)::int AS n FROM orders`;
        return Number(row?.n);
      } finally {
        await sql.end();
      }
    },
  },
  {
    name: "MariaDB",
    folder: "mcp-mysql",
    start: startMysqlDemo,
    async count(url: string) {
      const { port, username, password } = new URL(url);
      const connection = await createConnection({
        host: "127.0.0.1",
        port: Number(port),
        user: username,
        password,
        database: "shop",
      });
      const rows: { n: bigint }[] = await connection.query("SELECT COUNT(*) AS n FROM orders");
      await connection.end();
      return Number(rows[0]?.n);
    },
  },
] as const;

describe.each(engines)("the demo on $name", ({ folder, start, count }) => {
  test("serves the shop until it is disposed", async () => {
    const demo = await start({ signal, log });
    expect(await count(demo.url)).toBe(7_000);
    await demo[Symbol.asyncDispose]();
    expect(await listens(Number(new URL(demo.url).port))).toBe(false);
    await demo[Symbol.asyncDispose](); // Twice is once.
  });

  test("lets nobody in without the password", async () => {
    await using demo = await start({ signal, log });
    const open = new URL(demo.url);
    open.password = "wrong";
    await expect(count(open.href)).rejects.toThrow();
  });

  test("gives every process its own copy", async () => {
    await using one = await start({ signal, log });
    await using two = await start({ signal, log });
    expect(new URL(one.url).port).not.toBe(new URL(two.url).port);
  });

  test("stops when it is cancelled before it runs", async () => {
    await expect(start({ signal: AbortSignal.abort(), log })).rejects.toMatchObject({ code: "cancelled" });
  });

  test.each(["SIGKILL", "SIGTERM"] as const)("dies with its owner by %s, and leaves no folder", async (death) => {
    const code = `
      import { findBinaries } from ${JSON.stringify(executable(folder).replace("bin.js", "instance-binaries.js"))};
      import { startInstance } from ${JSON.stringify(executable(folder).replace("bin.js", "instance.js"))};
      const { signal } = new AbortController();
      const log = { debug() {}, warn() {} };
      const instance = await startInstance({ binaries: await findBinaries({ signal, log }), signal });
      console.log(instance.port);`;
    const temporary = await mkdtemp(join(await temporaryFolder(serverAccount()), "dbi-test-"));
    await chmod(temporary, 0o755);
    const owner = spawn(process.execPath, ["--input-type=module", "-e", code], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, TMPDIR: temporary },
    });
    const [line] = await once(owner.stdout, "data");
    const port = Number(String(line));
    expect(await listens(port)).toBe(true);
    expect(await readdir(temporary)).toHaveLength(1);
    owner.kill(death);
    await until(async () => !(await listens(port)) && (await readdir(temporary)).length === 0);
    await rm(temporary, { recursive: true });
  });
});

describe("the cache", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(await temporaryFolder(undefined), "dbi-cache-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  test("builds a thing once for any number of callers", async () => {
    let builds = 0;
    const build = async (target: string) => {
      builds += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
      await mkdir(join(target, "inside"));
    };
    await Promise.all([1, 2, 3, 4].map(() => buildOnce(join(folder, "thing"), { signal }, build)));
    expect(builds).toBe(1);
    expect(await readdir(folder)).toEqual(["thing"]);
  });

  test("leaves nothing behind when a build fails, and tries again", async () => {
    const failing = buildOnce(join(folder, "other"), { signal }, () => Promise.reject(new Error("no")));
    await expect(failing).rejects.toThrow("no");
    expect(await readdir(folder)).toEqual(["thing"]);
    await buildOnce(join(folder, "other"), { signal }, async () => {});
    expect(existsSync(join(folder, "other"))).toBe(true);
  });
});

test("a private folder is entered by its owner alone and is gone when disposed", async () => {
  const folder = await openPrivateFolder(serverAccount());
  expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
  await folder[Symbol.asyncDispose]();
  expect(existsSync(folder.path)).toBe(false);
});
