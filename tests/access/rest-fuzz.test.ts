/**
 * Every field of `/v1`, taken from the gateway's own OpenAPI, filled with what means something to a shell, a command
 * line, an environment, a file system or a URL: it is refused, starts no process, reaches no host and is not repeated.
 * `FUZZ_RUNS` scales the random part.
 */
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGateway, type TestGateway, temporaryFolder } from "../gateway/gateways.js";

const runs = Number(process.env.FUZZ_RUNS ?? 40);

let trap: Server;
let port: number;
let reached = 0;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let gateway: TestGateway;
let operations: readonly Operation[];

beforeAll(async () => {
  trap = createServer((socket) => {
    reached++;
    socket.destroy();
  }).listen(0, "127.0.0.1");
  await once(trap, "listening");
  port = (trap.address() as AddressInfo).port;
  folder = await temporaryFolder();
  gateway = await startGateway(
    () => ({
      templates: {
        // what fits in every way still leads to this machine, which no template here may reach
        any: { server: "postgres", hosts: ["*.db.example.com:*"] },
        one: { server: "mysql", hosts: [`one.db.example.com:${port}`], database: "shop" },
      },
    }),
    { lookup: async () => ["127.0.0.1"], sessions: { maxSessions: 10_000 } },
  );
  await gateway.gateway.ready({ signal: AbortSignal.timeout(60_000) });
  const { text } = await send("GET", "/openapi.json", undefined);
  operations = Object.entries<Record<string, OperationObject>>(JSON.parse(text).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), ...operation })),
  );
}, 120_000);
afterAll(async () => {
  trap?.close();
  await gateway?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}
interface OperationObject {
  readonly operationId: string;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
}
interface Operation extends OperationObject {
  readonly path: string;
  readonly method: string;
}
interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

/** As it is written: nothing tidies the path up on its way. */
async function send(method: string, path: string, body: unknown): Promise<Answer> {
  const request = httpRequest(`${gateway.url}/`, { method, path, headers: { "content-type": "application/json" } });
  request.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return { status: response.statusCode, type: response.headers["content-type"] ?? "", text };
}

/** A long word nobody writes by chance, so that an echo is an echo. */
const wordPattern = /zq[a-z0-9]{10}zq/g;
const word = "zq0123456789zq";

/** What each means something to; `W` stands for a word, `F` for a file that must not come to be, `P` for the port of a listener, `€` for a dollar. */
const tricks: Readonly<Record<string, readonly string[]>> = {
  command: [";touch F;W", "$(touch F)W", "`touch F`W", "|touch F #W", "&&touch F&&W", "W\ntouch F\n", "'W'\"; touch F"],
  argument: ["--config=/W", "--host=127.0.0.1:P/W", "-c W", "--require=/W.js", "--inspect=0.0.0.0:W", "-- W", "--W"],
  environment: ["€{HOME}W", "€{file:/etc/passwd}W", "$PATH/W", "%PATH%W", "NODE_OPTIONS=--require /W", "PGHOST=127.0.0.1 W", "€{MCP_GATEWAY_VALUE_0}W"],
  path: ["../../../etc/W", "..%2f..%2fW", "/proc/self/environ/W", "file:///W", "C:\\W", "\\\\127.0.0.1\\W", "/tmp/.s.PGSQL.P/W", "W\0.json", "%00W", ".", "..", "F"],
  URL: ["postgres://u:W@127.0.0.1:P/d", "127.0.0.1:P/W", "W@127.0.0.1:P", "one.db.example.com@127.0.0.1:P#W", "one.db.example.com?hostaddr=127.0.0.1&port=P&x=W", "one.db.example.com,127.0.0.1:P,W", "[::ffff:127.0.0.1]:P/W", "http://169.254.169.254/W", "d?host=127.0.0.1&port=P&W", "d/W#", "W%40127.0.0.1%3aP"],
  address: ["127.0.0.1", "2130706433", "0x7f000001", "0177.0.0.1", "::1", "localhost", "127.1", "169.254.169.254", "fd00:ec2::254", "one.db.example.com.", "127.0.0.1\0.db.example.com", "W.db.example.com.evil.example"],
  prototype: ["__proto__", "constructor", "toString", "hasOwnProperty"],
}; // biome-ignore format: a table

const trick = fc
  .tuple(fc.constantFrom(...Object.values(tricks).flat()), fc.stringMatching(/^zq[a-z0-9]{10}zq$/))
  .map(([text, own]) => fill(text, own));

const fill = (text: string, own: string): string =>
  text.replaceAll("W", own).replaceAll("F", `${folder.path}/made`).replaceAll("P", String(port)).replaceAll("€", "$");

const fits: Readonly<Record<string, unknown>> = {
  template: "any", host: "a.db.example.com", port: 5_432, database: "d", user: "u", password: "p", name: "n", label: "l",
}; // biome-ignore format: a table

/** A request that fits but for what is in `other`. */
async function toRequest(operation: Operation, other: Readonly<Record<string, unknown>>) {
  const session = JSON.parse((await send("POST", "/v1/sessions", {})).text).session as string;
  const values: Readonly<Record<string, unknown>> = { ...fits, session, id: "s-0123456789", ...other };
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => toSegment(String(values[name])));
  const schema = operation.requestBody?.content["application/json"].schema;
  const body = schema && Object.fromEntries(Object.keys(schema.properties ?? {}).map((name) => [name, values[name]]));
  return { path, body };
}

