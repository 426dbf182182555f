/** The OpenAPI document of `/v1`, made from the operations themselves. @see https://spec.openapis.org/oas/v3.1.0 */
import { problemSchema, type Route } from "@database-interface/mcp-core/host";
import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import type { Fields } from "./message.js";
import type { Operation } from "./operation.js";
import { version } from "./version.js";

/** `GET /openapi.json`. */
export function openApiRoute(operations: readonly Operation[]): Route {
  const document = toOpenApi(operations);
  return { method: "GET", path: "/openapi.json", handle: async () => Response.json(document) };
}

export function toOpenApi(operations: readonly Operation[]): Fields {
  const paths: Record<string, Fields> = {};
  for (const operation of operations) {
    paths[operation.path] = {
      ...paths[operation.path],
      [operation.method.toLowerCase()]: toOperationObject(operation),
    };
  }
  return {
    openapi: "3.1.0",
    info: { title: "Database Interface gateway", version },
    paths,
    components: {
      schemas: { Problem: toSchema(problemSchema, "output") },
      securitySchemes: { bearer: { type: "http", scheme: "bearer" } },
    },
  };
}

function toOperationObject({ id, summary, role, body, parameters, query, response, status }: Operation): Fields {
  const failed = {
    description: "A problem document; its `code` says which.",
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  const done = {
    description: "Done.",
    ...(response === undefined ? {} : { content: toContent(response, "output") }),
  };
  return {
    operationId: id,
    summary,
    ...(role === "public" ? { security: [] } : { description: `Needs the role ${role}.`, security: [{ bearer: [] }] }),
    parameters: [...toParameters(parameters, "path"), ...toParameters(query, "query")],
    ...(body === undefined ? {} : { requestBody: { required: true, content: toContent(body, "input") } }),
    responses: { [status ?? (response === undefined ? 204 : 200)]: done, "4XX": failed, "5XX": failed },
  };
}

function toParameters(schema: v.GenericSchema | undefined, place: "path" | "query"): Fields[] {
  if (schema === undefined) return [];
  // a strict object's JSON schema has both
  const { properties = {}, required = [] } = toSchema(schema, "input") as {
    properties?: Fields;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, inner]) => ({
    name,
    in: place,
    required: required.includes(name),
    schema: inner,
  }));
}

const toContent = (schema: v.GenericSchema, typeMode: "input" | "output"): Fields => ({
  "application/json": { schema: toSchema(schema, typeMode) },
});

function toSchema(schema: v.GenericSchema, typeMode: "input" | "output"): Fields {
  const { $schema: _dialect, ...json } = toJsonSchema(schema, { typeMode, errorMode: "ignore" });
  return json;
}
