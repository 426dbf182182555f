/** REST: what each operation answers, who may come in, and what is said when something does not fit. */
import { Validator } from "@seriousme/openapi-schema-validator";
import * as v from "valibot";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reportSchema, resultSchema, sessionViewSchema } from "../../agent/src/faces/serve/schemas.js";
import { eventSchema } from "../../agent/src/index.js";
import { createPostgresDatabase, type TestDatabase } from "../support/databases.js";
import { eventsIn, openRest, type Rest } from "./rest-support.js";
import { eventually, runsStatement, slowStatement } from "./support.js";

let database: TestDatabase;
let rest: Rest;
const other = "another-token-of-24-characters";
const page = "https://page.example";

beforeAll(async () => {
  database = await createPostgresDatabase();
  await database.run(
    "CREATE TABLE people (id int PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada'), (2, 'Bo')",
  );
  rest = await openRest({ gateway: { databases: { pg: database.url } } }, { owners: [other], allowedOrigins: [page] });
});
afterAll(async () => {
  await rest?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

const as = (token: string) => ({ authorization: `Bearer ${token}` });

describe("sessions", () => {
  test("are opened, listed, shown and deleted by their reference id", async () => {
    const opened = await rest.call("POST", "/v1/sessions");
    expect(opened.status).toBe(201);
    const { session } = v.parse(sessionViewSchema, opened.json);
    expect((await rest.call("GET", "/v1/sessions")).json).toContainEqual(expect.objectContaining({ session }));
    expect(v.parse(sessionViewSchema, (await rest.call("GET", `/v1/sessions/${session}`)).json).session).toBe(session);
    expect((await rest.call("DELETE", `/v1/sessions/${session}`)).status).toBe(204);
    expect(await rest.call("GET", `/v1/sessions/${session}`)).toMatchObject({
      status: 404,
      json: { code: "session_unknown" },
    });
  });

  test("another token's are unknown, in every operation", async () => {
    const session = await rest.session();
    expect((await rest.call("GET", "/v1/sessions", undefined, as(other))).json).toEqual([]);
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["DELETE", "", undefined],
      ["GET", "/events", undefined],
      ["GET", "/tables", undefined],
      ["POST", "/query", { sql: "SELECT 1" }],
      ["GET", "/approvals", undefined],
    ] as const) {
      const { status, json } = await rest.call(method, `/v1/sessions/${session}${path}`, body, as(other));
      expect({ status, code: json.code }, path).toEqual({ status: 404, code: "session_unknown" });
    }
    expect((await rest.call("GET", `/threads/${session}/state`, undefined, as(other))).status).toBe(404);
    expect((await rest.call("GET", `/v1/sessions/${session}`)).status).toBe(200);
  });
});

describe("databases", () => {
  test("are verified, listed, looked into, and one is added; it is not added when it is down", async () => {
    const at = `/v1/sessions/${await rest.session()}`;
    expect((await rest.call("POST", `${at}/verify`)).json).toMatchObject([{ name: "pg", state: "up" }]);
    expect((await rest.call("GET", `${at}/sources`)).json).toEqual(["pg"]);
    expect((await rest.call("GET", `${at}/tables?pattern=peop*`)).json.rows).toMatchObject([
      ["table", "public", "people"],
    ]);
    expect((await rest.call("GET", `${at}/tables/people`)).json.description).toContain("name text");
    expect(await rest.call("GET", `${at}/tables/nobody`)).toMatchObject({
      status: 404,
      json: { code: "table_not_found" },
    });
    const down = await rest.call("POST", `${at}/connect`, { url: "postgres://u@127.0.0.1:1/x", name: "down" });
    expect(down.json).toMatchObject([{ name: "down", state: "down", error: { code: "connection_failed" } }]);
    expect((await rest.call("GET", `${at}/sources`)).json).toEqual(["pg"]);
    expect((await rest.call("POST", `${at}/connect`, { url: database.url, name: "two" })).json).toMatchObject([
      { state: "up" },
    ]);
    expect((await rest.call("GET", `${at}/sources`)).json).toEqual(["pg", "two"]);
  });
});