/** As it is where a request line can hold it, so that dots and slashes stay what they are. */
const toSegment = (text: string): string => (/^[\w.%/~-]+$/.test(text) ? text : encodeURIComponent(text));

/** The processes this one has started, and how often servers were. */
async function started(): Promise<string> {
  const stats = await Promise.all(
    (await readdir("/proc"))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/stat`, "utf8").catch(() => "")),
  );
  const own = stats
    .flatMap((stat) => / \(?.*\) \w (\d+) /.exec(stat)?.[1] ?? [])
    .filter((pid) => Number(pid) === process.pid);
  const starts = gateway.gateway.report().servers.map(({ id, starts }) => `${id} ${starts}`);
  return [...starts, own.length].join();
}

function assertRefused(sent: string, { status, type, text }: Answer): void {
  expect(status, `${sent}: ${text}`).toBeGreaterThanOrEqual(400);
  expect(status, `${sent}: ${text}`).toBeLessThan(500);
  expect(type, sent).toBe("application/problem+json");
  expect(reached, `the listener is reached by ${sent}`).toBe(0);
  for (const one of [...(sent.match(wordPattern) ?? []), folder.path, "127.0.0.1", "169.254", "/etc/passwd"])
    expect(text, `the problem repeats what was sent by ${sent}`).not.toContain(one);
}

const fieldsOf = ({ parameters, requestBody }: Operation): string[] => [
  ...parameters.map(({ name }) => name),
  ...Object.keys(requestBody?.content["application/json"].schema.properties ?? {}),
];

test("each trick in each field", async () => {
  const before = await started();
  const seen = new Map<string, number>();
  for (const operation of operations) {
    for (const field of fieldsOf(operation)) {
      for (const [kind, texts] of Object.entries(tricks)) {
        for (const text of texts) {
          const { path, body } = await toRequest(operation, { [field]: fill(text, word) });
          const answer = await send(operation.method, path, body);
          const sent = `${operation.operationId}'s ${field}, ${kind} ${JSON.stringify(text)}, ${path} ${word}`;
          seen.set(`${field} ${answer.status}`, (seen.get(`${field} ${answer.status}`) ?? 0) + 1);
          if (field === "label" && answer.status === 201) expect(JSON.parse(answer.text).label).toBe(fill(text, word));
          else assertRefused(sent, answer);
        }
      }
    }
  }
  expect([...seen.keys()].sort()).toEqual(
    expect.arrayContaining(["database 403", "host 403", "label 201", "password 403", "session 404", "template 400"]),
  );
  expect([await started(), reached]).toEqual([before, 0]);
  expect(await readdir(folder.path)).toEqual([]);
}, 240_000);

test("anything in any number of fields, and bodies of other shapes", async () => {
  const before = await started();
  const value = fc.oneof(
    { weight: 4, arbitrary: trick },
    fc.constantFrom("one", "one.db.example.com"),
    fc.jsonValue({ maxDepth: 3 }),
    fc.string({ unit: "binary" }),
  );
  for (const operation of operations) {
    const fields = fieldsOf(operation);
    if (fields.length === 0) continue;
    const others = fc.dictionary(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...fields) }, trick), value, {
      maxKeys: 4,
    });
    await fc.assert(
      fc.asyncProperty(others, fc.option(value, { freq: 4, nil: undefined }), async (other, shape) => {
        const { path, body } = await toRequest(operation, other);
        const unknown = Object.fromEntries(Object.entries(other).filter(([name]) => !fields.includes(name)));
        const given = body === undefined ? undefined : (shape ?? { ...body, ...unknown });
        const answer = await send(operation.method, path, given);
        const isFine = answer.status === 201 && operation.operationId === "openSession";
        if (!isFine && answer.status >= 300)
          assertRefused(`${operation.method} ${path} ${JSON.stringify(given)}`, answer);
        else expect(["openSession", "showSession", "listConnections", "closeSession"]).toContain(operation.operationId);
      }),
      { numRuns: runs, seed: 20_261_128 },
    );
  }
  expect([await started(), reached]).toEqual([before, 0]);
  expect(await readdir(folder.path)).toEqual([]);
  expect((await send("GET", "/healthz", undefined)).status).toBe(200);
}, 240_000);
