/** The built-in model client on the real wire, answered from a script; the script itself is held against @langchain/openai. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { AIMessage, type BaseMessageLike, HumanMessage, ToolMessage } from "@langchain/core/messages";
import { ChatOpenAI } from "@langchain/openai";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OpenAiCompatibleModel } from "../../agent/src/model/chat-model.js";
import { createModel } from "../../agent/src/model/create-model.js";
import { type ModelStub, startModelStub } from "../support/model-stub.js";
import { eventually, temporaryFolder } from "./support.js";

const key = "sk-canary-0123456789";
let stub: ModelStub;
beforeEach(async () => {
  stub = await startModelStub();
});
afterEach(() => stub?.[Symbol.asyncDispose]());

const ours = (options = {}) => new OpenAiCompatibleModel("m", { url: stub.url, key, backOffMs: 1, ...options });
const theirs = () =>
  new ChatOpenAI({ model: "m", apiKey: key, configuration: { baseURL: stub.url }, streamUsage: true, maxRetries: 2 });
const tools = [
  {
    type: "function" as const,
    function: {
      name: "query",
      description: "d",
      parameters: { type: "object", properties: { sql: { type: "string" } } },
    },
  },
];
const sent = () => stub.requests;

describe.each([
  ["the built-in client", ours],
  ["@langchain/openai", theirs],
])("%s", (_, create) => {
  test("streams text piece by piece, with the usage at its end", async () => {
    stub.answer({ text: ["Hel", "lo ", "wörld"] });
    const pieces: string[] = [];
    let whole: Awaited<ReturnType<OpenAiCompatibleModel["invoke"]>> | undefined;
    for await (const piece of await create().stream("hi")) {
      if (piece.text !== "") pieces.push(piece.text);
      whole = whole === undefined ? piece : whole.concat(piece);
    }
    expect(pieces).toEqual(["Hel", "lo ", "wörld"]);
    expect(whole?.usage_metadata).toMatchObject({ input_tokens: 100, output_tokens: 20, total_tokens: 120 });
    expect(sent()[0]?.authorization).toBe(`Bearer ${key}`);
  });

  test("puts tool calls together from their pieces, and sends their results back", async () => {
    stub.answer({
      toolCalls: [
        { name: "query", args: { sql: "SELECT 1" } },
        { name: "query", args: { sql: "SELECT 2" } },
      ],
    });
    stub.answer({ text: "done" });
    const model = create();
    const messages: BaseMessageLike[] = [new HumanMessage("how many?")];
    let calls: AIMessage["tool_calls"] = [];
    let asked: Awaited<ReturnType<typeof model.invoke>> | undefined;
    for await (const piece of await model.bindTools(tools).stream(messages)) asked = asked?.concat(piece) ?? piece;
    calls = asked?.tool_calls ?? [];
    expect(calls.map(({ name, args }) => [name, args])).toEqual([
      ["query", { sql: "SELECT 1" }],
      ["query", { sql: "SELECT 2" }],
    ]);
    const results = calls.map(({ id = "" }) => new ToolMessage({ content: "[[1]]", tool_call_id: id }));
    for await (const _piece of await model
      .bindTools(tools)
      .stream([...messages, new AIMessage({ content: "", tool_calls: calls }), ...results]));
    const [first, second] = sent();
    expect(first?.body.tools).toMatchObject(tools);
    expect(second?.body.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
    expect(second?.body.messages[1]).toMatchObject({
      tool_calls: [
        { id: calls[0]?.id, type: "function", function: { name: "query", arguments: '{"sql":"SELECT 1"}' } },
        {},
      ],
    });
    expect(second?.body.messages[3]).toMatchObject({ tool_call_id: calls[1]?.id, content: "[[1]]" });
  });
});

describe("a failure", () => {
  test.each([[429], [500], [503]])("HTTP %i passes: it is tried again", async (status) => {
    stub.answer({ status, retryAfterS: 0 }, { text: "ok" });
    expect((await ours().invoke("hi")).text).toBe("ok");
    expect(sent()).toHaveLength(2);
  });

  test.each([
    ["that lasts", { status: 500 }, "model_busy", 3],
    ["of the key", { status: 401 }, "model_unauthorized", 1],
    ["of the request", { status: 404 }, "model_refused", 1],
    ["of a server that talks rubbish", { raw: "data: {nonsense\n\n" }, "model_invalid", 1],
    ["of a page where an API should be", { raw: "<html></html>" }, "model_unreachable", 1],
    ["half-way through", { half: "SELECT 1; DR" }, "model_unreachable", 1],
  ] as const)("%s is said once, by its code, without prompt or key", async (_, answer, code, attempts) => {
    stub.answer(...Array.from({ length: attempts }, () => answer));
    const failure = await ours()
      .invoke("secret prompt")
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code });
    expect(String(failure)).not.toMatch(/secret prompt|canary/);
    expect(sent()).toHaveLength(attempts);
  });

  test("of nobody at the address", async () => {
    await expect(ours({ url: "http://127.0.0.1:1/v1" }).invoke("hi")).rejects.toMatchObject({
      code: "model_unreachable",
    });
  });

  test("by silence ends the call, and its connection", async () => {
    const droppedBefore = stub.dropped();
    stub.answer({ silent: true });
    await expect(ours({ silenceMs: 100 }).invoke("hi")).rejects.toMatchObject({ code: "model_unreachable" });
    await eventually(() => stub.dropped() > droppedBefore, "the connection to be given up");
  });
});

test("an abort reaches the server", async () => {
  const droppedBefore = stub.dropped();
  stub.answer({ silent: true });
  const controller = new AbortController();
  const answer = ours().invoke("hi", { signal: controller.signal });
  const outcome = answer.catch((error: unknown) => error);
  await eventually(() => sent().length === 1, "the request");
  controller.abort();
  expect(await outcome).toBeInstanceOf(Error);
  await eventually(() => stub.dropped() > droppedBefore, "the connection to be given up");
});

test("the model shows its key to nobody who prints or serialises it", () => {
  const model = ours();
  expect(`${inspect(model, { depth: 9, showHidden: true })}${JSON.stringify(model)}`).not.toContain("canary");
});

describe("the model of the environment", () => {
  test.each([
    ["its own variable", (_: string) => ({ DB_AGENT_MODEL_KEY: key })],
    ["a file", (file: string) => ({ DB_AGENT_MODEL_KEY_FILE: file })],
    ["a command", (file: string) => ({ DB_AGENT_MODEL_KEY_COMMAND: `cat '${file}'` })],
  ])("takes its key from %s", async (_, variables) => {
    using folder = temporaryFolder();
    const file = join(folder.path, "key");
    writeFileSync(file, `${key}\n`);
    stub.answer({ text: "ok" });
    const model = await createModel({ DB_AGENT_MODEL: "m", DB_AGENT_MODEL_URL: stub.url, ...variables(file) });
    expect((await model.invoke("hi")).text).toBe("ok");
    expect(sent()[0]?.authorization).toBe(`Bearer ${key}`);
  });

  test.each([
    ["nothing", {}, "model_unset"],
    ["a name without an address", { DB_AGENT_MODEL: "m" }, "model_unset"],
    ["a package that is not there", { DB_AGENT_MODEL: "groq:m" }, "model_package_missing"],
    [
      "a command that fails",
      {
        DB_AGENT_MODEL: "m",
        DB_AGENT_MODEL_URL: "http://127.0.0.1:1",
        DB_AGENT_MODEL_KEY_COMMAND: `echo ${key}; exit 1`,
      },
      "config_unreadable",
    ],
  ])("says what to set: %s", async (_, environment, code) => {
    const failure = await createModel(environment).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code, report: { hint: expect.stringMatching(/DB_AGENT_MODEL/) } });
    expect(inspect(failure)).not.toContain("canary-0123");
  });
});
