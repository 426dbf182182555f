// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the variables of config files
/** Command lines and configuration: precedence, help, and every mistake with its code and remedy. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Writable } from "node:stream";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CodedError,
  type CommandCall,
  defineCommand,
  describeSettings,
  durationSchema,
  runCommand,
  setting,
  settingsJsonSchema,
  sizeSchema,
} from "../../mcp-core/src/host/index.js";

const secret = "hunter2-is-the-secret";

const settings = {
  transport: setting(v.picklist(["stdio", "http"]), {
    describe: "How clients connect.",
    env: ["MCP_TRANSPORT"],
    default: "stdio",
    alias: "t",
    group: "Serving",
  }),
  port: setting(
    v.pipe(
      v.number("must be a whole number"),
      v.integer("must be a whole number"),
      v.minValue(0, "must be between 0 and 65535"),
      v.maxValue(65_535, "must be between 0 and 65535"),
    ),
    {
      describe: "TCP port.",
      env: ["MCP_PORT"],
      default: 8731,
      placeholder: "number",
      group: "Serving",
    },
  ),
  token: setting(v.optional(v.pipe(v.string(), v.maxLength(30, "must have at most 30 characters"))), {
    describe: "Bearer token.",
    env: ["MCP_TOKEN"],
    secret: true,
  }),
  maxBytes: setting(sizeSchema({ min: 1_024 }), { describe: "Bytes of a reply.", default: "64k" }),
  timeout: setting(durationSchema({ max: 3_600_000 }), {
    describe: "Longest statement.",
    env: ["MCP_TIMEOUT"],
    default: "30s",
  }),
  schemas: setting(v.optional(v.array(v.string())), { describe: "Visible schemas.", env: ["MCP_SCHEMAS"] }),
  source: setting(v.optional(v.array(v.string())), { describe: "A source.", multiple: true, file: false }),
  structured: setting(v.optional(v.boolean(), false), { describe: "Structured results.", env: ["MCP_STRUCTURED"] }),
  labels: setting(v.optional(v.record(v.string(), v.string())), { describe: "Labels.", flag: false }),
  config: setting(v.optional(v.string()), { describe: "Config file.", file: false, env: ["MCP_CONFIG"] }),
};

const calls: CommandCall<typeof settings>[] = [];
const command = defineCommand({
  name: "tool",
  version: "1.2.3",
  summary: "Does what a tool does.",
  positionals: [{ name: "url", describe: "A database.", multiple: true }],
  settings,
  configFile: "config",
  examples: [["tool postgres://me@host/shop", "one database over stdio"]],
  async run(given) {
    calls.push(given);
    if (given.positionals[0] === "explode") throw new Error(`driver says postgres://me:${secret}@host/db is wrong`);
    if (given.positionals[0] === "busy")
      throw new CodedError("port_in_use", "The port is in use.", { hint: "Choose another." });
    return given.positionals[0] === "seven" ? 7 : 0;
  },
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "command-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function run(argv: readonly string[], environment: Record<string, string> = {}, spec = command) {
  calls.length = 0;
  const written = { stdout: "", stderr: "" };
  const into = (key: "stdout" | "stderr") =>
    new Writable({
      write(chunk, _encoding, done) {
        written[key] += String(chunk);
        done();
      },
    });
  const io = {
    stdin: new PassThrough(),
    stdout: into("stdout"),
    stderr: into("stderr"),
    signal: new AbortController().signal,
  };
  const code = await runCommand(spec, { argv, environment, ...io });
  return { code, ...written, values: calls[0]?.values, positionals: calls[0]?.positionals };
}

describe("values", () => {
  test("defaults pass through the schema", async () => {
    expect((await run([])).values).toEqual({
      transport: "stdio",
      port: 8731,
      token: undefined,
      maxBytes: 65_536,
      timeout: 30_000,
      schemas: undefined,
      source: undefined,
      structured: false,
      labels: undefined,
      config: undefined,
    });
  });

  test("flag before environment before file before default", async () => {
    const config = await file("order.json", '{ "port": 1, "timeout": "1s", "maxBytes": "2k", "transport": "http" }');
    const { values } = await run(["--config", config, "--port", "3"], {
      MCP_PORT: "2",
      MCP_TIMEOUT: "2s",
      MCP_TRANSPORT: "",
    });
    expect(values).toMatchObject({ port: 3, timeout: 2_000, maxBytes: 2_048, transport: "http" });
  });

  test.each<[string, string[], Record<string, string>, object]>([
    ["a number after =", ["--port=0"], {}, { port: 0 }],
    ["an alias", ["-t", "http"], {}, { transport: "http" }],
    ["the last of two", ["--port", "1", "--port", "2"], {}, { port: 2 }],
    ["a list with commas", ["--schemas", "a, b,,c"], {}, { schemas: ["a", "b", "c"] }],
    ["a list from the environment", [], { MCP_SCHEMAS: "a,b" }, { schemas: ["a", "b"] }],
    ["a repeated flag, commas kept", ["--source", "a=x,y", "--source", "b=z"], {}, { source: ["a=x,y", "b=z"] }],
    ["a switch", ["--structured"], {}, { structured: true }],
    ["a switch off", ["--no-structured"], { MCP_STRUCTURED: "true" }, { structured: false }],
    ["a switch from the environment", [], { MCP_STRUCTURED: "1" }, { structured: true }],
    ["a duration", ["--timeout", "1.5m"], {}, { timeout: 90_000 }],
    ["milliseconds", ["--timeout", "250"], {}, { timeout: 250 }],
    ["a size", ["--max-bytes", "10MB"], {}, { maxBytes: 10_485_760 }],
    ["text that looks like a number", ["--token", "0123"], {}, { token: "0123" }],
    ["a value that starts with a dash", ["--token=-abc"], {}, { token: "-abc" }],
  ])("%s", async (_name, argv, environment, expected) => {
    const { code, stderr, values } = await run(argv, environment);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    expect(values).toMatchObject(expected);
  });

  test("a secret may come from a file", async () => {
    const path = await file("token", `${secret}\n`);
    expect((await run([], { MCP_TOKEN_FILE: path })).values).toMatchObject({ token: secret });
  });

  test("positionals keep their order and are never numbers", async () => {
    expect((await run(["1", "--port", "2", "b", "--", "--c"])).positionals).toEqual(["1", "b", "--c"]);
  });

  test("the exit code is the command's own", async () => {
    expect((await run(["seven"])).code).toBe(7);
  });
});

describe("mistakes are one line with code and remedy, exit code 2", () => {
  test.each<[string, string[], Record<string, string>, RegExp]>([
    ["an unknown flag", ["--prot", "1"], {}, /\[usage\] Unknown option --prot\. Did you mean --port\?/],
    ["a camelCase flag", ["--maxBytes", "1"], {}, /\[usage\] Unknown option --maxBytes\. Did you mean --max-bytes\?/],
    ["an unknown letter", ["-x"], {}, /\[usage\] Unknown option -x/],
    ["a flag of a file setting", ["--labels", "x"], {}, /Unknown option --labels/],
    ["a missing value", ["--port"], {}, /\[usage\] --port needs a value/],
    ["a missing value before a flag", ["--token", "--port", "1"], {}, /\[usage\] --token needs a value/],
    ["a missing item", ["--source"], {}, /\[usage\] --source needs a value/],
    ["a missing item before a flag", ["--source", "--port", "1"], {}, /\[usage\] --source needs a value/],
    ["a missing list", ["--schemas"], {}, /\[usage\] --schemas needs a value/],
    ["a switch with a value", ["--structured=maybe"], {}, /--structured is a switch/],
    [
      "a port out of range",
      ["--port", "65536"],
      {},
      /\[config_invalid\] --port must be between 0 and 65535\. Not: 65536\./,
    ],
    ["a negative port", ["--port=-1"], {}, /--port must be between 0 and 65535/],
    ["a port that is no number", ["--port", "http"], {}, /--port must be a whole number\. Not: http\./],
    ["a port from the environment", [], { MCP_PORT: "x" }, /MCP_PORT must be a whole number/],
    ["an unknown choice", ["--transport", "sse"], {}, /--transport must be one of stdio, http\. Not: sse/],
    ["a bad duration", ["--timeout", "soon"], {}, /--timeout must be a duration such as 500ms, 30s, 5m or 2h/],
    ["too long", ["--timeout", "2h"], {}, /--timeout must be .*between 0 and 3600000/],
    ["a bad size", ["--max-bytes", "64x"], {}, /--max-bytes must be a size such as/],
    ["too small", ["--max-bytes", "1"], {}, /at least 1024/],
    ["a switch in the environment", [], { MCP_STRUCTURED: "maybe" }, /MCP_STRUCTURED must be true or false/],
    [
      "a secret that is wrong",
      ["--token", secret + secret],
      {},
      /--token must have at most 30 characters\. Bearer token/,
    ],
    [
      "a secret that is wrong, in a variable",
      [],
      { MCP_TOKEN: secret + secret },
      /MCP_TOKEN must have at most 30 characters/,
    ],
    ["a secret twice", [], { MCP_TOKEN: secret, MCP_TOKEN_FILE: "/x" }, /MCP_TOKEN and MCP_TOKEN_FILE are both set/],
    [
      "a secret's file that is missing",
      [],
      { MCP_TOKEN_FILE: "/nowhere/at/all" },
      /\[config_unreadable\] The file that MCP_TOKEN_FILE names/,
    ],
    [
      "a config file that is missing",
      ["--config", "/nowhere.json"],
      {},
      /\[config_unreadable\] The config file \/nowhere\.json does not exist/,
    ],
    ["a config file that is a folder", ["--config", "/"], {}, /\[config_unreadable\] The config file \/ is a folder/],
  ])("%s", async (_name, argv, environment, expected) => {
    const { code, stdout, stderr, values } = await run(argv, environment);
    expect(stderr).toMatch(expected);
    expect(stderr).toMatch(/^tool: \[[a-z_]+\] [^\n]+\n$/);
    expect(stderr).not.toContain(secret);
    expect({ code, stdout, values }).toEqual({ code: 2, stdout: "", values: undefined });
  });

  test.each<[string, string, RegExp]>([
    ["not JSON", '{\n  "port": 1\n  "timeout": 2\n}', /config_invalid\] .*line 3, column 3: comma expected/],
    ["cut off", '{ "port": ', /line 1, column \d+: value expected/],
    ["single quotes", "{ 'port': 1 }", /line 1, column 3: invalid symbol/],
    ["empty", "  \n", /is empty|value expected/],
    ["a list", "[1]", /must hold one object/],
    ["null", "null", /must hold one object/],
    ["an unknown key", '{ "prot": 1 }', /Unknown key `prot` in the config file\. Did you mean `port`\?/],
    ["a key in kebab-case", '{ "max-bytes": 1 }', /Did you mean `maxBytes`\?/],
    ["a key for flags only", '{ "source": [] }', /Unknown key `source`/],
    ["a wrong type", '{ "schemas": "a" }', /`schemas` in the config file must be a list/],
    ["a wrong item", '{ "schemas": ["a", 1] }', /`schemas` in the config file at 1 must be text/],
    ["a wrong secret", `{ "token": ["${secret}"] }`, /`token` in the config file must be text\. Bearer token/],
    [
      "a variable that is not set",
      '{ "labels": { "a": "${MCP_PROT}" } }',
      /\[variable_unset\] The variable MCP_PROT, used at labels\.a in .*is not set\. .*MCP_PORT is set/,
    ],
    ["a variable with a bad name", '{ "labels": { "a": "${1x}" } }', /labels\.a .*is not a variable/],
    [
      "a file that is missing",
      '{ "token": "${file:/nowhere}" }',
      /\[config_unreadable\] The file \/nowhere, named at token in/,
    ],
  ])("a config file: %s", async (name, text, expected) => {
    const { code, stderr } = await run(["--config", await file(`${name}.json`, text)], { MCP_PORT: "1" });
    expect(stderr).toMatch(expected);
    expect(stderr).toMatch(/^tool: \[[a-z_]+\] [^\n]+\n$/);
    expect(stderr).not.toContain(secret);
    expect(code).toBe(2);
  });
});

test("config files may hold comments, trailing commas, variables and a byte order mark", async () => {
  await file("secret.txt", `${secret}\n`);
  const path = await file(
    "rich.json",
    '\uFEFF{\n // why\n "$schema": "x", "port": 5, /* so */ "token": "${file:secret.txt}",\n "labels": { "a": "${A}-${B:-b}-${C:-}-$${D}", },\n}',
  );
  const { values, stderr } = await run(["--config", path], { A: "1", B: "" });
  expect(stderr).toBe("");
  expect(values).toMatchObject({ port: 5, token: secret, labels: { a: "1-b--${D}" } });
});

