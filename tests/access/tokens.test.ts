/** The tokens file: whom its tokens let in, and what becomes of them when the file changes. */
import { createHash } from "node:crypto";
import { chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTokensFile } from "../../mcp-core/src/host/access/tokens-file.js";
import { runCommand, tokenCommand } from "../../mcp-core/src/host/index.js";
import { openLog, openServer } from "./serving.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tokens-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const ada = "adas-own-token-of-good-length";
const bob = "bobs-own-token-of-good-length";
const hash = (token: string) => createHash("sha256").update(token).digest("hex");
const entry = (token: string, principal: string, roles: readonly string[], more = {}) => ({
  principal,
  sha256: hash(token),
  roles,
  ...more,
});

let files = 0;
async function fileOf(content: unknown, mode = 0o600): Promise<string> {
  const path = join(folder, `tokens-${++files}.json`);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content), { mode });
  await chmod(path, mode); // whatever the umask
  return path;
}

async function open(content: unknown, environment = {}, mode?: number) {
  const path = await fileOf(content, mode);
  const { log, text } = openLog();
  const tokens = await openTokensFile({ path, environment, log });
  const server = await openServer({ authenticators: [tokens] });
  return {
    path,
    log: text,
    get: server.get,
    /** Puts other content there in one step, as editors and Kubernetes do. */
    async replace(next: unknown) {
      const other = await fileOf(next);
      await rename(other, path);
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      tokens[Symbol.dispose]();
    },
  };
}

const statusesOf = (get: (path: string, token?: string) => Promise<Response>, token?: string) =>
  Promise.all(["/public", "/use", "/write", "/admin"].map(async (path) => (await get(path, token)).status));

test.each([
  ["use", [200, 200, 403, 403]],
  ["write", [200, 200, 200, 403]],
  ["admin", [200, 403, 403, 200]],
])("a token with the role %s", async (role, statuses) => {
  await using opened = await open({ tokens: [entry(ada, "ada", [role])] });
  expect(await statusesOf(opened.get, ada)).toEqual(statuses);
});