describe("statements", () => {
  test("a query answers its rows; pages go on in one snapshot; a plan is told; a task is reported", async () => {
    const at = `/v1/sessions/${await rest.session()}`;
    const sql = "SELECT id, name FROM people WHERE id = $1";
    const found = await rest.call("POST", `${at}/query`, { sql, params: [2], source: "pg" });
    expect(v.parse(resultSchema, found.json).rows).toEqual([[2, "Bo"]]);

    const series = { sql: "SELECT generate_series(1, 1500) AS n", source: "pg" };
    const first = await rest.call("POST", `${at}/pages`, series);
    const next = await rest.call("POST", `${at}/pages`, { cursor: first.json.nextCursor, source: "pg" });
    expect([first.json.rowCount, next.json.rowCount, next.json.rows[0]]).toEqual([1_000, 500, [1_001]]);

    expect(
      (await rest.call("POST", `${at}/explain`, { sql: "SELECT * FROM people", source: "pg" })).json.plan,
    ).toContain("people");
    const task = { connections: [{ name: "pg" }], statements: [{ sql: "SELECT count(*) FROM people" }] };
    const report = v.parse(reportSchema, (await rest.call("POST", `${at}/run`, task)).json);
    expect(report).toMatchObject({ ok: true, statements: [{ result: { rows: [[2]] } }] });
    expect((await rest.call("GET", at)).json.report.statements).toHaveLength(1);
  });

  test("whoever accepts events gets them as they come; whoever comes later goes on where a line broke", async () => {
    const at = `/v1/sessions/${await rest.session()}`;
    const body = { sql: "SELECT name FROM people", source: "pg" };
    const told = eventsIn((await rest.call("POST", `${at}/query`, body, { accept: "text/event-stream" })).text);
    for (const { data } of told) v.parse(eventSchema, data);
    expect(told.map(({ event }) => event)).toEqual(["sql", "rows", "done"]);

    const response = await fetch(`${rest.url}${at}/events`, {
      headers: { ...as(rest.token), "last-event-id": String(told[0]?.id) },
    });
    let heard = "";
    for await (const chunk of response.body ?? []) {
      heard += Buffer.from(chunk).toString();
      if (heard.includes("event: done")) break; // which ends the connection
    }
    expect(eventsIn(heard)).toEqual(told.slice(1));
  });

  test("a client that leaves takes its statement along", async () => {
    const at = `/v1/sessions/${await rest.session()}`;
    const mark = `rest_${process.pid}`;
    const isActive = () => runsStatement(database, mark);
    for (const accept of ["application/json", "text/event-stream"]) {
      const leaving = new AbortController();
      const request = fetch(`${rest.url}${at}/query`, {
        method: "POST",
        headers: { ...as(rest.token), "content-type": "application/json", accept },
        body: JSON.stringify({ sql: slowStatement(mark), source: "pg" }),
        signal: leaving.signal,
      }).then((response) => response.text());
      await eventually(isActive, "the statement to run");
      leaving.abort();
      await expect(request).rejects.toThrow();
      await eventually(async () => !(await isActive()), `the statement to stop (${accept})`);
    }
  });

  test("without a model questions say what to set", async () => {
    const at = `/v1/sessions/${await rest.session()}`;
    for (const operation of ["ask", "chat"]) {
      const { status, json } = await rest.call("POST", `${at}/${operation}`, { text: "how many?" });
      expect({ status, code: json.code }).toEqual({ status: 501, code: "model_unset" });
      expect(json.hint).toContain("DB_AGENT_MODEL");
    }
  });
});

describe("an Idempotency-Key", () => {
  test("gives the same answer again, also to a request at the same time; another body is refused", async () => {
    const headers = { "idempotency-key": "k-1" };
    const answers = await Promise.all([1, 2, 3].map(() => rest.call("POST", "/v1/sessions", {}, headers)));
    expect(new Set(answers.map(({ json }) => json.session)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers.get("idempotency-replayed") === "true")).toHaveLength(2);
    const { status, json } = await rest.call("POST", "/v1/sessions", '{ "other": 1 }', headers);
    expect({ status, code: json.code }).toEqual({ status: 422, code: "idempotency_mismatch" });
    expect((await rest.call("POST", "/v1/sessions", {}, { ...headers, ...as(other) })).json.session).not.toBe(
      answers[0]?.json.session,
    );
  });
});

