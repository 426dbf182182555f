/** A task that does not fit says where and what to write; its published schema is the one that parses it. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { fillIn, readJsonFile } from "../../agent/src/config-file.js";
import { parseTask, planTask } from "../../agent/src/task.js";
import { taskJsonSchema } from "../../agent/src/task-json-schema.js";

const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
async function* input(text: string) {
  yield text;
}
const parseText = async (text: string) => parseTask(await readJsonFile("-", input(text)));

describe("a task that does not fit", () => {
  test.each([
    [
      "is not JSON",
      '{\n  "name": "x"\n  "statements": []\n}',
      "config_invalid",
      "comma expected at line 3, column 3",
      "^",
    ],
    ["ends too early", '{"name": ', "config_invalid", "line 1, column 10", "^"],
    ["has a misspelt key", '{"statments":[]}', "task_invalid", "There is no key statments", "Did you mean statements?"],
    [
      "has a misspelt key below",
      '{"statements":[{"sqll":"x","sql":"y"}]}',
      "task_invalid",
      "no key statements.0.sqll",
      "Did you mean sql?",
    ],
    [
      "has a misspelt key in a choice",
      '{"inspect":{"patern":"x"}}',
      "task_invalid",
      "no key inspect.patern",
      "Did you mean pattern?",
    ],
    [
      "lacks a statement's SQL",
      '{"statements":[{"name":"x"}]}',
      "task_invalid",
      "statements.0.sql is missing",
      "Expected",
    ],
    ["has a number for SQL", '{"statements":[{"sql":1}]}', "task_invalid", "statements.0.sql does not fit", "Expected"],
    ["has an unknown format", '{"output":{"format":"xml"}}', "task_invalid", "output.format does not fit", '"csv"'],
    [
      "has a name with spaces",
      '{"connections":[{"name":"a b"}]}',
      "task_invalid",
      "connections.0.name does not fit",
      "Letters",
    ],
    [
      "has no rows to give",
      '{"statements":[{"sql":"x","maxRows":0}]}',
      "task_invalid",
      "statements.0.maxRows does not fit",
      ">=1",
    ],
    [
      "has a misspelt key of a statement's file",
      '{"statements":[{"sql":"x","output":{"file":"x.csv","fiel":"x"}}]}',
      "task_invalid",
      "no key statements.0.output.fiel",
      "Did you mean file?",
    ],
    ["is a list", "[]", "task_invalid", "the task does not fit", "Expected Object"],
  ])("%s", async (_, text, code, message, hint) => {
    const error: unknown = await parseText(text).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code,
      message: expect.stringContaining(message),
      report: { hint: expect.stringContaining(hint) },
    });
  });

  test.each([
    ["a file that is missing", "/nowhere/task.json", "There is no such file."],
    ["a folder", at("tests"), "It is a folder."],
  ])("%s is told", async (_, path, hint) => {
    await expect(readJsonFile(path, input(""))).rejects.toMatchObject({ code: "config_unreadable", report: { hint } });
  });

  test.each([
    [undefined, ["a", "b"], "statements.0.source is missing: there are 2 connections."],
    ["sels", ["sales", "hr"], "statements.0.source names no connection: sels"],
  ])("a statement on %j of %j", (source, connections, message) => {
    const task = parseTask({ statements: [{ sql: "x", ...(source === undefined ? {} : { source }) }] });
    expect(() => planTask(task, connections)).toThrow(expect.objectContaining({ code: "task_invalid", message }));
  });
});

test("comments and trailing commas are fine, lines of SQL are joined", async () => {
  const task = await parseText('{ // why\n "statements": [{"sql": ["SELECT 1,", "2"],}],\n}');
  expect(planTask(task, ["only"]).statements).toEqual([
    { name: "statement 1", sql: "SELECT 1,\n2", params: undefined, maxRows: undefined, source: "only" },
  ]);
});

describe("variables", () => {
  test.each([
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax under test
    ["postgres://${USER_NAME}@h/d", "postgres://me@h/d"],
    ["${MISSING:-fallback}", "fallback"],
    ["${EMPTY:-fallback}", "fallback"],
    ["${NESTED}", "${USER_NAME}"],
    ["$USER_NAME {x}", "$USER_NAME {x}"],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax under test
  ])("%j becomes %j", async (text, filled) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a value that looks like a variable is not filled in again
    const environment = { USER_NAME: "me", EMPTY: "", NESTED: "${USER_NAME}" };
    expect(await fillIn(text, environment, "field")).toBe(filled);
  });

  test.each([
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the syntax under test
    ["${MISSING}", "variable_unset", "connections.0.url needs the environment variable MISSING"],
    ["${file:/nowhere/secret}", "config_unreadable", "/nowhere/secret"],
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the syntax under test
  ])("%j is an error that names it", async (text, code, message) => {
    await expect(fillIn(text, {}, "connections.0.url")).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });
});

test("the published JSON Schema is the one that parses tasks", () => {
  expect(JSON.parse(readFileSync(at("agent/schema/task.json"), "utf8"))).toEqual(taskJsonSchema());
});

test.each(readdirSync(at("examples/tasks")))("examples/tasks/%s is a task", async (name) => {
  const { $schema, ...task } = parseTask(await readJsonFile(at(`examples/tasks/${name}`), input("")));
  expect($schema).toBe("../../agent/schema/task.json");
  expect(task.statements?.length).toBeGreaterThan(0);
});