test("each token is its owner's; none and a wrong one are told so", async () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as people write it
  const plain = { principal: "bob", token: "${BOB}", roles: ["use"] };
  await using opened = await open({ tokens: [entry(ada, "ada", ["use"]), plain] }, { BOB: bob });
  expect(await (await opened.get("/use", ada)).text()).toBe("ada");
  expect(await (await opened.get("/use", bob)).text()).toBe("bob");
  const none = await opened.get("/use");
  const wrong = await opened.get("/use", `${ada}x`);
  expect([none.status, none.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  expect([wrong.status, wrong.headers.get("www-authenticate")]).toEqual([401, 'Bearer error="invalid_token"']);
  expect(await wrong.text()).not.toContain(ada);
  expect(opened.log()).not.toContain(ada);
});

test("a token whose time is over is none, and one that runs out ends what is open", async () => {
  const soon = new Date(Date.now() + 1_500).toISOString();
  await using opened = await open({
    tokens: [entry(ada, "ada", ["use"], { expires: "2020-01-01" }), entry(bob, "bob", ["use"], { expires: soon })],
  });
  expect((await opened.get("/use", ada)).status).toBe(401);
  const stream = await opened.get("/endless", bob);
  await expect(stream.text()).rejects.toThrow();
  expect((await opened.get("/use", bob)).status).toBe(401);
});

describe("when the file changes", () => {
  test("a token taken out is refused, its streams are cut, the others' go on", async () => {
    await using opened = await open({ tokens: [entry(ada, "ada", ["use"]), entry(bob, "bob", ["use"])] });
    const [adas, bobs] = await Promise.all([opened.get("/endless", ada), opened.get("/endless", bob)]);
    const reader = bobs.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("on\n");
    await opened.replace({ tokens: [entry(bob, "bob", ["use"])] });
    await expect(adas.text()).rejects.toThrow();
    expect((await opened.get("/use", ada)).status).toBe(401);
    expect((await opened.get("/use", bob)).status).toBe(200);
    const next = await Promise.race([reader?.read(), new Promise((resolve) => setTimeout(resolve, 50, "still open"))]);
    expect(next).toBe("still open");
    await reader?.cancel();
  });

  test("roles that change count at once", async () => {
    await using opened = await open({ tokens: [entry(ada, "ada", ["write"])] });
    await opened.replace({ tokens: [entry(ada, "ada", ["use"])] });
    await expect.poll(async () => (await opened.get("/write", ada)).status).toBe(403);
  });

  test("a broken file changes nothing and is told; a missing one lets nobody in", async () => {
    await using opened = await open({ tokens: [entry(ada, "ada", ["use"])] });
    await opened.replace('{"tokens":[{');
    await expect.poll(opened.log).toContain("tokens_not_reloaded");
    expect((await opened.get("/use", ada)).status).toBe(200);
    await rm(opened.path);
    await expect.poll(async () => (await opened.get("/use", ada)).status).toBe(401);
  });
});

describe("a file that cannot be meant", () => {
  test.each([
    [
      "a key nobody knows",
      { tokens: [{ ...entry(ada, "ada", ["use"]), role: "use" }] },
      /tokens\.0\.role.*not a known key/,
    ],
    ["a role nobody knows", { tokens: [entry(ada, "ada", ["root"])] }, /tokens\.0\.roles\.0.*use, write, admin/],
    ["no role", { tokens: [entry(ada, "ada", [])] }, /at least one role/],
    ["neither hash nor token", { tokens: [{ principal: "ada", roles: ["use"] }] }, /either sha256 or token/],
    ["a short token", { tokens: [{ principal: "ada", roles: ["use"], token: "short" }] }, /at least 16/],
    ["everybody's name", { tokens: [entry(ada, "local", ["use"])] }, /does not stand for everybody/],
    ["a token twice", { tokens: [entry(ada, "ada", ["use"]), entry(ada, "bob", ["use"])] }, /twice/],
    ["an end that is no date", { tokens: [entry(ada, "ada", ["use"], { expires: "soon" })] }, /date such as/],
  ])("%s", async (_, content, message) => {
    await expect(open(content)).rejects.toThrow(message);
  });

  test("one that others can write to; one with tokens that others can read is warned about", async () => {
    await expect(open({ tokens: [entry(ada, "ada", ["use"])] }, {}, 0o622)).rejects.toThrow(/Others can write/);
    await using readable = await open({ tokens: [{ principal: "ada", token: ada, roles: ["use"] }] }, {}, 0o644);
    expect(readable.log()).toContain("tokens_file_readable");
    await using hashed = await open({ tokens: [entry(ada, "ada", ["use"])] }, {}, 0o644);
    expect(hashed.log()).not.toContain("tokens_file_readable");
  });
});

describe("token new", () => {
  async function run(...argv: string[]) {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const command = tokenCommand({ name: "mcp-t", version: "1" });
    const parent = { ...command, name: "mcp-t", commands: [command] };
    const code = await runCommand(parent, { argv: ["token", "new", ...argv], environment: {}, stdout, stderr });
    return { code, out: String(stdout.read() ?? ""), err: String(stderr.read() ?? "") };
  }

  test("prints the token and its line, which lets it in", async () => {
    const { code, out } = await run("--principal", "ada", "--roles", "use,write", "--lifetime", "90d");
    const [token = "", line = ""] = out.split("\n");
    expect(code).toBe(0);
    expect(line).not.toContain(token);
    await using opened = await open({ tokens: [JSON.parse(line)] });
    expect(await statusesOf(opened.get, token)).toEqual([200, 200, 200, 403]);
  });

  test("adds to a file and leaves all else in it; makes one where there is none", async () => {
    const path = await fileOf(`{\n  // ours\n  "tokens": [${JSON.stringify(entry(bob, "bob", ["use"]))}]\n}\n`);
    const { out, err } = await run("--principal", "ada", "--tokens-file", path);
    expect(err).toContain("ada was added");
    const text = await readFile(path, "utf8");
    expect(text).toContain("// ours");
    await using opened = await open(text);
    expect(await (await opened.get("/use", out.trim())).text()).toBe("ada");
    expect(await (await opened.get("/use", bob)).text()).toBe("bob");
    const fresh = join(folder, "fresh.json");
    expect((await run("--principal", "eve", "--tokens-file", fresh)).code).toBe(0);
    expect((await stat(fresh)).mode & 0o777).toBe(0o600);
    const tokens = await openTokensFile({ path: fresh, environment: {}, log: openLog().log });
    tokens[Symbol.dispose]();
  });

  test("a broken file is left as it is", async () => {
    const path = await fileOf('{"tokens":[');
    const { code, err } = await run("--principal", "ada", "--tokens-file", path);
    expect(code).toBe(2);
    expect(err).toContain("config_invalid");
    expect(await readFile(path, "utf8")).toBe('{"tokens":[');
  });
});
