/** The log never shows a secret, never throws, never grows without bound. */
import { Writable } from "node:stream";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLog, type LogLevel, redactText } from "../../mcp-core/src/host/index.js";

function capture(level: LogLevel = "debug") {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  return { log: createLog({ name: "t", level, stream, now: () => new Date(0) }), lines };
}

test("a line is one JSON object with time, level, name, event and fields", () => {
  const { log, lines } = capture();
  log.with({ source: "shop" }).info("listening", { url: "http://127.0.0.1:1/mcp", level: "not mine" });
  expect(lines).toEqual([
    '{"time":"1970-01-01T00:00:00.000Z","level":"info","name":"t","event":"listening","source":"shop","url":"http://127.0.0.1:1/mcp","level_":"not mine"}\n',
  ]);
});

test.each<[LogLevel, string[]]>([
  ["debug", ["debug", "info", "warn", "error"]],
  ["warn", ["warn", "error"]],
  ["silent", []],
])("the level %s writes %j", (level, written) => {
  const { log, lines } = capture(level);
  for (const each of ["debug", "info", "warn", "error"] as const) log[each]("event");
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(written);
});

const secretKeys = [
  "password",
  "Password",
  "PGPASSWORD",
  "db_password",
  "passwd",
  "token",
  "accessToken",
  "secret",
  "client_secret",
  "authorization",
  "Authorization",
  "apiKey",
  "api_key",
  "API-KEY",
  "cookie",
  "set-cookie",
  "privateKey",
  "MCP_TOKEN",
  "MCP_KEYS",
  "passphrase",
];
const secrets = fc
  .string({ minLength: 8, maxLength: 40, unit: fc.constantFrom(..."abcXYZ019-_.~!$*+%:#[]@") })
  .map((text) => `S3cr3t${text}`);

test("no field whose name says secret shows its value, however deep", () => {
  const shape = fc.record({
    key: fc.constantFrom(...secretKeys),
    secret: secrets,
    depth: fc.integer({ min: 0, max: 5 }),
    asList: fc.boolean(),
  });
  fc.assert(
    fc.property(shape, ({ key, secret, depth, asList }) => {
      const { log, lines } = capture();
      let fields: Record<string, unknown> = { [key]: asList ? [secret] : secret };
      for (let level = 0; level < depth; level++) fields = asList ? { inner: [fields] } : { inner: fields };
      log.info("event", fields);
      expect(lines).toHaveLength(1);
      expect(lines[0]).not.toContain(secret);
    }),
  );
});

test("no URL shows its password, wherever it stands", () => {
  const password = fc
    .string({ minLength: 6, maxLength: 30, unit: fc.constantFrom(..."abcXYZ019-_.~!$*+%:#@") })
    .map((text) => `S3cr3t${text}`);
  const shape = fc.record({
    scheme: fc.constantFrom("postgres", "postgresql", "mysql", "mariadb", "redis", "http"),
    user: fc.constantFrom("", "postgres", "a.b%40c"),
    password,
    before: fc.constantFrom("", "cannot connect to ", "url="),
    after: fc.constantFrom("", " because", "/db?x=y@z", '"'),
  });
  fc.assert(
    fc.property(shape, ({ scheme, user, password: secret, before, after }) => {
      const text = `${before}${scheme}://${user}:${secret}@host:5432${after}`;
      const { log, lines } = capture();
      log.error(text, { error: new Error(text, { cause: new Error(text) }), text, list: [text], [text]: 1 });
      expect(lines[0]).not.toContain("S3cr3t");
      expect(redactText(text)).toContain("@host:5432");
    }),
  );
});

test.each([
  ["Authorization: Bearer abcdef123456", "Authorization: Bearer [redacted]"],
  ["basic dXNlcjpwYXNz", "basic [redacted]"],
  ["password=hunter2 host=x", "password=[redacted] host=x"],
  ['{"password":"hunter2","a":1}', '{"password":[redacted],"a":1}'],
  ["PGPASSWORD='a b' psql", "PGPASSWORD=[redacted] psql"],
  ["mysql://me:a/b?c@host:1/db", "mysql://me:[redacted]@host:1/db"],
  ["http://host:8080/path?mail=a@b", "http://host:8080/path?mail=a@b"],
  ["postgres://me@host/db", "postgres://me@host/db"],
  ["SELECT token FROM t", "SELECT token FROM t"],
  ["user@example.com wrote", "user@example.com wrote"],
])("%j is shown as %j", (text, shown) => {
  expect(redactText(text)).toBe(shown);
});

describe("nothing makes it throw", () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  const throwing = {
    get oops() {
      throw new Error("no");
    },
  };
  test.each([
    ["a circle", { circular }],
    ["a getter that throws", { throwing }],
    ["a bigint", { n: 1n }],
    ["a function", { f: () => 1 }],
    ["an invalid date", { d: new Date(Number.NaN) }],
    ["bytes", { b: new Uint8Array(10) }],
    [
      "toJSON that throws",
      {
        x: {
          toJSON: () => {
            throw new Error("no");
          },
        },
      },
    ],
    ["null", { x: null, y: undefined }],
  ])("%s", (_name, fields) => {
    const { log, lines } = capture();
    log.info("event", fields);
    for (const line of lines) JSON.parse(line);
  });

  test("any value", () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string(),
          fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
        ),
        (fields) => {
          const { log, lines } = capture();
          log.info("event", fields);
          expect(lines).toHaveLength(1);
          JSON.parse(lines[0] ?? "");
        },
      ),
    );
  });

  test("a stream that is gone", () => {
    const { log } = capture();
    const stream = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
    const gone = createLog({ name: "t", stream });
    gone.info("one");
    gone.info("two");
    log.info("fine");
  });
});

test("large values are cut", () => {
  const { log, lines } = capture();
  log.info("event", { text: "x".repeat(10_000_000), list: Array.from({ length: 10_000 }, () => "y") });
  expect(lines[0]?.length).toBeLessThan(10_000);
});
