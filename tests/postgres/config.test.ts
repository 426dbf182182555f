/** URLs and the environment: what is understood, what is refused, and that nothing is ever echoed. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSource, sourceFromEnvironment } from "../../mcp-postgres/src/config.js";
import { findPassword } from "../../mcp-postgres/src/password.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pg-config-"));
});
afterAll(() => rm(folder, { recursive: true }));

const shown = (url: string, environment = {}) => {
  const config = parseSource(url, { HOME: "/nowhere", USER: "me", ...environment });
  const hosts = config.endpoints
    .map(({ host, port, address = "" }) => `${host}|${port}${address && `@${address}`}`)
    .join(" ");
  return `${config.user} ${config.password?.() ?? "-"} ${hosts} ${config.database} ${config.tls.mode}`;
};

describe("a URL that is understood", () => {
  test.each<[string, string]>([
    ["postgres://", "me - localhost|5432 me prefer"],
    ["postgresql://u@h/d", "u - h|5432 d prefer"],
    ["postgres://u:p%40%2F%3A%23%25@h:6543/d%20b", "u p@/:#% h|6543 d b prefer"],
    ["postgres://u:a@b@h/d", "u a@b h|5432 d prefer"],
    ["postgres://u:p:q@h/d", "u p:q h|5432 d prefer"],
    ["postgres://u:@h/d", "u  h|5432 d prefer"],
    ["postgres://u@[::1]:5433/d", "u - ::1|5433 d prefer"],
    ["postgres://u@[fe80::1]/d", "u - fe80::1|5432 d prefer"],
    ["postgres://u@%2Fvar%2Frun%2Fpostgresql/d", "u - /var/run/postgresql|5432 d prefer"],
    ["postgres:///d?host=/tmp&port=5555", "me - /tmp|5555 d prefer"],
    ["postgres://u@a,b:2,[::1]:3/d", "u - a|5432 b|2 ::1|3 d prefer"],
    ["postgres:///d?host=a,b&port=1,2", "me - a|1 b|2 d prefer"],
    ["postgres://u@h/d?hostaddr=192.0.2.1", "u - h|5432@192.0.2.1 d prefer"],
    ["postgres://u@a,b:2/d?hostaddr=192.0.2.1,::1", "u - a|5432@192.0.2.1 b|2@::1 d prefer"],
    ["postgres:///d?hostaddr=192.0.2.1", "me - 192.0.2.1|5432 d prefer"],
    ["postgres:///d?host=h&hostaddr=192.0.2.1", "me - h|5432@192.0.2.1 d prefer"],
    ["postgres://h/d?user=x&password=y", "x y h|5432 d prefer"],
    ["postgres://h/d?sslmode=require", "me - h|5432 d require"],
    ["postgres://h/d?sslmode=require&sslrootcert=/ca.pem", "me - h|5432 d verify-ca"],
    ["postgres://h/d?sslrootcert=system", "me - h|5432 d verify-full"],
    ["postgres://h/d?gssencmode=disable&channel_binding=prefer&client_encoding=UTF8", "me - h|5432 d prefer"],
    ["POSTGRES://H/d", "me - H|5432 d prefer"],
    ["postgres://ü%C3%A9@höst/dä", "üé - höst|5432 dä prefer"],
  ])("%s", (url, expected) => {
    expect(shown(url)).toBe(expected);
  });
});

describe("a URL that is refused, by name and with the remedy", () => {
  test.each<[string, RegExp]>([
    ["", /postgres:\/\//],
    ["mysql://u@h/d", /postgres:\/\//],
    ["postgres:/h/d", /postgres:\/\//],
    ["postgres://u:s3cret@h:0/d", /port/],
    ["postgres://u:s3cret@h:65536/d", /port/],
    ["postgres://u:s3cret@h:5432x/d", /port/],
    ["postgres://u:s3/cret@h/d", /port|database name/],
    ["postgres://u:1/s3cret@h/d", /database name/],
    ["postgres://u:s3?cret@h/d", /port|option/],
    ["postgres://u:s3#cret@h/d", /port|#/],
    ["postgres://u:s3cret@::1/d", /brackets/],
    ["postgres://u:s3cret%@h/d", /stray %/],
    ["postgres://u:s3cret%00@h/d", /NUL/],
    ["postgres://u:s3cret@h/d?options=-c%20a%3Db", /options .*not supported/],
    ["postgres://u:s3cret@h/d?ssl=true", /ssl .*sslmode=require/],
    ["postgres://u:s3cret@h/d?schema=x", /schema .*--schemas/],
    ["postgres://u:s3cret@h/d?channel_binding=require", /channel_binding .*verify-full/],
    ["postgres://u:s3cret@h/d?statement_timeout=1", /--timeout/],
    ["postgres://u:s3cret@h/d?S3CRET=1", /not supported/],
    ["postgres://u:s3cret@h/d?sslmode=s3cret", /sslmode .*verify-full/],
    ["postgres://u:s3cret@h/d?sslmode=require&sslrootcert=system", /verify-full/],
    ["postgres://u:s3cret@h/d?sslcert=/c", /sslkey/],
    ["postgres://u:s3cret@h/d?connect_timeout=soon", /connect_timeout/],
    ["postgres://u:s3cret@h/d?hostaddr=s3cret", /hostaddr/],
    ["postgres://u:s3cret@a,b/d?hostaddr=192.0.2.1", /hostaddr/],
    ["postgres://u:s3cret@h/d?target_session_attrs=s3cret", /target_session_attrs/],
  ])("%s", (url, expected) => {
    try {
      parseSource(url, { HOME: "/nowhere" });
      expect.unreachable();
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "url_invalid" });
      const { message, hint } = thrown as { message: string; hint: string };
      expect(`${message} ${hint}`).toMatch(expected);
      expect(`${message} ${hint}`.replaceAll("?S3CRET", "")).not.toMatch(/s3|cret@/);
    }
  });
});

test("the environment fills what the URL leaves out, and never more", () => {
  const environment = {
    PGHOST: "eh",
    PGPORT: "7",
    PGUSER: "eu",
    PGPASSWORD: "ep",
    PGDATABASE: "ed",
    PGSSLMODE: "disable",
  };
  expect(shown("postgres://", environment)).toBe("eu ep eh|7 ed disable");
  expect(shown("postgres://u:p@h:8/d?sslmode=allow", environment)).toBe("u p h|8 d allow");
  expect(shown("postgres://h/d", environment)).toBe("eu ep h|7 d disable");
});

test("a source comes from DATABASE_URL, else from PG* variables, else from nowhere", async () => {
  const file = join(folder, "url");
  await writeFile(file, "postgres://f:p@h/d\n");
  expect(sourceFromEnvironment({ DATABASE_URL: "postgres://u@h/d" })?.label).toBe("u@h:5432/d");
  expect(sourceFromEnvironment({ DATABASE_URL_FILE: file })?.label).toBe("f@h:5432/d");
  expect(sourceFromEnvironment({ PGHOST: "/run", PGUSER: "u" })?.label).toBe("u@[/run]:5432/u");
  expect(sourceFromEnvironment({ PGPASSWORD: "x" })).toBeUndefined();
  expect(() => sourceFromEnvironment({ DATABASE_URL_FILE: join(folder, "none") })).toThrow("cannot be read");
});

test("no dump of a source shows its password", () => {
  const config = parseSource("postgres://u:s3cret@h/d", {});
  expect(JSON.stringify(config)).not.toContain("s3cret");
  expect(config.label).toBe("u@h:5432/d");
});

test("the password file is read as libpq reads it", async () => {
  const path = join(folder, "pgpass");
  await writeFile(path, "# c\nother:*:*:*:no\nh\\:1:5432:d:u:a\\:b\\\\c:d\n*:*:*:*:last\n", { mode: 0o600 });
  const config = (host: string) => ({ ...parseSource("postgres://u@h/d", { PGPASSFILE: path }), host });
  const ask = (host: string) => findPassword(config(host), { host, port: 5432 }, undefined);
  expect(await ask("h:1")).toBe("a:b\\c:d");
  expect(await ask("x")).toBe("last");
  await chmod(path, 0o644);
  expect(await ask("x")).toBe("");
});
