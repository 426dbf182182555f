/** The REST face: operations as values give the routes and the OpenAPI; answers repeat nothing and hold nothing more. */
import { PassThrough } from "node:stream";
import { Validator } from "@seriousme/openapi-schema-validator";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CodedError, createLog, type Served, serve } from "../../mcp-core/src/host/index.js";
import { createRecorder } from "../../mcp-gateway/src/audit/recorder.js";
import { createGate } from "../../mcp-gateway/src/drain.js";
import { toOpenApi } from "../../mcp-gateway/src/openapi.js";
import { defineOperation, type Operation, toRoute } from "../../mcp-gateway/src/operation.js";
import { startGateway } from "./gateways.js";

const canary = "canary-4711";

const fridge = v.strictObject({
  name: v.pipe(v.string("must be text"), v.maxLength(20, "must be at most 20 characters")),
  shelves: v.optional(v.array(v.strictObject({ height: v.number() }))),
  notes: v.optional(v.record(v.string(), v.number())),
});

const operations: Operation[] = [
  defineOperation({
    method: "PUT",
    path: "/v1/fridges/{fridge}",
    id: "putFridge",
    summary: "Puts a fridge.",
    role: "use",
    parameters: v.strictObject({ fridge: v.pipe(v.string(), v.regex(/^[a-z]{1,8}$/)) }),
    query: v.strictObject({ cold: v.optional(v.picklist(["yes", "no"])) }),
    body: fridge,
    response: v.object({ fridge: v.string(), by: v.string(), cold: v.optional(v.string()) }),
    status: 201,
    async handle({ body, parameters, query, principal }) {
      if (parameters.fridge === "taken") throw new CodedError("conflict", "There is such a fridge.");
      if (parameters.fridge === "full") throw new CodedError("busy", "It is full.", { retryable: true });
      if (parameters.fridge === "broken") throw new CodedError("nobody_knows", canary);
      return { fridge: body.name, by: principal.id, cold: query.cold, password: canary };
    },
  }),
  defineOperation({
    method: "DELETE",
    path: "/v1/fridges/{fridge}",
    id: "deleteFridge",
    summary: "Takes a fridge away.",
    role: "admin",
    parameters: v.strictObject({ fridge: v.string() }),
    handle: async () => {},
  }),
];

describe("an operation", () => {
  let served: Served;
  beforeAll(async () => {
    served = await serve({
      name: "t",
      version: "1",
      factory: () => Promise.reject(new Error("none")),
      transport: "http",
      http: { host: "127.0.0.1", port: 0 },
      routes: operations.map((one) => toRoute(one, { recorder: createRecorder(undefined), gate: createGate() })),
      log: createLog({ name: "t", level: "silent", stream: new PassThrough() }),
      signal: new AbortController().signal,
    });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  async function ask(path: string, body: unknown, method = "PUT", type = "application/json") {
    const response = await fetch(`${served.url}/v1/fridges/${path}`, {
      method,
      headers: { "content-type": type },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text };
  }

  test("is given what its schemas made of path, query and body, and answers what its schema names", async () => {
    const { status, text } = await ask("blue?cold=yes", { name: "Frost" });
    expect([status, JSON.parse(text)]).toEqual([201, { fridge: "Frost", by: "local", cold: "yes" }]);
    expect(await ask("blue", "", "DELETE")).toMatchObject({ status: 204, text: "" });
  });

  test.each([
    ["a part of the path that cannot be one", `blue${canary}`, {}, 404, "not_found", "There is nothing here."],
    ["a part in escapes", "a%2fb", {}, 404, "not_found", "There is nothing here."],
    ["a part that is no text", "%ff", {}, 404, "not_found", "There is nothing here."],
    ["a deeper path", `blue/${canary}`, {}, 404, "not_found", "There is nothing here."],
    [
      "an unknown key",
      "blue",
      { name: "x", [canary]: canary },
      400,
      "body_invalid",
      "The body holds a key that is not known.",
    ],
    [
      "a wrong value",
      "blue",
      { name: canary.repeat(9) },
      400,
      "body_invalid",
      "The body's name must be at most 20 characters.",
    ],
    [
      "a wrong value inside",
      "blue",
      { name: "x", shelves: [{ height: canary }] },
      400,
      "body_invalid",
      "The body's shelves.*.height is missing or not of the right form.",
    ],
    [
      "a key of the client's own",
      "blue",
      { name: "x", notes: { [canary]: canary } },
      400,
      "body_invalid",
      "The body's notes.* is missing or not of the right form.",
    ],
    ["no object", "blue", [canary], 400, "body_invalid", "The body is not a JSON object."],
    ["no JSON", "blue", `{"${canary}`, 400, "body_invalid", "The body is not a JSON object."],
    [
      "an unknown query",
      `blue?${canary}=1`,
      { name: "x" },
      400,
      "query_invalid",
      "The query holds a key that is not known.",
    ],
    [
      "a wrong query",
      `blue?cold=${canary}`,
      { name: "x" },
      400,
      "query_invalid",
      "The query's cold is missing or not of the right form.",
    ],
    ["its own refusal", "taken", { name: "x" }, 409, "conflict", "There is such a fridge."],
    ["its own refusal for now", "full", { name: "x" }, 429, "busy", "It is full."],
    [
      "an error that no status is known for",
      "broken",
      { name: "x" },
      500,
      "internal",
      "Something went wrong inside the server.",
    ],
  ])("%s is a problem without an echo", async (_, path, body, status, code, detail) => {
    const answer = await ask(path, body);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(JSON.parse(answer.text)).toMatchObject({ status, code });
    expect(JSON.parse(answer.text).detail).toContain(detail);
    expect(answer.text).not.toContain(canary);
  });

  test("takes JSON only", async () => {
    expect(await ask("blue", { name: "x" }, "PUT", "text/plain")).toMatchObject({ status: 415 });
  });
});

async function problemsOf(document: Record<string, unknown>): Promise<unknown> {
  const { valid, errors } = await new Validator().validate(structuredClone(document));
  return valid ? undefined : errors;
}

test("operations are described by their own schemas, in a document that is valid", async () => {
  const document = toOpenApi(operations);
  expect(await problemsOf(document)).toBeUndefined();
  expect(await problemsOf({ ...document, paths: { "/x": { get: { parameters: [{ name: 1 }] } } } })).toBeDefined();
  expect(document.paths).toMatchObject({
    "/v1/fridges/{fridge}": {
      put: {
        operationId: "putFridge",
        parameters: [
          { name: "fridge", in: "path", required: true, schema: { type: "string", pattern: "^[a-z]{1,8}$" } },
          { name: "cold", in: "query", required: false, schema: { enum: ["yes", "no"] } },
        ],
        requestBody: {
          content: { "application/json": { schema: { additionalProperties: false, required: ["name"] } } },
        },
        responses: { 201: { content: { "application/json": { schema: { required: ["fridge", "by"] } } } } },
      },
      delete: { operationId: "deleteFridge", responses: { 204: {} } },
    },
  });
});

test("the gateway serves its own document", async () => {
  await using gateway = await startGateway(() => ({}));
  const response = await fetch(`${gateway.url}/openapi.json`);
  const document = (await response.json()) as Record<string, unknown>;
  expect(await problemsOf(document)).toBeUndefined();
  expect(document).toMatchSnapshot();
  expect((await fetch(`${gateway.url}/v1/servers`)).status).toBe(200);
});
