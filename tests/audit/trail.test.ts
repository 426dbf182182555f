/** What a writer leaves behind: files of its own, a chain through all of them, nothing lost in silence. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { verifyAudit } from "../../mcp-core/src/host/audit/verify.js";
import { filesIn, openFolder, openTrail, recordingLog, recordsIn, writeTrail } from "./folders.js";

const wholeChains = async (folder: string, key?: string): Promise<number> => {
  const reports = await verifyAudit(folder, { key });
  expect(reports.filter(({ breach }) => breach !== undefined)).toEqual([]);
  return reports.length;
};

test("files and folder are for their owner only", async () => {
  await using folder = await openFolder();
  const path = join(folder.path, "made", "on the way");
  await writeTrail(path, 1);
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  for (const name of await readdir(path)) expect((await stat(join(path, name))).mode & 0o777).toBe(0o600);
});

test("a full file is followed by the next, and the chain goes through all", async () => {
  await using folder = await openFolder();
  await writeTrail(folder.path, 200, { maxFileBytes: 4_096 });
  const files = await filesIn(folder.path);
  expect(files.length).toBeGreaterThan(5);
  for (const name of files) expect((await stat(join(folder.path, name))).size).toBeLessThanOrEqual(4_096);
  expect(await wholeChains(folder.path)).toBe(1);
  expect((await recordsIn(folder.path)).filter(({ event }) => event === "call").length).toBe(200);
});

test("after an orderly end the next writer goes on with the chain", async () => {
  await using folder = await openFolder();
  for (const _ of [1, 2, 3]) await writeTrail(folder.path, 5);
  expect(await filesIn(folder.path)).toHaveLength(3);
  expect(await wholeChains(folder.path)).toBe(1);
  expect((await recordsIn(folder.path)).map(({ sequence }) => sequence)).toEqual(
    Array.from({ length: 21 }, (_, index) => index + 1),
  );
});

test("writers at the same time have a chain each", async () => {
  await using folder = await openFolder();
  await Promise.all(Array.from({ length: 8 }, () => writeTrail(folder.path, 50)));
  await Promise.all(Array.from({ length: 8 }, () => writeTrail(folder.path, 50)));
  await wholeChains(folder.path);
  expect((await recordsIn(folder.path)).filter(({ event }) => event === "call").length).toBe(800);
});

test("a chain whose end was cut off, or is sealed with another key, is left alone", async () => {
  const { log, text } = recordingLog();
  await using folder = await openFolder();
  const key = "a key of more than sixteen characters";
  await writeTrail(folder.path, 5, { key });
  await writeTrail(folder.path, 5, { key: "another key of sixteen", log });
  expect(text()).toContain("audit_chain_left");
  expect((await filesIn(folder.path)).at(-1)).toBe("test-server.002.00000001.jsonl");
});

const bundle = fileURLToPath(new URL("../../mcp-core/dist/host/index.js", import.meta.url));

/** A process that writes records as fast as it can and says how many are in the file. */
async function startWriter(
  folder: string,
  options = "{}",
): Promise<{ child: ChildProcess; acknowledged: () => number }> {
  const script = `
    import { openAuditTrail, createLog } from ${JSON.stringify(bundle)};
    const trail = await openAuditTrail({ folder: ${JSON.stringify(folder)}, name: "test-server", version: "1.0.0", key: undefined,
      log: createLog({ name: "test" }), isRequired: true, maxFileBytes: 1e9, sync: "never", ...${options} });
    for (let call = 1; ; call++) {
      try { await trail.append({ event: "call", call, text: "x".repeat(500) }); process.stdout.write(call + "\\n"); }
      catch (error) { process.stdout.write(error.code + "\\n"); await new Promise((resolve) => setTimeout(resolve, 50)); }
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let last = 0;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    last = Number(chunk.trim().split("\n").at(-1)) || last;
  });
  while (last < 200) await once(child.stdout, "data");
  return { child, acknowledged: () => last };
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await once(child, "close");
}

test("kill -9: no acknowledged record is missing, a torn line is no breach, the next writer goes on", async () => {
  await using folder = await openFolder();
  let acknowledged = 0;
  for (let round = 1; round <= 5; round++) {
    const writer = await startWriter(folder.path);
    await kill(writer.child);
    acknowledged += writer.acknowledged();
    // what a power cut would leave of a line
    if (round % 2 === 0)
      await appendFile(join(folder.path, (await filesIn(folder.path)).at(-1) ?? ""), '{"sequence":99');
    expect(await wholeChains(folder.path)).toBe(1);
  }
  await writeTrail(folder.path, 1);
  const [report] = await verifyAudit(folder.path);
  expect(report).toMatchObject({ files: 6, breach: undefined });
  expect(report?.records).toBeGreaterThanOrEqual(acknowledged + 6);
  expect(report?.notes.filter((note) => note.includes("the next writer found it so"))).toHaveLength(2);
});

test("a process that lives keeps its chain from others", async () => {
  await using folder = await openFolder();
  const writer = await startWriter(folder.path);
  await writeTrail(folder.path, 3);
  await kill(writer.child);
  expect(await wholeChains(folder.path)).toBe(2);
});

test("a file that was moved away is said and followed by a new one; verify names what is missing", async () => {
  const { log, text } = recordingLog();
  await using folder = await openFolder();
  await using trail = await openTrail(folder.path, { log });
  await trail.append({ event: "call", call: 1 });
  const [name = ""] = await filesIn(folder.path);
  await rename(join(folder.path, name), join(folder.path, "elsewhere"));
  await expect
    .poll(
      async () => {
        await trail.append({ event: "call", call: 2 });
        return await filesIn(folder.path);
      },
      { timeout: 5_000, interval: 200 },
    )
    .toEqual(["test-server.001.00000002.jsonl"]);
  expect(text()).toContain("audit_file_gone");
  expect((await verifyAudit(folder.path))[0]?.breach).toMatchObject({ kind: "deleted", file: name });
});

test("a folder that cannot be made: required fails to open; otherwise it is said, records wait, and go in later", async () => {
  await using folder = await openFolder();
  const path = join(folder.path, "audit");
  await writeFile(path, "a file in the way");
  await expect(openTrail(path)).rejects.toMatchObject({ code: "audit_unavailable" });
  const { log, text } = recordingLog();
  {
    await using trail = await openTrail(path, { isRequired: false, log, maxQueued: 5 });
    expect(text()).toContain("audit_unavailable");
    for (let call = 1; call <= 8; call++) await trail.append({ event: "call", call });
    expect(trail.status).toEqual({ written: 0, lost: 3, isFailing: true });
    await rm(path);
    await expect.poll(() => trail.status.isFailing, { timeout: 5_000 }).toBe(false);
    expect(trail.status).toEqual({ written: 5, lost: 3, isFailing: false });
  }
  expect((await recordsIn(path)).map(({ event, lost }) => (event === "gap" ? lost : event))).toEqual([
    "open", 3, "call", "call", "call", "call", "call", "close",
  ]); // biome-ignore format: one list
  expect(await wholeChains(path)).toBe(1);
});

test("records that no one could store are told at the end", async () => {
  await using folder = await openFolder();
  const path = join(folder.path, "audit");
  await writeFile(path, "");
  const { log, text } = recordingLog();
  {
    await using trail = await openTrail(path, { isRequired: false, log });
    await trail.append({ event: "call" });
  }
  expect(text()).toMatch(/"event":"audit_lost","lost":[12]/);
});

test("characters that terminals obey are escaped, and long names are cut", async () => {
  await using folder = await openFolder();
  {
    await using trail = await openTrail(folder.path);
    await trail.append({ event: "call", name: "a\u202eb\u200bc\u001b[31m\u009b\n" });
  }
  const [name = ""] = await filesIn(folder.path);
  expect(await readFile(join(folder.path, name), "utf8")).toMatch(/^[\x20-\x7e\n]+$/);
  await wholeChains(folder.path);
});

test("a full disk: required calls are refused until there is room, and the chain stays whole", async () => {
  await using folder = await openFolder();
  // a file as large as the process may make them stands for a full disk; the limit is the child's own
  const script = `
    import { openAuditTrail, createLog } from ${JSON.stringify(bundle)};
    process.on("SIGXFSZ", () => {});
    const trail = await openAuditTrail({ folder: ${JSON.stringify(folder.path)}, name: "test-server", version: "1.0.0", key: undefined,
      log: createLog({ name: "test" }), isRequired: true, maxFileBytes: 1e9, sync: "never" });
    for (let call = 1; call <= 200; call++) {
      const outcome = await trail.append({ event: "call", call, text: "x".repeat(500) }).then(() => "ok", ({ code }) => code);
      process.stdout.write(outcome + "\\n");
    }
    await trail[Symbol.asyncDispose]();`;
  const child = spawn("bash", ["-c", 'ulimit -f 32; exec "$0" --input-type=module -e "$1"', process.execPath, script], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, log] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    out += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    log += chunk;
  });
  await once(child, "close");
  const outcomes = out.trim().split("\n");
  const kept = outcomes.filter((outcome) => outcome === "ok").length;
  expect(kept).toBeGreaterThan(20);
  expect(outcomes.slice(kept)).toEqual(Array.from({ length: 200 - kept }, () => "audit_unavailable"));
  expect(log).toMatch(/"event":"audit_unavailable","reason":"E(FBIG|NOSPC)"/);
  expect(log).toContain(`"event":"audit_lost"`);
  expect(await wholeChains(folder.path)).toBe(1);
  expect((await recordsIn(folder.path)).filter(({ event }) => event === "call").length).toBe(kept);
  await writeTrail(folder.path, 1);
  expect(await wholeChains(folder.path)).toBe(1);
});
