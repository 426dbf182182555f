/** The OpenAPI of the operations, from the schemas that parse what is sent to them. */
import { toJsonSchema } from "@valibot/to-json-schema";
import type * as v from "valibot";
import { readVersion } from "../../version.js";
import type { Operation } from "./operation.js";

/** The document, as `/openapi.json` serves it. @see https://spec.openapis.org/oas/v3.1.1 */
export function toOpenApi(operations: readonly Operation[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [operation.method]: toOperationObject(operation) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "db-agent",
      version: readVersion(),
      description:
        "Databases over REST: sessions, statements, questions, approvals; and the threads of LangGraph's clients.",
    },
    paths,
    components: {
      schemas: { Problem: problemSchema },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        apiKey: { type: "apiKey", in: "header", name: "x-api-key" },
      },
    },
    security: [{ bearer: [] }, { apiKey: [] }],
  };
}

function toOperationObject(operation: Operation): Record<string, unknown> {
  const { id, tag, summary, parameters, query, body, bodyIsOptional = false, isPublic = false } = operation;
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(isPublic ? { security: [] } : {}),
    parameters: [
      ...toParameters(parameters, "path"),
      ...toParameters(query, "query"),
      ...(operation.method === "post" && !isPublic ? [idempotencyKey] : []),
    ],
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: !bodyIsOptional,
            content: { "application/json": { schema: toSchema(body, "input") } },
          },
        }),
    responses: { ...toAnswer(operation), default: problemAnswer },
  };
}

function toAnswer({ answer, status, streams }: Operation): Record<string, unknown> {
  const events = { "text/event-stream": { schema: { type: "string" } } };
  const json = answer === undefined ? {} : { "application/json": { schema: toSchema(answer, "output") } };
  const content = { ...(streams === "always" ? {} : json), ...(streams === undefined ? {} : events) };
  const hasContent = Object.keys(content).length > 0;
  const code = status ?? (hasContent ? 200 : 204);
  return { [code]: { description: hasContent ? "The answer." : "Done.", ...(hasContent ? { content } : {}) } };
}

function toParameters(schema: Operation["parameters"], place: "path" | "query"): Record<string, unknown>[] {
  return Object.entries(schema?.entries ?? {}).map(([name, entry]) => ({
    name,
    in: place,
    required: place === "path" || entry.type !== "optional",
    schema: toSchema(entry as v.GenericSchema, "input"), // an entry of an object's schema is a schema
  }));
}

function toSchema(schema: v.GenericSchema, typeMode: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = toJsonSchema(schema, { errorMode: "ignore", typeMode, target: "draft-2020-12" });
  return rest;
}

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  description: "The same request with the same key gets the same answer, for a day.",
  schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[!-~]+$" },
};

const problemAnswer = {
  description: "What went wrong, by RFC 9457. It repeats nothing of what was sent.",
  content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
};

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "retryable"],
  properties: {
    type: { const: "about:blank" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string", description: "Stable; what programs look at." },
    retryable: { type: "boolean", description: "True when the same call may succeed later without any change." },
    hint: { type: "string" },
    sqlstate: { type: "string" },
    errno: { type: "integer" },
  },
};