test("failures of the command are one redacted line, exit code 1", async () => {
  expect(await run(["busy"])).toMatchObject({
    code: 1,
    stderr: "tool: [port_in_use] The port is in use. Choose another.\n",
  });
  const exploded = await run(["explode"]);
  expect(exploded).toMatchObject({ code: 1, stdout: "" });
  expect(exploded.stderr).toMatch(/^tool: \[internal\] [^\n]+\n$/);
  expect(exploded.stderr).not.toContain(secret);
});

test("--help shows flags, values, defaults, variables and examples, and never a secret", async () => {
  const { code, stdout } = await run(["--help"], { MCP_TOKEN: secret });
  expect(code).toBe(0);
  expect(stdout).not.toContain(secret);
  expect(stdout).toMatchSnapshot();
  expect((await run(["-h", "--port", "x"])).stdout).toBe(stdout);
});

test("--version", async () => {
  expect(await run(["--version"])).toMatchObject({ code: 0, stdout: "1.2.3\n" });
});

describe("commands within a command", () => {
  const inner = defineCommand({
    name: "run",
    version: "1.2.3",
    summary: "Runs a task.",
    positionals: [{ name: "file", describe: "The task." }],
    settings: { dry: setting(v.optional(v.boolean(), false), { describe: "Only says." }) },
    examples: [],
    run: async (given) => (given.positionals[0] === "task.json" ? 5 : 6),
  });
  const outer = { ...command, positionals: [], commands: [inner] };

  test.each<[string[], number]>([
    [["run", "task.json"], 5],
    [["--port", "1", "run", "--dry", "task.json"], 5],
    [["run"], 6],
    [[], 0],
  ])("%j", async (argv, code) => {
    expect(await run(argv, {}, outer)).toMatchObject({ code, stderr: "" });
  });

  test.each<[string[], RegExp]>([
    [["rnu"], /Unknown command rnu\. Did you mean run\?/],
    [["run", "a", "b"], /too many arguments/],
    [["--dry"], /Unknown option --dry/],
    [["run", "--dyr"], /Did you mean --dry\? See tool run --help/],
  ])("%j is a mistake", async (argv, expected) => {
    const { code, stderr } = await run(argv, {}, outer);
    expect(stderr).toMatch(expected);
    expect(code).toBe(2);
  });

  test.each<[string[], string[]]>([
    [["tool", "r"], ["run"]],
    [["tool", "run", "--d"], ["--dry"]],
    [
      ["tool", "--transport", ""],
      ["stdio", "http"],
    ],
    [["tool", "--pо"], []],
    [["tool", "--po"], ["--port"]],
  ])("completion of %j", async (words, expected) => {
    const { stdout } = await run(["--get-yargs-completions", ...words], {}, outer);
    expect(stdout.split("\n").filter(Boolean)).toEqual(expected);
  });

  test("completion prints a script for the shell", async () => {
    const { code, stdout } = await run(["completion"], {}, outer);
    expect(code).toBe(0);
    expect(stdout).toContain("tool --get-yargs-completions");
    expect(stdout).toContain("complete");
  });

  test("--help of the inner command shows its own and inherited options", async () => {
    const { stdout } = await run(["run", "--help"], {}, outer);
    expect(stdout).toMatch(/^tool run \[file\] \[options\]/);
    expect(stdout).toContain("--dry");
    expect(stdout).toContain("--port");
  });
});

test("settings describe themselves as rows and as a JSON Schema", () => {
  expect(describeSettings(settings)).toMatchSnapshot();
  expect(settingsJsonSchema(settings)).toMatchSnapshot();
});
