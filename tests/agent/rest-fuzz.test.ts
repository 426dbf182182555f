/**
 * REST fuzzed from its own OpenAPI: whatever is sent, there is an answer its document knows, never a 500, and no problem
 * repeats what was sent. `FUZZ_RUNS` scales it.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { openRest, type Rest } from "./rest-support.js";

const runs = Number(process.env.FUZZ_RUNS ?? 15);
let database: TestDatabase;
let rest: Rest;

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run("CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada')");
  rest = await openRest({ gateway: { databases: { pg: database.url } } });
});
afterAll(async () => {
  await rest?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** A long word nobody writes by chance, so that an echo is an echo. */
const marker = fc.stringMatching(/^zq[a-z0-9]{10}zq$/);
const garbage = fc.oneof(marker, fc.string({ unit: "binary" }), fc.jsonValue(), fc.constant(null), fc.double());
const statement = fc.oneof(
  marker,
  marker.map((word) => `SELECT "${word}" FROM people`),
  marker.map((word) => `SELECT * FROM ${word}`),
  marker.map((word) => `SELECT '${word}'::int`),
  marker.map((word) => `DELETE FROM people WHERE name = '${word}'`),
  fc.constant("SELECT id, name FROM people"),
  fc.string({ unit: "binary" }),
);

/** Values that fit a schema. */
function fitting(schema: Schema, name = ""): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined) return fc.oneof(...choices.map((choice) => fitting(choice, name)));
  switch ([schema.type].flat()[0]) {
    case "string":
      if (name === "sql") return statement;
      if (name === "source") return fc.oneof(fc.constant("pg"), marker);
      if (name === "url") return marker.map((word) => `postgres://u:${word}@127.0.0.1:1/${word}`);
      return marker;
    case "integer":
    case "number":
      return fc.integer({ min: schema.minimum ?? -10, max: Math.min(schema.maximum ?? 1_000, 1_000) });
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(fitting(schema.items ?? {}), { maxLength: 3 });
    case "object": {
      const entries = Object.entries(schema.properties ?? {}).map(([key, of]) => [key, fitting(of, key)] as const);
      return fc.record(Object.fromEntries(entries), { requiredKeys: [...(schema.required ?? [])] });
    }
    default:
      return garbage;
  }
}

/** Mostly what fits, sometimes with something else in it, sometimes anything. */
const sent = (schema: Schema): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 5, arbitrary: fitting(schema) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fitting(schema), fc.constantFrom("x", ...Object.keys(schema.properties ?? {})), garbage)
        .map(([value, key, other]) => (typeof value === "object" ? { ...value, [key]: other } : other)),
    },
    { weight: 1, arbitrary: fc.tuple(marker, garbage).map(([key, value]) => ({ [key]: value })) },
    { weight: 1, arbitrary: garbage },
  );

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Schema;
}
interface OperationObject {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

test("no operation answers 500, another shape than its document's, or what was sent", async () => {
  const { json } = await rest.call("GET", "/openapi.json");
  const operations = Object.entries<Record<string, OperationObject>>(json.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  expect(operations.length).toBeGreaterThan(30);
  const seen = new Map<number, number>();
  for (const { path, method, operation } of operations) {
    if (operation.operationId === "watchSession") continue; // which does not end
    const session = await rest.session();
    const inPlace = (place: string) => operation.parameters.filter((parameter) => parameter.in === place);
    const values = (parameters: readonly Parameter[]) =>
      fc.record(
        Object.fromEntries(parameters.map(({ name, schema }) => [name, fc.oneof(fitting(schema, name), garbage)])),
        {
          requiredKeys: [],
        },
      );
    const body = operation.requestBody?.content["application/json"].schema;
    const request = fc.record({
      path: values(inPlace("path")),
      isOurs: fc.boolean(),
      query: values(inPlace("query")),
      body: body === undefined ? fc.constant(undefined) : sent(body),
    });
    await fc.assert(
      fc.asyncProperty(request, async ({ path: named, isOurs, query, body: given }) => {
        const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
          isOurs && /session|thread/.test(name) ? session : encodeURIComponent(String(named[name] ?? "x")),
        );
        const search = new URLSearchParams(
          Object.fromEntries(Object.entries(query).map(([name, value]) => [name, String(value)])),
        );
        const answer = await rest.call(method.toUpperCase(), `${filled}?${search}`, given);
        seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1);
        expect(answer.status, answer.text).not.toBe(500);
        expect(answer.status, answer.text).not.toBe(503);
        if (answer.status >= 400) {
          expect(answer.headers.get("content-type")).toBe("application/problem+json");
          expect(answer.json).toMatchObject({ status: answer.status, code: expect.stringMatching(/^[a-z_]+$/) });
          const words = `${JSON.stringify(given)} ${search} ${filled}`.match(/zq[a-z0-9]{10}zq/g) ?? [];
          for (const word of words) expect(answer.text, "the problem repeats what was sent").not.toContain(word);
        } else expect(Object.keys(operation.responses)).toContain(String(answer.status));
      }),
      { numRuns: runs, seed: 20_261_125 },
    );
    if (method === "delete") continue;
    expect((await rest.call("GET", "/healthz")).status).toBe(200);
  }
  expect([...seen.keys()].sort()).toEqual(expect.arrayContaining([200, 201, 400, 404, 422]));
}, 240_000);