describe("at the door", () => {
  const session = "/v1/sessions";
  test.each([
    ["no token", session, { authorization: "" }, 401, "token_invalid"],
    ["a wrong token", session, as("wrong-token-of-some-length"), 401, "token_invalid"],
    ["another scheme", session, { authorization: "Basic abc" }, 401, "token_invalid"],
    ["another Host", session, { host: "evil.example" }, 403, "host_forbidden"],
    ["a page's Origin", session, { origin: "https://evil.example" }, 403, "host_forbidden"],
    ["a page's Origin, on public paths too", "/healthz", { origin: "null" }, 403, "host_forbidden"],
  ])("%s", async (_, path, headers, status, code) => {
    const answer = await rawGet(path, headers);
    expect({ status: answer.status, code: JSON.parse(answer.text).code }).toEqual({ status, code });
  });

  test("health and OpenAPI need no token; the key of LangGraph's clients is one; an allowed page may read", async () => {
    for (const path of ["/healthz", "/readyz", "/openapi.json"]) expect((await rawGet(path, {})).status).toBe(200);
    expect((await rawGet(session, { "x-api-key": rest.token })).status).toBe(200);
    const read = await fetch(`${rest.url}/v1/sessions`, { headers: { ...as(rest.token), origin: page } });
    expect([read.status, read.headers.get("access-control-allow-origin")]).toEqual([200, page]);
  });
});

/** `fetch` sets Host and drops Origin by itself. */
async function rawGet(path: string, headers: Record<string, string>): Promise<{ status: number; text: string }> {
  const { request } = await import("node:http");
  return new Promise((resolve, reject) => {
    const sent = request(`${rest.url}${path}`, { headers: { ...as(rest.token), ...headers } }, async (response) => {
      let text = "";
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode ?? 0, text });
    });
    sent.once("error", reject);
    sent.end();
  });
}

describe("what does not fit is told as a problem that repeats nothing", () => {
  const marker = "zq-marker-zq";
  test.each([
    ["no JSON", "POST", "/v1/sessions", `{"${marker}`, 400, "body_invalid"],
    ["an unknown key", "POST", "/v1/sessions", { [marker]: marker }, 400, "body_invalid"],
    ["a wrong type", "POST", "/query", { sql: [marker] }, 400, "body_invalid"],
    ["an unknown query", "GET", `/tables?${marker}=1`, undefined, 400, "query_invalid"],
    ["an unknown path", "GET", `/${marker}`, undefined, 404, "not_found"],
    ["an unknown session", "GET", `/v1/sessions/${marker}`, undefined, 404, "session_unknown"],
    ["a session that can be none", "GET", `/v1/sessions/${marker}%20`, undefined, 404, "not_found"],
    ["another method", "PUT", "/query", undefined, 405, "method_not_allowed"],
    [
      "an unknown column",
      "POST",
      "/query",
      { sql: `SELECT "${marker}" FROM people`, source: "pg" },
      422,
      "column_not_found",
    ],
    [
      "a syntax error",
      "POST",
      "/query",
      { sql: `SELECT '${marker}' ${marker} ?? ${marker}`, source: "pg" },
      422,
      "syntax_error",
    ],
    ["an unknown source", "POST", "/query", { sql: "SELECT 1", source: marker }, 404, "source_unknown"],
    ["a table that is none", "GET", `/tables/${marker}?source=pg`, undefined, 404, "table_not_found"],
    ["too large a body", "POST", "/query", { sql: marker.repeat(100_000) }, 413, "body_too_large"],
    ["a cursor that is none", "POST", "/pages", { cursor: marker, source: "pg" }, 422, "cursor_unknown"],
    ["an approval that is none", "POST", `/approvals/${marker}`, { type: "approve" }, 404, "approval_unknown"],
    ["a URL that is none", "POST", "/connect", { url: `${marker}:x@y` }, 400, "usage"],
    ["a broken URL", "POST", "/connect", { url: `postgres://u:${marker}@@:x/` }, 200, undefined],
  ])("%s", async (_, method, path, body, status, code) => {
    const at =
      path.startsWith("/v1") || path.startsWith(`/${marker}`) ? path : `/v1/sessions/${await rest.session()}${path}`;
    const answer = await rest.call(method, at, body);
    expect(answer.text).not.toContain(marker);
    expect({ status: answer.status, code: answer.json.code }).toEqual({ status, code });
    if (status >= 400) expect(answer.headers.get("content-type")).toBe("application/problem+json");
  });

  test("a body of another type is refused; the log names operations, never paths", async () => {
    const answer = await rest.call("POST", "/v1/sessions", "{}", { "content-type": "text/plain" });
    expect(answer).toMatchObject({ status: 415, json: { code: "media_type_unsupported" } });
    expect(JSON.stringify(rest.entries)).not.toContain(marker);
    expect(rest.entries).toContainEqual(expect.objectContaining({ operation: "createSession", status: 415 }));
  });
});

test("the OpenAPI is valid, and every operation is in it", async () => {
  const { json } = await rest.call("GET", "/openapi.json");
  expect(await new Validator().validate(structuredClone(json))).toMatchObject({ valid: true });
  const ids = Object.values<Record<string, { operationId: string }>>(json.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toMatchSnapshot();
});
